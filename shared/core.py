"""The words every coordinator is written in: an event comes in, a decision with resources goes out.

Law of this file: nothing here reads a clock, draws a random number, or touches a file, a socket or a database.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from shared.ports import Door, Outside, Reader

Resource = Mapping[str, Any]
"""One FHIR R4 resource: JSON decoded once with exact decimals (`decimal.Decimal`), never mutated."""

CANONICAL = "https://carepod.example/fhir/"
"""Base of our profiles, code systems and extensions; whoever publishes Carepod sets his own here."""

IDENTIFIERS = "https://carepod.example/id/"
"""Base of our identifier systems: `IDENTIFIERS + kind`."""

PRACTICE_ONLY_LABEL = {"system": IDENTIFIERS + "sight", "code": "practice"}
"""The security label of what only the practice sees, whoever sent its patient."""

_NAMESPACE = uuid.UUID("8345edd1-fa38-54d4-b10b-6e0375458769")
"""Fixed for ever, whatever the canonical base becomes: every derived id, so every business effect, hangs on it."""
_VERSION_5 = (5 << 76) | (2 << 62)
_FREE = ~((15 << 76) | (3 << 62))


@lru_cache(16_384)
def derived_id(owner: str, kind: str, *key: str) -> str:
    """The id every replay and every release gives the same thing: `<owner>-<uuid5 of kind and business key>`.

    `owner` is the two-letter prefix of the owning service; `key` is the business key of `docs/journey.md`, never a
    policy or a version.
    """
    name = sha1(_NAMESPACE.bytes + "\x1f".join((kind, *key)).encode(), usedforsecurity=False).digest()[:16]
    # As uuid.uuid5 does, without an object for each: version 5, and the variant of RFC 9562.
    bits = (int.from_bytes(name) & _FREE) | _VERSION_5
    text = f"{bits:032x}"
    return f"{owner}-{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def reference(resource: Resource) -> str:
    """`Type/id` of a resource."""
    return f"{resource['resourceType']}/{resource['id']}"


def versioned(resource: Resource) -> str:
    """`Type/id/_history/version` of a stored resource: what a decision names as its evidence."""
    return f"{reference(resource)}/_history/{resource['meta']['versionId']}"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, as one service takes it.

    kind       message (of another service), command (of a person or an outside client), answer (of an outside
               partner), wake (a timer that fell due).
    reason     the message's or command's or answer's name, or the key of the wake.
    lane       the patient lane it belongs to, `patient/<id>`: everything about one patient is decided in order.
    at         the instant this service first took it; stored, so a retry sees the same instant. The only clock.
    occurred   when it happened where it came from.
    resources  what it carries, already checked and with references in our own ids.
    focus      `Type/id` of what it is about.
    source     the producing service, client or channel.
    matched    ids of the resources whose current version a command names (If-Match): its word is the latest on them.
    """

    kind: Literal["message", "command", "answer", "wake"]
    reason: str
    lane: str
    at: datetime
    occurred: datetime
    resources: tuple[Resource, ...] = ()
    focus: str | None = None
    source: str = ""
    id: str = ""
    matched: frozenset[str] = frozenset()

    def of_type(self, *types: str) -> tuple[Resource, ...]:
        """The resources of these types, in the order they came."""
        return tuple(r for r in self.resources if r["resourceType"] in types)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a service now asserts.

    reason    one name from the service's `reasons`; `nothing-to-<verb>` when nothing changes.
    saves     resources of kinds the service owns, about one patient or none, whole, without `meta.versionId` and
              `meta.lastUpdated` (the run loop writes both). A save equal to what is stored changes nothing.
    wakes     named timers of this service and lane: an instant sets or replaces, None clears.
    refusals  the code of every rule that failed, not only the first.
    evidence  versioned references of the resources that proved the decision.
    focus     `Type/id` of the save the decision is about; the first save where None.
    rouses    lanes of other patients that must look again at once: each gets a wake named `ROUSED`.
    passes    an event decided in the same transaction, in the lane of another record of the same person: what came
              belongs there. Where that one is refused, nothing of this decision is kept. Never of a message, which is
              its own lane's.
    """

    reason: str
    saves: tuple[Resource, ...] = ()
    wakes: Mapping[str, datetime | None] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    focus: str | None = None
    rouses: frozenset[str] = frozenset()
    passes: Event | None = None


ROUSED = "roused"
"""The wake by which a decision about one patient reaches another: nothing of the other is saved beside it."""


@dataclass(frozen=True, slots=True)
class Needs:
    """A coordinator's answer when it may only decide while holding more lanes (`site/<id>/<YYYY-MM-DD>`)."""

    lanes: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Seat:
    """One unit of capacity: a chair or a nurse seat for one five-minute cell.

    `cell` is the number of the five-minute cell since 1970-01-01T00:00Z.
    """

    resource: str
    cell: int
    seat: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an outside partner said to one delivery: becomes an event of kind `answer` with this reason.

    lane        the lane it is decided in, where that is another than the delivery's: whose it is was only now learned.
    identities  (system, value, our id) by which `source` knows what came.
    source      the client on whose behalf the partner was asked; the channel where None.
    """

    reason: str
    resources: tuple[Resource, ...] = ()
    lane: str | None = None
    identities: tuple[tuple[str, str, str], ...] = ()
    source: str | None = None


class Doubtful(Exception):
    """The partner may or may not have taken it: nobody knows until it is asked, no sooner than `after_seconds` says."""

    def __init__(self, message: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class TryLater(Exception):
    """The partner has certainly not taken the delivery; `after_seconds` is its Retry-After, where it gave one."""

    def __init__(self, message: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


@dataclass(frozen=True, slots=True)
class Channel:
    """How resources of one kind reach one kind of outside partner.

    due      (before, after) -> the occurrence this save delivers ("1", "2", ...), or None when it delivers nothing.
             A delivery is made once per (channel, resource, occurrence).
    doubt    what happens after `Doubtful` or a lost process: `idempotent` sends the same again, `inquirable` asks with
             `inquire` first, `ask` opens a question to a person.
    send     gathers with the reader what it needs, calls the partner, returns its Answer.
             Raises Doubtful or TryLater. A refusal of the partner is an Answer.
    inquire  asks the partner by our own identifier; an Answer settles, None means "never seen": send again.
    """

    name: str
    due: Callable[[Resource | None, Resource], str | None]
    doubt: Literal["idempotent", "inquirable", "ask"]
    send: Callable[[Resource, Reader, Outside], Awaitable[Answer]]
    inquire: Callable[[Resource, Reader, Outside], Awaitable[Answer | None]] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A FHIR operation on one stored resource: `GET [base]/<kind>/<id>/$<code>`; it changes nothing.

    answer  what it says of the current version of the resource: a Parameters resource; pure.
    parts   (name, FHIR type, sentence) of each parameter of the answer; `a.b` is a part of `a`, whose type is "".
    """

    kind: str
    code: str
    title: str
    description: str
    answer: Callable[[Resource], Resource]
    parts: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """A figure beside an inquiry's answer: how many resources of the service have one value of a search parameter."""

    name: str
    kind: str
    parameter: str
    value: str


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A FHIR operation of the whole base, `POST [base]/$<code>`, answered from the Bundle it brings; it stores nothing.

    answer  (Bundle, parameters of the address, the service's policy, instant) -> a Parameters resource; pure. Raises
            ValueError with what would be right for a parameter that is wrong.
    asks    (name, FHIR type, sentence) of each parameter of the address.
    parts   of the answer, as an Operation's.
    tallies what the service has seen of the like, counted into the answer's parameter `experience`.
    """

    code: str
    title: str
    description: str
    answer: Callable[[Resource, Mapping[str, str], Any, datetime], Resource]
    asks: tuple[tuple[str, str, str], ...] = ()
    parts: tuple[tuple[str, str, str], ...] = ()
    tallies: Callable[[Resource], tuple[Tally, ...]] | None = None


class Gather(Protocol):
    """Reads a service's own store and returns its frozen facts for one event; `lanes` are the lanes held."""

    async def __call__(self, event: Event, reader: Reader, lanes: frozenset[str]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Service:
    """The declaration of one service: everything the runtime, the catalogue and the tests need to know of it.

    name           folder name, queue prefix, database schema.
    prefix         two letters that begin the ids of what it owns.
    owns           resource types it saves.
    listens        resource types of other services it keeps copies of and reacts to.
    reasons        reason -> `<kinds of its focus>: <when it is said>`, for every decision that saves something: the
                   message names.
    coordinate     (event, facts, policy) -> Decision | Needs; pure.
    gather         reads facts from the store, under the lanes held.
    policy         what `coordinate` gets as its third argument (figures and the site's configuration).
    channels       deliveries to outside partners.
    capacity       which seats a saved resource takes; () frees what it took.
    search         search parameters it answers: type -> parameter -> function giving the values.
    private        names among them that only its own decisions search by: no client is told of one or may ask by it.
    routes         builds the service's own HTTP operations (a FastAPI router) from its running handle.
    paths          beginnings of the paths those operations answer, so that other processes forward them here.
    door           set on the one service that takes in what outside clients send.
    profiles       kind -> `name|version` of the profile everything it saves declares and satisfies. A kind is a type,
                   or `Type#code` where the owner hangs on the code (`shared/borders.py`).
    reads          kind -> `name|major` of the profile in which it understands what others say; kinds it does not read
                   are not kept. A service of the runtime's own tests may leave both empty: then base R4 holds.
    operations     FHIR operations on what it owns.
    inquiries      FHIR operations that are answered from what they bring.
    asks           role a person must have to answer what goes wrong here.
    """

    name: str
    prefix: str
    owns: frozenset[str]
    listens: frozenset[str]
    reasons: Mapping[str, str]
    coordinate: Callable[[Event, Any, Any], Decision | Needs]
    gather: Gather
    policy: Any = None
    channels: tuple[Channel, ...] = ()
    capacity: Callable[[Resource], Sequence[Seat]] | None = None
    search: Mapping[str, Mapping[str, Callable[[Resource], Sequence[str]]]] = field(default_factory=dict)
    private: frozenset[str] = frozenset()
    routes: Callable[[Any], Any] | None = None
    paths: tuple[str, ...] = ()
    door: Door | None = None
    profiles: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    operations: tuple[Operation, ...] = ()
    inquiries: tuple[Inquiry, ...] = ()
    asks: str = "intake-coordinator"

"""What coordination needs from the outside world, as protocols; `adapters/` fills them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from shared.core import IDENTIFIERS, Resource, Seat

if TYPE_CHECKING:
    from shared.fhir.outcomes import Issue
    from shared.settings import Site


class Reader(Protocol):
    """Read access to one service's own store: its own resources and its copies of others'."""

    async def read(self, resource_id: str) -> Resource | None:
        """The current version of one resource by its id, or None."""

    async def several(self, ids: Iterable[str]) -> dict[str, Resource]:
        """The current versions of these resources, in the order asked for, by id; one that is not there is left out."""

    async def of_lane(self, lane: str, *types: str) -> list[Resource]:
        """Every current resource of one lane, of these types (all when none named), oldest first."""

    async def search(self, resource_type: str, parameter: str, value: str) -> list[Resource]:
        """Current resources of one type by one declared search parameter, exact match, oldest first."""

    async def count(self, resource_type: str, parameter: str, value: str) -> int:
        """How many current resources of one type have this value of a declared search parameter."""

    async def identified(self, client: str, system: str, value: str) -> str | None:
        """Our id for a foreign business identifier as this client knows it, or None."""

    async def taken(self, resources: Sequence[str], first_cell: int, last_cell: int) -> list[Seat]:
        """Seats already taken on these capacity resources, cells from first to last inclusive."""


class Outside(Protocol):
    """What a delivery may use to reach a partner."""

    site: Site

    @property
    def http(self) -> httpx.AsyncClient:
        """Client limited to the configured partner addresses; no redirects, no retries; 3 s connect, 15 s in all."""

    async def token(self, partner: str) -> str:
        """A bearer token of this partner by SMART Backend Services with our own key."""

    async def document(self, resource_id: str, lane: str) -> Resource | None:
        """A Binary of this lane that another of our own services holds; None where it has none. Raises TryLater."""

    def proof(self, audience: str) -> str:
        """A JWT by which a CDS service at this address knows us, good for one call (CDS Hooks 2.0)."""

    async def mail(self, message: EmailMessage) -> None:
        """Hands a mail to the practice's own server. Raises TryLater, Doubtful, or `mail.MailRefused`."""

    def now(self) -> datetime:
        """The instant of the attempt."""


class Conflict(Exception):
    """Another transaction changed what this one rests on, or took a seat it wants: decide again on fresh facts."""


class Unavailable(Exception):
    """An engine did not answer in time; whatever was asked may be asked again."""


Row = Sequence[Any]


class Transaction(Protocol):
    """One open transaction of one service's database.

    SQL is written once, in the dialect both engines share, with `$1` parameters; a list parameter is compared with
    `= any($1)`; row locks (`for update`, `skip locked`) fall away where a writer is alone.
    """

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query."""

    async def execute(self, sql: str, *values: Any) -> int:
        """Runs a statement; the number of rows it changed."""

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row], conflict: str = "") -> int:
        """Inserts rows in one statement, with an `on conflict ...` clause; the number inserted."""


class Database(Protocol):
    """One service's own database."""

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that commits at the end of the block and rolls back on any exception.

        Raises Conflict on a unique or serialization violation, Unavailable when the engine does not answer.
        """

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """A short read outside any lane."""

    async def hold(self, number: int) -> bool:
        """Takes the process-wide right to relay one partition, or says that another process has it."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as the relay hands it to the broker; `keys[0]` is the routing key, the others are CC."""

    id: str
    reason: str
    keys: tuple[str, ...]
    headers: Mapping[str, Any]
    body: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as a consumer gets it."""

    id: str
    reason: str
    headers: Mapping[str, Any]
    body: bytes
    redelivered: bool = False


Receive = Callable[[Sequence[Incoming]], Awaitable[None]]


class Unroutable(Exception):
    """No queue takes the message: the broker returned it."""


class Broker(Protocol):
    """Carries messages from outboxes to inboxes: at least once, in order per queue, nothing lost in silence."""

    async def publish(self, message: Outgoing) -> None:
        """Returns once the broker has taken the message for every queue that matches.

        Raises Unroutable when none matches; any other exception (Unavailable) means unknown: publish the same again.
        """

    async def subscribe(self, service: str, listens: frozenset[str], receive: Receive) -> None:
        """Feeds a service's partition queues to `receive`, in batches; acknowledged when it returns."""

    async def ready(self) -> bool:
        """Whether the broker can be reached now."""

    async def close(self) -> None:
        """Stops consuming, waits a bounded time for batches under way, closes."""


class Arrival(Protocol):
    """What came through the door, in our own ids: the lane it belongs to and where each Bundle entry went."""

    @property
    def lane(self) -> str: ...
    @property
    def resources(self) -> tuple[Resource, ...]: ...
    @property
    def entries(self) -> tuple[tuple[int, str], ...]: ...
    @property
    def identities(self) -> tuple[tuple[str, str, str], ...]: ...
    @property
    def focus(self) -> str | None: ...
    @property
    def reason(self) -> str: ...


EVENT_NUMBERS = IDENTIFIERS + "subscription-number "
"""Before a Subscription's address: the system under which the numbers of its events are remembered."""


class NoticedEvent(Protocol):
    """One event a notification tells of: `key` tells it from every other, `brought` are (full URL, resource)."""

    @property
    def number(self) -> int | None: ...
    @property
    def focus(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def brought(self) -> Sequence[tuple[str | None, Resource]]: ...


class Notification(Protocol):
    """A notification of a Subscription this practice has elsewhere; a handshake or heartbeat tells of no event."""

    @property
    def subscription(self) -> str: ...
    @property
    def events(self) -> Sequence[NoticedEvent]: ...
    @property
    def count(self) -> int | None: ...


class Door(Protocol):
    """How the service that takes in what outside clients send turns it into events of its own."""

    def resolved(self, bundle: Resource, client: str) -> Arrival | tuple[Issue, ...]:
        """A transaction Bundle with every reference in our ids, or what is wrong with it."""

    def single(self, resource: Resource, client: str) -> Arrival | tuple[Issue, ...]:
        """One resource posted alone, or what is wrong with it."""

    def message(self, bundle: Resource, client: str) -> Arrival | tuple[Issue, ...]:
        """A message Bundle, or every reason why it is not taken."""

    def message_id(self, bundle: Resource) -> str | None:
        """The id by which the sender of a message knows it."""

    def reply(self, message: str, client: str, base: str, focus: str | None, issues: Sequence[Issue] = ()) -> Resource:
        """The answer to a message, the same whenever it is given: `focus` is what it became, None refuses it."""

    def notification(self, bundle: Resource, client: str) -> Notification | tuple[Issue, ...]:
        """What a notification of a Subscription tells, or what is wrong with it."""

    def notified(self, notification: Notification, event: NoticedEvent, client: str) -> Arrival | tuple[Issue, ...]:
        """What one event of a notification brings, its number among the identities, or what is wrong with it."""

    def missed(self, subscription: str, since: int, until: int, client: str) -> Arrival:
        """Events of a Subscription that were never told of, from one number to another, both among them."""

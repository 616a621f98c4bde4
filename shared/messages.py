"""One decision as one FHIR message: how it is written, routed, and opened again at the other end."""

from __future__ import annotations

import json
import re
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from shared.borders import DECISION_MESSAGE, worded
from shared.clock import instant, stamp
from shared.core import CANONICAL, Decision, Resource, Service, reference
from shared.fhir.json import PARTS as OF_A_BODY
from shared.fhir.json import GateError, decode, encode
from shared.fhir.outcomes import Issue
from shared.ports import Incoming, Outgoing

EVENT = CANONICAL + "message/"
LIMIT = 1024 * 1024
"""A message travels whole up to this many bytes; a larger one as its header, and is fetched by its id."""
OPENED = 32 * 1024 * 1024
"""No decision is larger than this."""
PARTS = OF_A_BODY * 3 // 2
"""Parts of a decision: all of the largest body that is let in, and half as much again that is said about it."""
ISSUES = 20
"""Issues that are kept of a message that cannot be taken."""
_SMALL = 64 * 1024
"""Bytes of a message up to which the same one is kept decoded while others may hear it."""
LARGE = "large"
"""The header that says: this is only the MessageHeader, fetch the rest."""

BACKFILLED = "backfilled"
"""The run loop's own reason: the current versions of a lane, for one service that may have missed how they came."""
_EPOCH = 1 << 40
"""Messages a lane may say in one epoch."""

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_LANE = re.compile(r"[\x21-\x7e]{1,200}")
_VERSION = re.compile(r"\d{1,15}-\d{1,15}")
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Who owns, says and hears what, from the services' declarations."""

    services: tuple[Service, ...]

    def listening(self, producer: str, types: Iterable[str]) -> frozenset[str]:
        """The services that hear a message of these resource types."""
        wanted = set(types)
        return frozenset(s.name for s in self.services if s.name != producer and s.listens & wanted)

    def of(self, name: str) -> Service | None:
        """The service of this name."""
        return next((s for s in self.services if s.name == name), None)

    def says(self, producer: str, reason: str) -> bool:
        """Whether this service declares this reason."""
        service = self.of(producer)
        return service is not None and reason in service.reasons


@dataclass(frozen=True, slots=True)
class Cause:
    """How far one producer had spoken in a lane: the sequence of its latest message, and the latest each service hears.

    One id would not do: the latest message may be of a type a service does not hear, and an earlier one is not.
    """

    seq: int
    heard: Mapping[str, str]


Causes = dict[str, Cause]


def causes_json(causes: Mapping[str, Cause]) -> str:
    """Causes as header and column text: {producer: [seq, {service: message id}]}."""
    return json.dumps({p: [c.seq, dict(c.heard)] for p, c in sorted(causes.items())}, separators=(",", ":"))


def causes_of(text: str) -> Causes:
    """The causes a text of `causes_json` names. Raises ValueError or TypeError on any other text."""
    found = {}
    for producer, (seq, heard) in json.loads(text or "{}").items():
        found[str(producer)] = Cause(int(seq), {str(s): str(i) for s, i in heard.items()})
    return found


def merged(known: Causes, others: Causes) -> Causes:
    """The later cause of each producer."""
    both = dict(known)
    for producer, cause in others.items():
        if producer not in both or both[producer].seq < cause.seq:
            both[producer] = cause
    return both


def partition_of(lane: str, partitions: int) -> int:
    """The partition of a lane, the same in every process: crc32 modulo the number of partitions."""
    return zlib.crc32(lane.encode()) % partitions


def routing_keys(focus_type: str, types: Iterable[str], partition: int) -> tuple[str, ...]:
    """`<ResourceType>.p<N>` of the focus, then one CC key for each other type."""
    return tuple(f"{t}.p{partition}" for t in (focus_type, *sorted(set(types) - {focus_type})))


def following(seq: int, epoch: int) -> int:
    """The sequence of a lane's next message: one more, and in a new epoch above all that was said in earlier ones."""
    return max(seq, (epoch - 1) * _EPOCH) + 1


def address_of(service: str, partition: int) -> str:
    """The routing key of a message to one service alone."""
    return f"{service}.p{partition}"


def hearers(keys: Sequence[str], producer: str, catalogue: Catalogue) -> frozenset[str]:
    """The services whose queues take a message with these routing keys."""
    named = {key.rpartition(".")[0] for key in keys}
    return catalogue.listening(producer, named) | {s.name for s in catalogue.services if s.name in named}


def written(
    producer: str, message_id: str, decision: Decision, resources: Sequence[Resource], at: datetime
) -> Resource:
    """The message Bundle of one decision: MessageHeader first, then every resource it carries."""
    header = {
        "resourceType": "MessageHeader",
        "id": message_id,
        "eventUri": EVENT + decision.reason,
        "source": {"name": producer, "endpoint": f"{CANONICAL}service/{producer}"},
        "focus": [{"reference": decision.focus or reference(resources[0])}],
    }
    entries = [{"fullUrl": f"{CANONICAL}MessageHeader/{message_id}", "resource": header}]
    entries += [{"fullUrl": f"{CANONICAL}{reference(r)}", "resource": r} for r in resources]
    return {
        "resourceType": "Bundle",
        "id": message_id,
        "meta": {"profile": [DECISION_MESSAGE]},
        "type": "message",
        "timestamp": stamp(at),
        "entry": entries,
    }


@dataclass(frozen=True, slots=True)
class Letter:
    """An opened message: what the inbox stores and the run loop decides on.

    previous  per service that hears this message, the one it was to hear before in this lane.
    heard     the producer's latest message of the lane for each service that hears it, this one included.
    whole     False for the header of a large message, whose resources are still to be fetched.
    wrong     why it cannot be taken although it could be read.
    """

    id: str
    producer: str
    lane: str
    seq: int
    reason: str
    focus: str | None
    occurred: datetime
    resources: tuple[Resource, ...]
    causes: Causes
    previous: Mapping[str, str]
    heard: Mapping[str, str]
    trace: str
    whole: bool = True
    wrong: Malformed | None = None

    @property
    def cause(self) -> Cause:
        """What a decision on this message rests on."""
        return Cause(self.seq, self.heard)


class Malformed(Exception):
    """A message that cannot be taken: `reason` is what it is parked with, `letter` what could be read of it."""

    def __init__(self, reason: str, letter: Letter | None = None, issues: Sequence[Issue] = ()) -> None:
        super().__init__(reason)
        self.reason, self.letter, self.issues = reason, letter, tuple(issues)

    @property
    def problem(self) -> str:
        """Reason and issues as one line, without a value of a patient."""
        listed = "; ".join(worded(self.issues, ISSUES))
        return f"{self.reason}: {listed}" if listed else self.reason


def opened(message: Incoming, catalogue: Catalogue) -> Letter:
    """Checks envelope and Bundle against the catalogue.

    Raises Malformed with the reason `malformed`, `wrong-producer` or `unknown-type`; never with a value.
    """
    try:
        letter = _read(message)
    except (GateError, LookupError, TypeError, ValueError, OverflowError, AttributeError, RecursionError):
        raise Malformed("malformed") from None
    service = catalogue.of(letter.producer)
    if service is None or any(not _owned(r, service) for r in letter.resources):
        raise Malformed("wrong-producer")
    if letter.reason not in (*service.reasons, BACKFILLED) or message.reason != letter.reason:
        raise Malformed("unknown-type", letter)
    return letter


def _read(message: Incoming) -> Letter:
    headers = {str(k): v for k, v in message.headers.items()}
    bundle = _decoded(message.body) if len(message.body) <= _SMALL else _read_anew(message.body)
    header, *resources = [e["resource"] for e in bundle["entry"]]
    occurred, seq = instant(bundle["timestamp"]), int(headers["seq"])
    ids = [r["id"] for r in resources]
    whole = LARGE not in headers
    right = (
        bundle["type"] == "message" and header["resourceType"] == "MessageHeader" and header["id"] == message.id,
        occurred.tzinfo is not None and 0 < seq < 2**62,
        _LANE.fullmatch(headers["lane"]) and all(_ID.fullmatch(i) for i in (message.id, *ids)),
        all(_VERSION.fullmatch(r["meta"]["versionId"]) and str.isalpha(r["resourceType"]) for r in resources),
        len(set(ids)) == len(ids) and whole == bool(ids),
    )
    if not all(right):
        raise ValueError("malformed")
    trace = str(headers.get("traceparent", ""))
    return Letter(
        message.id, str(headers["producer"]), headers["lane"], seq, str(header["eventUri"]).removeprefix(EVENT),
        header["focus"][0]["reference"], occurred, tuple(resources), causes_of(str(headers.get("causes", "{}"))),
        ids_of(headers.get("previous", "{}")), ids_of(headers.get("heard", "{}")),
        trace if _TRACE.fullmatch(trace) else "", whole,
    )  # fmt: skip


def _read_anew(body: bytes) -> Resource:
    return decode(body, limit=OPENED, parts=PARTS, listed=0)


_decoded = lru_cache(64)(_read_anew)
"""A message that several services of this process hear is read once; what is no message is read anew."""


def ids_of(text: Any) -> dict[str, str]:
    """{service: message id} of a header."""
    return {str(service): str(id_) for service, id_ in json.loads(text).items()}


def _owned(resource: Resource, service: Service) -> bool:
    return resource["resourceType"] in service.owns and resource["id"].startswith(f"{service.prefix}-")


def new_trace(seed: str) -> str:
    """A W3C traceparent for a journey that begins here."""
    return f"00-{uuid.uuid5(uuid.NAMESPACE_URL, seed).hex}-{uuid.uuid5(uuid.NAMESPACE_OID, seed).hex[:16]}-01"


def headers_of(
    producer: str, lane: str, seq: int, epoch: int, causes: Causes, previous: Mapping[str, str],
    heard: Mapping[str, str], trace: str,
) -> dict[str, Any]:  # fmt: skip
    """The AMQP headers of one message: opaque keys and ordinals only."""
    return {
        "producer": producer,
        "lane": lane,
        "seq": seq,
        "epoch": epoch,
        "causes": causes_json({p: c for p, c in causes.items() if p != producer}),
        "previous": json.dumps(previous, separators=(",", ":")),
        "heard": json.dumps(heard, separators=(",", ":")),
        "traceparent": trace,
    }


def outgoing(row: tuple[str, str, str, str, str]) -> Outgoing:
    """An outbox row (id, reason, keys, headers, body) as the broker gets it."""
    message_id, reason, keys, headers, body = row
    content, named = body.encode(), json.loads(headers)
    if len(content) > LIMIT:
        content, named = _header_alone(content), {**named, LARGE: "yes"}
    return Outgoing(message_id, reason, tuple(json.loads(keys)), named, content)


def _header_alone(body: bytes) -> bytes:
    """A large message as its MessageHeader, whose focus names every resource with its version."""
    bundle = decode(body, limit=OPENED, parts=None)
    header, *resources = [e["resource"] for e in bundle["entry"]]
    named = [{"reference": f"{reference(r)}/_history/{r['meta']['versionId']}"} for r in resources]
    header = {**header, "focus": [*header["focus"], *named]}
    return encode({**bundle, "entry": [{**bundle["entry"][0], "resource": header}]})

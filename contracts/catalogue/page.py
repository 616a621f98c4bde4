"""The catalogue as a page for readers: who says what and when, what it is about, and who hears it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from contracts.catalogue import schemas
from contracts.catalogue.declarations import Said, hearing, kinds_of, readers_of, said_by
from shared.core import Service

MAP = "messages.svg"
_HEAD = "<!-- Made by `python -m contracts.catalogue` from the services' declarations; do not edit. -->"
_INTRODUCTION = f"""\
# Messages: who says what, and who hears it

![Who sends what to whom]({MAP})

One decision of one service is one message: a FHIR Bundle of type `message`, MessageHeader first (`eventUri` names the
message, `focus` what it is about), then every resource the decision saved, each declaring its profile. A message of a
service may therefore carry any kind that service saves. Whoever reads the focus is named first below; *in italics*, who
reads only other kinds the message may carry.

The same as AsyncAPI: [`asyncapi.yaml`](asyncapi.yaml); as FHIR: [`capability/`](capability). How the words fit
together: [`docs/journey.md`](../docs/journey.md).
"""
_ON_THE_WIRE = """\
## On the wire

Exchange `fhir` (durable topic). Routing key: type of the focus and partition, as in `Appointment.p7`; as CC one key for
each other type inside. A service has one queue for each partition, `<service>.p<N>`, bound by the types it reads, and
`<service>.parked` for what the broker could not hand over. `message_id` is the Bundle's id and the same on every retry;
`type` is the message's name; content type `application/fhir+json`.
"""


def page(services: Sequence[Service]) -> str:
    """The whole page in Markdown."""
    parts = [_HEAD, _INTRODUCTION, *(_chapter(s, services) for s in services), _ON_THE_WIRE + "\n" + _headers()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _chapter(service: Service, services: Sequence[Service]) -> str:
    """One service: what it says, and what it saves."""
    said = _table(("message", "said when", "focus", "heard by"), (_message(m, services) for m in said_by(service)))
    saves = _table(("kind", "profile", "read by"), (_kind(service, k, services) for k in kinds_of(service)))
    beside = [f"Ids begin with `{service.prefix}-`; what waits for a person goes to the role `{service.asks}`."]
    if service.channels:
        beside.append(f"Delivers to the outside: {_codes(sorted(c.name for c in service.channels))}.")
    return "\n\n".join(
        [f"## {service.name}", " ".join(beside), said, "It saves, and may carry in any of these:", saves]
    )


def _message(said: Said, services: Sequence[Service]) -> Iterator[str]:
    yield f"`{said.reason}`"
    yield said.when
    yield "any" if set(said.focus) == set(kinds_of(said.producer)) else _codes(said.focus)
    heard = hearing(services, said)
    itself = ["itself"] if set(said.focus) <= set(said.producer.reads) else []
    yield ", ".join([*heard.focus, *itself, *(f"*{name}*" for name in heard.rest)]) or "no one"


def _kind(service: Service, kind: str, services: Sequence[Service]) -> Iterator[str]:
    yield f"`{kind}`"
    name, _, version = service.profiles.get(kind, "").partition("|")
    yield f"`{name}` {version}" if name else "base R4"
    yield ", ".join([*readers_of(services, service, kind), *(["itself"] if kind in service.reads else [])]) or "no one"


def _headers() -> str:
    rows = ((f"`{name}`", str(schema["description"])) for name, schema in schemas.HEADERS.items())
    return _table(("header", ""), rows)


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(titles: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

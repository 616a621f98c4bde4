"""Reads a notification of a Subscription (R5 Backport on R4): which events it tells of, and what it brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.intake.doors.entries import RECEIVED, names
from services.intake.doors.shapes import ORDERS, Named, kind_of_address
from shared.core import Resource
from shared.fhir.outcomes import Issue
from shared.fhir.references import references

SILENT = frozenset({"handshake", "heartbeat", "query-status"})
"""Notifications that tell of no event."""
_NO_STATUS = "A Bundle of type history whose first entry is the status of the Subscription would be right"
_NOT_THEIRS = "A record of the sender's own system, as this practice has it configured, would be right"


@dataclass(frozen=True, slots=True)
class NoticedEvent:
    """One event: its number, the address of what it is about, and the records that came with it.

    `key` tells this event from every other: number, time and address.
    """

    number: int | None
    focus: str
    key: str
    brought: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class Notification:
    """What a notification says; `count` is how many events there were since the Subscription began."""

    subscription: str
    kind: str
    events: tuple[NoticedEvent, ...] = ()
    count: int | None = None
    numbers: tuple[int, ...] = field(default=())


def notification_of(bundle: Resource, base: str | None) -> Notification | tuple[Issue, ...]:
    """A notification, or every reason why it is none of a system of this client's."""
    status = _status(bundle)
    subscription = (status.get("subscription") or {}).get("reference", "")
    kind = str(status.get("type", ""))
    if bundle.get("type") != "history" or not subscription or not kind:
        return (Issue("structure", "Bundle", _NO_STATUS),)
    if kind in SILENT:
        return Notification(subscription, kind, count=_number(status.get("eventsSinceSubscriptionStart")))
    if kind != "event-notification":
        return (Issue("not-supported", "Bundle.entry[0].resource", "handshake, heartbeat or event-notification"),)
    if base is None:
        return (Issue("not-supported", "Bundle", "a client whose own system this practice may read would be right"),)
    events = tuple(_events(status, bundle, base))
    issues = tuple(
        Issue("value", "Bundle.entry[0].resource", _NOT_THEIRS)
        for e in events
        if kind_of_address(e.focus, base) not in RECEIVED
    )
    numbers = tuple(sorted(e.number for e in events if e.number is not None))
    count = _number(status.get("eventsSinceSubscriptionStart"))
    return issues or Notification(_absolute(subscription, base), kind, events, count, numbers)


def _status(bundle: Resource) -> Mapping[str, Any]:
    """The status of the Subscription, in the words of R4B's SubscriptionStatus."""
    match bundle.get("entry"):
        case [{"resource": {"resourceType": "Parameters"} as parameters}, *_]:
            return _of_parameters(parameters.get("parameter", ()))
    return {}


def _of_parameters(parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    single = {str(p.get("name")): _value(p) for p in parameters}
    events = [{str(q.get("name")): _value(q) for q in p.get("part", ())} for p in parameters if _is_event(p)]
    return {
        "subscription": single.get("subscription"),
        "type": single.get("type"),
        "eventsSinceSubscriptionStart": single.get("events-since-subscription-start"),
        "notificationEvent": [{**e, "eventNumber": e.get("event-number")} for e in events],
    }


def _is_event(parameter: Mapping[str, Any]) -> bool:
    return parameter.get("name") == "notification-event"


def _value(parameter: Mapping[str, Any]) -> Any:
    return next((v for k, v in parameter.items() if k.startswith("value")), None)


def _events(status: Mapping[str, Any], bundle: Resource, base: str) -> Iterator[NoticedEvent]:
    brought = [(e.get("fullUrl"), e["resource"]) for e in bundle["entry"][1:] if "resource" in e]
    for event in status.get("notificationEvent", ()):
        focus = _absolute(str((event.get("focus") or {}).get("reference", "")), base)
        number = _number(event.get("eventNumber"))
        key = f"{number}#{event.get('timestamp', '')}#{focus}"
        yield NoticedEvent(number, focus, key, tuple(_belonging(focus, brought, base)))


def _absolute(text: str, base: str) -> str:
    plain = text.partition("/_history/")[0]
    return plain if plain.startswith(("http://", "https://")) else f"{base}/{plain}"


def _belonging(focus: str, brought: Sequence[Named], base: str) -> Iterator[Named]:
    """The focus and what it rests on, of all that a notification brings; nothing where the focus did not come."""
    known = {_absolute(n, base): e for e in brought for n in names({"fullUrl": e[0]})}
    taken, open_ = dict[str, Named](), [focus]
    while open_:
        address = open_.pop()
        if address in known and address not in taken:
            taken[address] = known[address]
            open_ += [_absolute(text, base) for _, text in references(known[address][1]) if not text.startswith("#")]
    if focus not in taken:
        return
    found = list({id(e[1]): e for e in taken.values()}.values())
    yield from found
    patients = {_absolute(text, base) for e in found for _, text in references(e[1]) if "Patient/" in text}
    for url, resource in brought:
        subjects = {_absolute(text, base) for _, text in references(resource)} & patients
        rest = resource["resourceType"] not in ORDERS and not any(resource is r for _, r in found)
        if rest and subjects:
            yield url, resource


def _number(value: Any) -> int | None:
    """A number of events: a string in R4's Parameters."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

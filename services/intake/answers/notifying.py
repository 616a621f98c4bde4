"""Says a change of a referral as a notification: Subscriptions R5 Backport on R4, id-only or with the Task inside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from services.intake.answers.numbering import TOPIC, event_number, last_number, subscription_id
from services.intake.answers.telling import OpenAnswer, client_of
from shared.core import Resource
from shared.settings import Partner

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer, the subscription it is told by, and who takes it; `address` is where we are reached."""

    answer: OpenAnswer
    subscription: Resource
    partner: Partner
    address: str

    @property
    def place(self) -> str:
        """The address of the subscription."""
        return f"{self.address}/fhir/Subscription/{subscription_of(self.answer)}"


def subscription_of(answer: OpenAnswer) -> str:
    """The id of the subscription an answer is told by."""
    return subscription_id(client_of(answer.communication))


def handshake(asked: Asked, at: datetime) -> Resource:
    """What is asked before the first notification: whether the endpoint takes any."""
    told = [_part("events-since-subscription-start", valueString=str(_before(asked)))]
    return _bundle(asked, "handshake", "requested", at.isoformat(timespec="milliseconds"), told, ())


def notification(asked: Asked) -> Resource:
    """One change of one referral, numbered in the placer's own sequence; the same each time it is sent."""
    task, number = asked.answer.task, str(event_number(asked.answer.communication))
    url, at = f"{asked.address}/fhir/Task/{task['id']}", task["meta"]["lastUpdated"]
    event = [
        _part("event-number", valueString=number),
        _part("timestamp", valueInstant=at),
        _part("focus", valueReference={"reference": url}),
    ]
    told = [
        _part("events-since-subscription-start", valueString=number),
        {"name": "notification-event", "part": event},
    ]
    entry: dict[str, Any] = {"fullUrl": url, "request": {"method": "PUT", "url": f"Task/{task['id']}"}}
    entry["response"] = {"status": "200"}
    if asked.partner.content == "full-resource":
        entry["resource"] = task
    return _bundle(asked, f"event-{number}", "active", at, told, (entry,))


def _before(asked: Asked) -> int:
    """How many events there were before the first one that is told now."""
    number = event_number(asked.answer.communication)
    return (number if number is not None else last_number(asked.subscription) + 1) - 1


def _bundle(
    asked: Asked, name: str, status: str, at: str, told: list[dict[str, Any]], events: tuple[dict[str, Any], ...]
) -> Resource:
    kind = "handshake" if name == "handshake" else "event-notification"
    number = str(uuid5(NAMESPACE_URL, f"{asked.place}/{name}"))
    parameters = {
        "resourceType": "Parameters",
        "id": number,
        "meta": {"profile": [BACKPORT + "backport-subscription-status-r4"]},
        "parameter": [
            _part("subscription", valueReference={"reference": asked.place}),
            _part("topic", valueCanonical=TOPIC),
            _part("status", valueCode=status),
            _part("type", valueCode=kind),
            *told,
        ],
    }
    first = {
        "fullUrl": f"urn:uuid:{number}",
        "resource": parameters,
        "request": {"method": "GET", "url": f"{asked.place}/$status"},
        "response": {"status": "200"},
    }
    return {
        "resourceType": "Bundle",
        "id": number,
        "meta": {"profile": [BACKPORT + "backport-subscription-notification-r4"]},
        "type": "history",
        "timestamp": at,
        "entry": [first, *events],
    }


def _part(name: str, **value: Any) -> dict[str, Any]:
    return {"name": name, **value}

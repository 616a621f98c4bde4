"""How a payer tells of a decision after a pend: one Subscriptions R5 Backport notification per event, full resource."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from partners.clock import instant

TOPIC = "http://hl7.org/fhir/us/davinci-pas/SubscriptionTopic/PASSubscriptionTopic"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"


def notification(
    answer: dict[str, Any], *, event: int, at: datetime, base: str, subscription: str = "pas"
) -> dict[str, Any]:
    """The history Bundle: subscription status first, then the whole PAS response Bundle, as the guide's example has it.

    `event` counts from 1 for one payer; `base` is the payer's own address.
    """
    told = f"{base}/Subscription/{subscription}"
    focus = f"{base}/Bundle/{answer['id']}"
    return {
        "resourceType": "Bundle",
        "id": f"notification-{event}",
        "meta": {"profile": [BACKPORT + "backport-subscription-notification-r4"]},
        "type": "history",
        "timestamp": instant(at),
        "entry": [
            _entry(f"{base}/Parameters/status-{event}", _status(told, focus, event, at), f"{told}/$status"),
            _entry(focus, answer, focus),
        ],
    }


def handshake(*, events: int, at: datetime, base: str, subscription: str) -> dict[str, Any]:
    """The first notification of a Subscription: that it is about to be active."""
    told = f"{base}/Subscription/{subscription}"
    status = {
        "resourceType": "Parameters",
        "id": f"handshake-{subscription}",
        "meta": {"profile": [BACKPORT + "backport-subscription-status-r4"]},
        "parameter": [
            {"name": "subscription", "valueReference": {"reference": told}},
            {"name": "topic", "valueCanonical": TOPIC},
            {"name": "status", "valueCode": "requested"},
            {"name": "type", "valueCode": "handshake"},
            {"name": "events-since-subscription-start", "valueString": str(events)},
        ],
    }
    return {
        "resourceType": "Bundle",
        "type": "history",
        "timestamp": instant(at),
        "entry": [_entry(f"{base}/Parameters/handshake-{subscription}", status, f"{told}/$status")],
    }


def _entry(url: str, resource: dict[str, Any], asked: str) -> dict[str, Any]:
    return {
        "fullUrl": url,
        "resource": resource,
        "request": {"method": "GET", "url": asked},
        "response": {"status": "200"},
    }


def _status(subscription: str, focus: str, event: int, at: datetime) -> dict[str, Any]:
    """Parameters of the subscription status; numbers are strings, as R4 has no 64-bit integer."""
    told = [
        {"name": "event-number", "valueString": str(event)},
        {"name": "timestamp", "valueInstant": instant(at)},
        {"name": "focus", "valueReference": {"reference": focus}},
    ]
    return {
        "resourceType": "Parameters",
        "id": f"status-{event}",
        "meta": {"profile": [BACKPORT + "backport-subscription-status-r4"]},
        "parameter": [
            {"name": "subscription", "valueReference": {"reference": subscription}},
            {"name": "topic", "valueCanonical": TOPIC},
            {"name": "status", "valueCode": "active"},
            {"name": "type", "valueCode": "event-notification"},
            {"name": "events-since-subscription-start", "valueString": str(event)},
            {"name": "notification-event", "part": told},
        ],
    }

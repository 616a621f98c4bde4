"""Notifications an EHR sends of its Subscription, in R4 (R5 Backport): empty of events, id-only or full-resource."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

SUBSCRIPTION = "Subscription/referrals"
TOPIC = "https://ehr.mercy.example/topics/referral"

Event = tuple[int, str, str]
"""Number, instant, and `Type/id` of what it is about."""


class Wanted(BaseModel):
    """The body of `POST debug/notify`: what to send where; `focus` empty tells of no event, `lost` sends nothing."""

    to: str
    bearer: str
    kind: Literal["handshake", "heartbeat", "event-notification"] = "event-notification"
    focus: list[str] = Field(default_factory=list)
    content: Literal["id-only", "full-resource"] = "id-only"
    with_records: list[str] = Field(default_factory=list)
    number: int | None = None
    at: str | None = None
    lost: bool = False


def notification(
    base: str, kind: str, events: Sequence[Event], count: int, brought: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """One notification; `brought` are the records of a full-resource one."""
    full = {f"{r['resourceType']}/{r['id']}": r for r in brought}
    own = [{"fullUrl": f"{base}/{focus}", **_sent(focus, full.get(focus))} for _, _, focus in events]
    beside = [{"fullUrl": f"{base}/{p}", **_sent(p, r)} for p, r in full.items() if p not in {e[2] for e in events}]
    return {"resourceType": "Bundle", "type": "history", "entry": [_status(base, kind, events, count), *own, *beside]}


def _sent(place: str, resource: Mapping[str, Any] | None) -> dict[str, Any]:
    request = {"method": "PUT", "url": place}
    return {**({"resource": resource} if resource else {}), "request": request, "response": {"status": "200"}}


def _status(base: str, kind: str, events: Sequence[Event], count: int) -> dict[str, Any]:
    said: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": f"{base}/{SUBSCRIPTION}"}},
        {"name": "topic", "valueCanonical": TOPIC},
        {"name": "status", "valueCode": "requested" if kind == "handshake" else "active"},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(count)},
    ]
    said += [{"name": "notification-event", "part": _event(base, event)} for event in events]
    return {
        "fullUrl": f"urn:uuid:{uuid.uuid4()}",
        "resource": {"resourceType": "Parameters", "parameter": said},
        "request": {"method": "GET", "url": f"{base}/{SUBSCRIPTION}/$status"},
        "response": {"status": "200"},
    }


def _event(base: str, event: Event) -> list[dict[str, Any]]:
    number, at, focus = event
    return [
        {"name": "event-number", "valueString": str(number)},
        {"name": "timestamp", "valueInstant": at},
        {"name": "focus", "valueReference": {"reference": f"{base}/{focus}"}},
    ]

"""Notifications of a Subscription: what they tell of, what they bring, and what is none of the client's system."""

from __future__ import annotations

from typing import Any

import pytest

from services.intake.doors.bundles import Arrival
from services.intake.doors.door import Doors
from services.intake.doors.subscriptions import Notification, notification_of
from services.intake.pulls.provisional import is_pull, wanted_of
from shared.settings import Site
from tests.services.intake.system import BASE, of_type, records

CLIENT = "mercy-ehr"
STATUS = "urn:uuid:292d3c72-edc1-4d8a-afaa-d85e19c7f563"


def told(kind: str, *focuses: str, first: int = 1, brought: Any = ()) -> dict[str, Any]:
    """A notification; `brought` are records with their places."""
    parameters: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": f"{BASE}/Subscription/referrals"}},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(first + len(focuses) - 1)},
    ]
    for number, focus in enumerate(focuses, first):
        parts = [
            {"name": "event-number", "valueString": str(number)},
            {"name": "timestamp", "valueInstant": "2026-11-21T10:00:00Z"},
            {"name": "focus", "valueReference": {"reference": focus}},
        ]
        parameters.append({"name": "notification-event", "part": parts})
    done = {"request": {"method": "GET", "url": "Subscription/referrals/$status"}, "response": {"status": "200"}}
    status = {"fullUrl": STATUS, "resource": {"resourceType": "Parameters", "parameter": parameters}, **done}
    entries = [{"fullUrl": f"{BASE}/{place}", "resource": r, **done} for place, r in dict(brought).items()]
    return {"resourceType": "Bundle", "type": "history", "entry": [status, *entries]}


def heard(bundle: dict[str, Any]) -> Notification:
    found = notification_of(bundle, BASE)
    assert isinstance(found, Notification), found
    return found


@pytest.mark.parametrize("kind", ["handshake", "heartbeat"])
def test_a_handshake_and_a_heartbeat_tell_of_no_event_even_where_nothing_may_be_read(kind: str) -> None:
    found = notification_of(told(kind, first=7), None)
    assert isinstance(found, Notification)
    assert (found.events, found.count) == ((), 6)


def test_an_id_only_event_is_an_address_to_read(site: Site) -> None:
    notification = heard(told("event-notification", f"{BASE}/ServiceRequest/7", first=4))
    [event] = notification.events
    arrival = Doors(site).notified(notification, event, CLIENT)
    assert isinstance(arrival, Arrival)
    [pull] = arrival.resources
    assert is_pull(pull)
    assert wanted_of(pull) == (f"{BASE}/ServiceRequest/7",)
    assert any(value == "4" for _, value, _ in arrival.identities)
    assert (event.number, arrival.reason) == (4, "pull-wanted")


def test_a_full_event_is_the_push_of_the_same_records(site: Site, example: Any) -> None:
    doors, held = Doors(site), records(example("iron-meets-criteria"))
    focus = f"{BASE}/Task/{of_type(held, 'Task')['id']}"
    notification = heard(told("event-notification", focus, brought=held))
    arrival = doors.notified(notification, notification.events[0], CLIENT)
    pushed = doors.resolved(example("iron-meets-criteria"), CLIENT)
    assert isinstance(arrival, Arrival)
    assert isinstance(pushed, Arrival)
    assert arrival.lane == pushed.lane
    assert {r["id"] for r in arrival.resources} == {r["id"] for r in pushed.resources}


def test_two_events_of_two_patients_bring_each_its_own_records(site: Site, example: Any) -> None:
    first, second = records(example("iron-meets-criteria")), records(example("infliximab-pended"))
    renamed = {p.replace("/r", "/s"): _renamed(r) for p, r in second.items()}
    focuses = [f"{BASE}/{next(p for p in held if p.startswith('Task/'))}" for held in (first, renamed)]
    notification = heard(told("event-notification", *focuses, brought=first | renamed))
    arrivals = [Doors(site).notified(notification, e, CLIENT) for e in notification.events]
    lanes = [a.lane for a in arrivals if isinstance(a, Arrival)]
    assert len(set(lanes)) == 2


def _renamed(value: Any) -> Any:
    """The records of a second patient beside the first: their ids begin otherwise."""
    if isinstance(value, dict):
        inner = {k: _renamed(v) for k, v in value.items()}
        named = isinstance(inner.get("reference"), str)
        inner |= {"reference": inner["reference"].replace("/r", "/s")} if named else {}
        return inner | ({"id": inner["id"].replace("r", "s", 1)} if str(inner.get("id", "")).startswith("r") else {})
    return [_renamed(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("bundle", "base", "code"),
    [
        ({"resourceType": "Bundle", "type": "history", "entry": []}, BASE, "structure"),
        (told("event-notification", f"{BASE}/Task/1") | {"type": "transaction"}, BASE, "structure"),
        (told("subscription-ended"), BASE, "not-supported"),
        (told("event-notification", f"{BASE}/Task/1"), None, "not-supported"),
        (told("event-notification", "http://169.254.169.254/fhir/Task/1"), BASE, "value"),
        (told("event-notification", f"{BASE}.evil.test/Task/1"), BASE, "value"),
        (told("event-notification", f"{BASE}/Claim/1"), BASE, "value"),
    ],
)
def test_what_is_no_notification_of_the_clients_own_system_is_refused(bundle: Any, base: Any, code: str) -> None:
    issues = notification_of(bundle, base)
    assert isinstance(issues, tuple)
    assert {i.code for i in issues} == {code}


def test_a_repeated_event_has_the_same_key_and_another_time_or_thing_another(site: Site) -> None:
    def key(first: int, focus: str) -> str:
        return heard(told("event-notification", f"{BASE}/{focus}", first=first)).events[0].key

    assert key(1, "Task/1") == key(1, "Task/1")
    assert len({key(1, "Task/1"), key(2, "Task/1"), key(1, "Task/2")}) == 3


def test_events_that_were_missed_are_asked_for_by_their_numbers(site: Site) -> None:
    arrival = Doors(site).missed(f"{BASE}/Subscription/referrals", 4, 6, CLIENT)
    [address] = wanted_of(arrival.resources[0])
    assert address == f"{BASE}/Subscription/referrals/$events?eventsSinceNumber=4&eventsUntilNumber=6"
    numbers = {value for system, value, _ in arrival.identities if "subscription-number" in system}
    assert numbers == {"4", "5", "6"}

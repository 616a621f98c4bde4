"""Whatever valid R4 a referrer sends, intake and scheduling decide it without raising, and decide it once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.doors import bundles
from shared.core import CANONICAL, Event, Resource, reference
from shared.fhir.profiles import r4
from tests.services.scheduling.patient import World, authorization, benefit

NAMES = ("iron-meets-criteria", "infliximab-pended", "denied", "incomplete")
DATES = (
    "2026", "2026-11", "2026-12-01", "9999-12-31", "0001-01-01", "2016-12-31T23:59:60Z", "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+14:00", "2026-11-30T23:30:00.1234567-06:00",
)  # fmt: skip
DATED = ("start", "end", "authoredOn", "effectiveDateTime", "dateTime", "event", "date", "recordedDate", "issued")
STATUSES = ("draft", "active", "on-hold", "completed", "entered-in-error", "unknown", "stopped", "cancelled", "final")
ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
some = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))

Place = tuple[Any, Any]
"""A container and the key or index of an element in it."""


def places(value: Any) -> Iterator[Place]:
    """Every element of a resource."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from places(inner)


def dropped(draw: Callable[[Any], Any], container: Any, key: Any) -> None:
    del container[key]


def repeated(draw: Callable[[Any], Any], container: Any, key: Any) -> None:
    if isinstance(container[key], list):
        container[key].append(deepcopy(container[key][0]))


def turned(draw: Callable[[Any], Any], container: Any, key: Any) -> None:
    if isinstance(container[key], list):
        container[key].reverse()


def absent(draw: Callable[[Any], Any], container: Any, key: Any) -> None:
    if isinstance(container, dict) and not isinstance(container[key], dict | list) and not key.startswith("_"):
        del container[key]
        container["_" + key] = deepcopy(ABSENT)
    elif isinstance(container, dict) and isinstance(container[key], list) and isinstance(container[key][0], str):
        container["_" + key] = [deepcopy(ABSENT), *([None] * (len(container[key]) - 1))]
        container[key][0] = None


def changed(draw: Callable[[Any], Any], container: Any, key: Any) -> None:
    match container[key]:
        case str() if key in DATED or (isinstance(container, list) and isinstance(container[key], str)):
            container[key] = draw(st.sampled_from(DATES))
        case str() if key == "status":
            container[key] = draw(st.sampled_from(STATUSES))
        case str():
            container[key] = draw(st.sampled_from(["", "order", "proposal", "x", "[lb_av]", "2026-12-01"])) or "x"
        case bool():
            container[key] = not container[key]
        case int() | Decimal():
            container[key] = draw(st.sampled_from([0, 1, 2, 60, 61, 10**9, Decimal("0.5"), Decimal("1E+3"), -1]))


CHANGES = (dropped, repeated, turned, absent, changed)


@pytest.mark.slow
@some
@given(name=st.sampled_from(NAMES), data=st.data())
def test_valid_resources_never_break_a_decision(
    name: str, data: st.DataObject, desk: Any, example: Any, site: Any
) -> None:
    desk.held = {}
    pushed = example(name)
    resources = [e["resource"] for e in pushed["entry"]]
    for _ in range(data.draw(st.integers(1, 4))):
        resource = data.draw(st.sampled_from(resources))
        container, key = data.draw(st.sampled_from([p for p in places(resource) if p[1] != "resourceType"]))
        before = deepcopy(resource)
        data.draw(st.sampled_from(CHANGES))(data.draw, container, key)
        if r4().check({**resource, "id": "x"}):
            resource.clear()
            resource.update(before)
    arrival = bundles.resolved(pushed, "mercy-ehr")
    if not isinstance(arrival, bundles.Arrival):
        return
    desk.lane = arrival.lane
    desk.push(deepcopy(pushed))
    assert desk.push(deepcopy(pushed)).saves == ()
    assert desk.hear().reason == "nothing-to-change"
    told = desk.hear(*_scheduled(site, desk))
    assert desk.hear().saves == (), told.reason


def _scheduled(site: Any, desk: Any) -> tuple[Resource, ...]:
    """What scheduling makes of all that intake holds once the payer has approved; made again, it is nothing."""
    world = World(replace(site, pharmacy=None))
    orders = [o for o in desk.all("ServiceRequest") if o.get("intent") == "filler-order"]
    payers = [about(o) for o in orders for about in (_approved, _covered)]
    for resources in (tuple(desk.held.values()), tuple(payers), ()):
        event = Event("message", "told", desk.lane, desk.at, desk.at, resources)
        decision = asyncio.run(world.take(event))
    assert decision.saves == ()
    return tuple(r for r in world.resources.values() if r["id"].startswith("sc-"))


def _approved(order: Resource) -> Resource:
    about = {"basedOn": [{"reference": reference(order)}], "focus": {"reference": reference(order)}}
    return authorization("approved") | about | {"id": f"au-task-{order['id']}", "for": order["subject"]}


def _covered(order: Resource) -> Resource:
    insurance = [{"coverage": i, "inforce": True} for i in order.get("insurance", ())]
    named = [{"url": f"{CANONICAL}StructureDefinition/order", "valueReference": {"reference": reference(order)}}]
    return benefit() | {"id": f"au-benefit-{order['id']}", "extension": named, "insurance": insurance}

"""Legal R4 of any shape is decided on without an error, and decided on again changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.core import Resource
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.patient import appointment, coded, lab, medication, referral, validator, weight

ODD: tuple[Any, ...] = (
    [], {}, "", "x", 0, -1, Decimal("1e30"), True, "2026", "2026-11", "9999-12-31", "0001-01-01",
    "2016-12-31T23:59:60Z", "2026-11-20T08:00:00.123456789+14:00", {"reference": "#x"}, {"display": "x"},
    [{"reference": "Observation/in-ferritin"}], [{"text": "x"}], {"coding": [{"display": "x"}]},
    [coded("http://loinc.org", "718-7")], {"value": 5, "unit": "mg"}, {"start": "2027"}, 2147483647,
)  # fmt: skip

Path = tuple[Any, ...]


def resources() -> list[Resource]:
    """A referral with a dose by weight, oral iron prescribed, and two held visits."""
    by_weight = medication(15, 2, "mg/kg", dispenseRequest={"numberOfRepeatsAllowed": 1})
    received = [r for r in referral() if r["id"] != "in-drug"]
    return [*received, by_weight, weight(70), lab("ferritin", 5, 9, id="in-older"), appointment(1), appointment(2)]


@cache
def places() -> tuple[tuple[str, Path], ...]:
    """Every element of every resource that may be dropped or replaced."""
    return tuple((r["id"], p) for r in resources() for p in paths_in(r) if p not in ((), ("id",), ("resourceType",)))


def paths_in(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from paths_in(child, (*path, key))


def _changed(value: Any, path: Path, odd: Any) -> Any:
    """A copy with one element replaced, or dropped where `odd` is None."""
    if not path:
        return odd
    first, rest = path[0], path[1:]
    inner = dict(value) if isinstance(value, Mapping) else dict(enumerate(value))
    if first in inner:
        changed = _changed(inner[first], rest, odd)
        inner = {k: changed if k == first else v for k, v in inner.items() if k != first or changed is not None}
    return inner if isinstance(value, Mapping) else list(inner.values())


CHANGES = st.lists(st.tuples(st.sampled_from(places()), st.none() | st.sampled_from(ODD)), min_size=1, max_size=3)


def odd_resources(changes: list[tuple[tuple[str, Path], Any]]) -> list[Resource]:
    found = {r["id"]: r for r in resources()}
    for (id_, path), odd in changes:
        found[id_] = legally_changed(found[id_], path, odd)
    return list(found.values())


def legally_changed(resource: Resource, path: Path, odd: Any) -> Resource:
    """The resource with one element changed, where it stays legal; else as it was."""
    try:
        changed: Resource = _changed(resource, path, odd)
    except (TypeError, ValueError):
        return resource
    return resource if validator().check(changed) else changed


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES, st.randoms(use_true_random=False))
def test_odd_resources_in_any_order_are_decided_on_and_settle(changes: Any, random: Any) -> None:
    odd = odd_resources(changes)
    together, apart = Journey(), Journey()
    together.hears(*odd)
    for resource in random.sample(odd, len(odd)):
        apart.hears(resource)
    for journey in (together, apart):
        answered_all(journey)
    assert stands(together) == stands(apart)


def answered_all(journey: Journey) -> None:
    """The payer answers whatever it is asked; everything is decided on once more."""
    for request in journey.of("CoverageEligibilityRequest"):
        journey.answered("benefit-answered", request, benefit_answer(request))
    for claim in journey.of("Claim"):
        journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4", "p"))
        journey.answered("preauthorization-answered", claim, claim_answer(claim, "A1", "a"))


def stands(journey: Journey) -> tuple[Any, ...]:
    """What does not depend on when it was asked: open Claims, stages, charges."""
    claims = {c["id"]: c["item"] for c in journey.of("Claim") if c["status"] == "active"}
    tasks = {t["id"]: t.get("businessStatus") for t in journey.tasks("preauthorization")}
    return claims, tasks


ANSWER_CHANGES = st.lists(st.tuples(st.sampled_from(tuple(paths_in(claim_answer({
    "id": "c", "identifier": [{"system": "s", "value": "v"}], "type": coded("s", "professional"),
    "patient": {"reference": "Patient/in-p"}, "insurer": {"display": "x"},
    "item": [{"sequence": 1, "servicedPeriod": {"start": "2026-11-23"}}],
}, units=1500)))), st.none() | st.sampled_from(ODD)), min_size=1, max_size=3)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANSWER_CHANGES)
def test_an_odd_answer_is_decided_on_and_settles(changes: Any) -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    answer: Resource = claim_answer(claim, units=1500)
    for path, odd in changes:
        answer = legally_changed(answer, path, odd) if path not in ((), ("resourceType",)) else answer
    journey.answered("preauthorization-answered", claim, answer)
    journey.hears(appointment(1))
    assert journey.status[0] in ("approved", "partly-approved", "denied", "pended", "question")

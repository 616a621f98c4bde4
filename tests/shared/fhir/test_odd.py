"""Whatever stands at whatever place, the check answers with issues and never raises."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.fhir.definitions import carepod as definitions
from shared.fhir.profiles import carepod

from .examples import PROFILE, full, profiles

ODD: tuple[Any, ...] = (
    None, True, 0, -1, Decimal("1.5"), "", "#", "/", "Patient/", "urn:uuid:", "a" * 70, [], {}, [[]], [None], [{}],
    {"id": 1}, {"coding": "a"}, {"coding": [None, {"system": 1, "code": []}]}, {"reference": []}, {"reference": "#x"},
    {"url": {}}, {"extension": {"url": 1}}, {"extension": [None]}, {"resourceType": "Bundle", "entry": [[]]},
    {"meta": {"profile": [1, None, {}]}}, [{"resourceType": "Patient", "contained": [1]}],
)  # fmt: skip

JSON = st.recursive(
    st.sampled_from([None, True, False, 0, Decimal("1.0"), "", "a", "#a", "Patient/1"]) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "url", "coding", "code"]), inner)
    ),
    max_leaves=6,
)

Steps = tuple[str | int, ...]


def places(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """Every place inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inner:
        yield (*steps, step)
        yield from places(item, (*steps, step))


def replaced(resource: dict[str, Any], steps: Steps, odd: Any) -> dict[str, Any]:
    """The resource with something else in one place."""
    changed: Any = copy.deepcopy(resource)
    place = changed
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = odd
    return dict(changed)


def survives(profile: str, resource: dict[str, Any]) -> bool:
    return isinstance(carepod().check(resource, profiles=[PROFILE + profile], claimed=True), list)


@pytest.mark.parametrize("profile", ["referral-task", "preauthorization-claim", "decision-message"])
def test_odd_values_in_some_places_are_answered(profile: str) -> None:
    good = full(profile)
    for at, steps in enumerate(places(good)):
        assert survives(profile, replaced(good, steps, ODD[at % len(ODD)]))


@pytest.mark.slow
@pytest.mark.parametrize("profile", profiles())
def test_odd_values_in_every_place_are_answered(profile: str) -> None:
    good = full(profile)
    for at, steps in enumerate(places(good)):
        for turn in range(5):
            assert survives(profile, replaced(good, steps, ODD[(at + turn * 5) % len(ODD)]))


@given(st.data())
def test_any_json_in_any_place_is_answered(data: st.DataObject) -> None:
    profile = data.draw(st.sampled_from(profiles()))
    good = full(profile)
    steps = data.draw(st.sampled_from(list(places(good))))
    assert survives(profile, replaced(good, steps, data.draw(JSON)))


@pytest.mark.slow
def test_odd_resources_are_answered_by_every_profile() -> None:
    names = list(definitions().profiles())
    for odd in (o for o in ODD if isinstance(o, dict)):
        for kind in ("Task", "Claim", "Bundle", "Extension", ""):
            assert isinstance(carepod().check(odd | {"resourceType": kind}, profiles=names, claimed=True), list)

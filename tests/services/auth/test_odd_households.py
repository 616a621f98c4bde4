"""Odd but legal consents, coverages and households are judged without an error, and in any order alike."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.auth.assistance.entered import kind_of
from services.auth.words import unversioned
from shared.core import Resource
from tests.services.auth.assisted import Helped, consent, enrolment, living_there, said, usd
from tests.services.auth.patient import appointment, coded, coverage, lab
from tests.services.auth.test_odd_resources import ODD, Path, legally_changed, paths_in


def resources() -> list[Resource]:
    """A patient on iron with a second coverage, two words of consent, her household, and two visits."""
    asked = {"63586-2": 30000, "63512-8": 2}
    household = [
        {k: v for k, v in lab("ferritin", 1, id=f"in-{n}").items() if k != "valueQuantity"}
        | {"code": coded("http://loinc.org", loinc), "valueInteger": value}
        for n, (loinc, value) in enumerate(asked.items())
    ]
    second = coverage("arkansas-bcbs", id="in-second", order=2, type=coded("https://nahdo.org/sopt", "512"))
    second["period"] = {"start": "2026-01-01", "end": "2026-12-31"}
    older = consent(consent_id="in-older", dateTime="2026-10-01", status="inactive")
    visits = (appointment(1, "fulfilled", None), appointment(2, "booked", None))
    return [*living_there(), second, older, consent(), *household, *visits]


@cache
def places() -> tuple[tuple[str, Path], ...]:
    kinds = ("Patient", "Coverage", "Consent", "Observation", "Appointment")
    return tuple(
        (r["id"], p)
        for r in resources()
        if r["resourceType"] in kinds
        for p in paths_in(r)
        if p not in ((), ("id",), ("resourceType",))
    )


CHANGES = st.lists(st.tuples(st.sampled_from(places()), st.none() | st.sampled_from(ODD)), min_size=1, max_size=3)


def enrolments(journey: Helped) -> list[Resource]:
    """Every Task as it stands, without what depends on when things were entered."""
    return sorted((unversioned(t) for t in journey.tasks("hub-enrolment")), key=lambda t: str(t["id"]))


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES, st.randoms(use_true_random=False))
def test_odd_households_in_any_order_are_judged_alike_and_never_overspend(changes: Any, random: Any) -> None:
    found = {r["id"]: r for r in resources()}
    for (id_, path), odd in changes:
        found[id_] = legally_changed(found[id_], path, odd)
    together, apart = Helped(), Helped()
    together.hears(*found.values())
    for resource in random.sample(list(found.values()), len(found)):
        apart.hears(resource)
    assert enrolments(together) == enrolments(apart)
    if not any(i["value"].startswith("in-order|injectafer") for t in enrolments(together) for i in t["identifier"]):
        return
    decision = together.enters(*enrolment(), said("share-per-dose", valueMoney=usd(700)))
    assert together.stands()[0] in ("enrolled", "stopped") or decision.refusals
    for output in together.enrolment()["output"]:
        if kind_of(output) in ("used", "left"):
            assert 0 <= output["valueMoney"]["value"] <= 1000

"""Whatever is missing and whatever comes first: nothing is decided twice, and two updates end the same."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = ("iron-meets-criteria", "infliximab-pended", "incomplete")
PARTS = (
    "Coverage", "Consent", "Condition", "MedicationStatement", "DocumentReference", "Practitioner", "Task",
    "Observation/718-7", "Observation/2276-4", "Observation/29463-7", "Observation/71773-6", "MedicationRequest",
)  # fmt: skip

drops = st.lists(st.sampled_from(PARTS), unique=True, max_size=6)
some = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@some
@given(name=st.sampled_from(NAMES), drop=drops)
def test_a_decision_fed_to_itself_changes_nothing(
    name: str, drop: list[str], desk: Any, example: Any, edited: Any
) -> None:
    desk.held = {}
    pushed = edited(example(name), {"drop": drop})
    assert desk.push(pushed).saves != ()
    assert desk.push(deepcopy(pushed)).saves == ()
    assert desk.hear().reason == "nothing-to-change"


@some
@given(drop=drops)
def test_two_updates_end_the_same_in_either_order(drop: list[str], desk: Any, example: Any, edited: Any) -> None:
    older = edited(example("iron-meets-criteria"), {"drop": sorted({*drop} - {"Task"})})
    changed = {"ServiceRequest": {"priority": "urgent"}, "Observation/2276-4": {"status": "corrected"}}
    newer = edited(example("iron-meets-criteria"), {"set": changed}) | {"timestamp": "2026-11-19T12:00:00Z"}
    ends = []
    for pushes in ((older, newer), (newer, older)):
        desk.held = {}
        for pushed in pushes:
            desk.push(pushed)
        ends.append(dict(desk.held))
    assert _told(ends[0]) == _told(ends[1])
    assert desk.order["priority"] == "urgent"


def _told(held: dict[str, Any]) -> dict[str, Any]:
    """Every resource without its meta; but how often the placer was told on the way depends on the way."""
    ends = {k: r for k, r in held.items() if r["resourceType"] != "Communication"}
    return {k: {e: v for e, v in r.items() if e != "meta"} for k, r in ends.items()}


@some
@given(name=st.sampled_from(NAMES), drop=drops)
def test_what_waits_says_why(name: str, drop: list[str], desk: Any, example: Any, edited: Any) -> None:
    desk.held = {}
    desk.push(edited(example(name), {"drop": drop}))
    task = desk.referral
    assert (task["status"] == "on-hold") == bool(desk.missing)
    assert task["status"] not in ("on-hold", "rejected", "cancelled", "failed") or task["statusReason"]["text"]

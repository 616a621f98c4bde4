"""The checks after a fault can fail: each kind of harm is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.harness import SERVICES
from benchmarks.truth import Truth, faults, overbooked
from services import declared
from shared.settings import ROOT, load_site

BEGIN = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
EMPTY = Truth(dict.fromkeys(SERVICES, ()), {}, (), {}, (), ())


def visit(minute: int, chair: str = "a/1", nurse: str = "n1", status: str = "booked") -> dict[str, Any]:
    def actor(kind: str, value: str) -> dict[str, Any]:
        return {"actor": {"identifier": {"system": f"https://carepod.example/id/{kind}", "value": value}}}

    start = BEGIN + timedelta(minutes=minute)
    return {
        "resourceType": "Appointment",
        "id": f"sc-{minute}-{chair}",
        "status": status,
        "start": start.isoformat(),
        "end": (start + timedelta(minutes=60)).isoformat(),
        "participant": [actor("chair", chair), actor("nurse", nurse)],
    }


def test_one_patient_after_the_other_is_no_double_booking() -> None:
    assert list(overbooked([visit(0), visit(60), visit(30, "a/2", "n2")])) == []


def test_two_patients_in_a_chair_are_found() -> None:
    assert list(overbooked([visit(0), visit(59, nurse="n2")])) == ["chair a/1: two patients at once"]


def test_a_nurse_with_one_patient_too_many_is_found() -> None:
    full = [visit(15 * n, f"a/{n}") for n in range(4)]
    assert list(overbooked(full)) == []
    assert len(list(overbooked([visit(15 * n, f"a/{n}") for n in range(4)], per_nurse=3))) == 1


def test_two_starts_of_a_nurse_too_close_are_found() -> None:
    assert list(overbooked([visit(0), visit(15, "a/2")])) == []
    assert list(overbooked([visit(0), visit(14, "a/2")])) == ["nurse n1: two starts within 0:14:00"]


def test_a_lost_referral_a_second_claim_and_a_seat_without_visit_are_found() -> None:
    assert faults(EMPTY, set()) == []
    lost = faults(EMPTY, {"REF-1"})
    assert "referral REF-1: 0 cases" in lost
    assert "0 Claims at the payers for 1 referrals" in lost
    claim = {"identifier": {"value": "au-1"}, "received": 1}
    twice = Truth(EMPTY.stored, {}, (claim, claim), {}, (), {"sc-1"})
    assert "2 Claims at the payers for 0 referrals" in faults(twice, set())
    assert "the payers' Claims are not ours" in faults(twice, set())
    assert "seats are taken for other visits than those booked" in faults(twice, set())


def test_what_is_unsent_or_parked_is_found() -> None:
    stuck = Truth(EMPTY.stored, {"auth": {"messages unsent": 2, "messages not decided": 0}}, (), {}, (), ())
    assert faults(stuck, set()) == ["auth: 2 messages unsent"]


def test_every_service_of_the_practice_is_looked_at() -> None:
    site = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://partners", base_url="http://us")
    assert {s.name for s in declared(site)} == set(SERVICES)
    stuck = Truth(EMPTY.stored, {"nursing": {"messages not decided": 1}}, (), {}, (), ())
    assert faults(stuck, set()) == ["nursing: 1 messages not decided"]

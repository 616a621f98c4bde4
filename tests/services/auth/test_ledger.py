"""Reservations never exceed what was authorized, whatever order holds, moves and cancellations come in."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.decision.ledger import Allowed, Charge, Grant, Ledger, Terms, Visit, settled

FIRST = date(2026, 11, 23)
LAST = FIRST + timedelta(days=89)
EMPTY = Ledger({}, {})
CODES = ("J1439", "96365")


def terms(units: int = 1500, code: str = "J1439") -> Terms:
    return Terms(grants=(Grant(code, Decimal(units), FIRST, LAST),))


def visit(dose: int = 1, status: str = "pending", hold: int | None = 1, occurrence: int = 1, day: int = 0) -> Visit:
    on = FIRST + timedelta(days=day)
    start = f"{on}T10:00:00-06:00"
    return Visit(f"Appointment/{dose}-{occurrence}", dose, status, start, on, hold, {"J1439": Decimal(750)})


def answer(ledger: Ledger, dose: int = 1, occurrence: int = 1) -> tuple[str, str | None]:
    found = ledger.answers[f"Appointment/{dose}-{occurrence}"]
    return found.answer, found.reason


@pytest.mark.parametrize(("units", "expected"), [(749, "refused"), (750, "reserved"), (751, "reserved")])
def test_exactly_the_units_needed_are_enough(units: int, expected: str) -> None:
    assert answer(settled(EMPTY, [visit()], terms(units)))[0] == expected


@pytest.mark.parametrize(("day", "expected"), [(-1, "outside-period"), (0, None), (89, None), (90, "outside-period")])
def test_the_authorized_period_includes_its_first_and_last_day(day: int, expected: str | None) -> None:
    assert answer(settled(EMPTY, [visit(day=day)], terms()))[1] == expected


def test_another_code_than_the_authorized_one_is_not_authorized() -> None:
    assert answer(settled(EMPTY, [visit()], terms(code="J1756"))) == ("refused", "not-authorized")
    assert answer(settled(EMPTY, [replace(visit(), needs=None)], terms())) == ("refused", "not-authorized")


def test_all_codes_of_a_dose_are_reserved_or_none() -> None:
    needs = {"J1439": Decimal(750), "96365": Decimal(1)}
    both = Terms(grants=(*terms().grants, Grant("96365", Decimal(0), FIRST, LAST)))
    ledger = settled(EMPTY, [replace(visit(), needs=needs)], both)
    assert (answer(ledger), ledger.charges) == (("refused", "no-units-left"), {})
    enough = Terms(grants=(*terms().grants, Grant("96365", Decimal(1), FIRST, LAST)))
    assert set(settled(EMPTY, [replace(visit(), needs=needs)], enough).charges) == {(1, "J1439"), (1, "96365")}


def test_a_number_is_answered_once_even_when_units_come_free() -> None:
    refused = settled(EMPTY, [visit()], terms(0))
    assert answer(settled(refused, [visit()], terms())) == ("refused", "no-units-left")
    assert answer(settled(refused, [visit(hold=2)], terms())) == ("reserved", None)


def test_a_new_number_for_a_time_outside_the_period_gives_the_units_back() -> None:
    reserved = settled(EMPTY, [visit()], terms())
    moved = settled(reserved, [visit(hold=2, day=90)], terms())
    assert answer(moved) == ("refused", "outside-period")
    assert moved.used(terms().grants[0], terms()) == 0


def test_a_move_needs_no_second_reservation_and_a_fallen_move_keeps_the_first() -> None:
    booked = settled(EMPTY, [visit()], terms(750))
    both = settled(booked, [visit(status="booked"), visit(occurrence=2, day=7)], terms(750))
    assert answer(both, occurrence=2) == ("reserved", None)
    assert both.charges[1, "J1439"].visit == "Appointment/1-1"
    kept = settled(both, [visit(status="booked"), visit(status="cancelled", occurrence=2, day=7)], terms(750))
    assert kept.charges[1, "J1439"].status == "planned"
    gone = settled(both, [visit(status="cancelled"), visit(status="booked", occurrence=2, day=7)], terms(750))
    assert gone.charges[1, "J1439"].visit == "Appointment/1-2"


def test_units_freed_in_one_message_are_there_for_another_dose_in_the_same() -> None:
    first = settled(EMPTY, [visit()], terms(750))
    second = settled(first, [visit(status="cancelled"), visit(2)], terms(750))
    assert answer(second, 2) == ("reserved", None)


def test_a_number_used_again_after_its_units_went_back_is_answered_anew() -> None:
    reserved = settled(EMPTY, [visit()], terms(750))
    fallen = settled(reserved, [visit(status="proposed"), visit(2)], terms(750))
    assert answer(fallen, 2) == ("reserved", None)
    assert answer(settled(fallen, [visit(), visit(2)], terms(750))) == ("refused", "no-units-left")


def test_a_dose_already_given_is_not_reserved_again() -> None:
    given_ = settled(settled(EMPTY, [visit()], terms()), [visit(status="fulfilled")], terms())
    again = settled(given_, [visit(status="fulfilled"), visit(occurrence=2, day=7)], terms())
    assert answer(again, occurrence=2) == ("refused", "dose-administered")
    assert again.charges[1, "J1439"].status == "billable"


def test_the_end_of_an_order_gives_everything_back_and_answers_nothing() -> None:
    reserved = settled(EMPTY, [visit()], terms())
    ended = settled(reserved, [visit(status="booked"), visit(2)], terms(), ended=True)
    assert ended.charges[1, "J1439"] == replace(reserved.charges[1, "J1439"], status="aborted")
    assert set(ended.answers) == {"Appointment/1-1"}


ALLOWED = Terms(allowed=Allowed(FIRST, LAST, "transition-of-coverage"))


@pytest.mark.parametrize(("day", "expected"), [(-1, "refused"), (0, "not-needed"), (89, "not-needed"), (90, "refused")])
def test_what_may_go_ahead_undecided_does_so_from_its_first_to_its_last_day(day: int, expected: str) -> None:
    assert answer(settled(EMPTY, [visit(day=day)], ALLOWED))[0] == expected


def test_a_held_time_that_may_go_ahead_is_answered_anew_when_the_payer_has_decided() -> None:
    ahead = settled(EMPTY, [visit()], ALLOWED)
    assert answer(settled(ahead, [visit()], terms())) == ("reserved", None)
    assert answer(settled(ahead, [visit()], terms(0))) == ("refused", "no-units-left")
    assert answer(settled(ahead, [visit()], Terms())) == ("not-needed", "transition-of-coverage")


def test_a_dose_given_undecided_takes_its_units_even_when_another_is_waiting_for_them() -> None:
    ahead = settled(EMPTY, [visit(1), visit(2, day=7)], ALLOWED)
    seen = [visit(1, "fulfilled"), visit(2, "booked", day=7)]
    counted = settled(ahead, seen, terms(750))
    assert {k: c.status for k, c in counted.charges.items()} == {(1, "J1439"): "billable"}
    assert (answer(counted), answer(counted, 2)) == (("reserved", None), ("refused", "no-units-left"))


STATUSES = ("proposed", "pending", "booked", "cancelled", "noshow", "fulfilled", "arrived")
STEPS = st.lists(
    st.builds(
        visit,
        dose=st.integers(1, 3),
        status=st.sampled_from(STATUSES),
        hold=st.integers(1, 3),
        occurrence=st.integers(1, 2),
        day=st.integers(-1, 91),
    ),
    max_size=25,
)


def sound(ledger: Ledger, authorized: int) -> bool:
    planned = [c for c in ledger.charges.values() if c.status != "aborted"]
    return 0 <= sum(c.units for c in planned) <= authorized and len({c.dose for c in planned}) == len(planned)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.sampled_from([0, 749, 750, 1500, 2000, 2250]), st.integers(0, 25))
def test_no_sequence_of_holds_moves_and_cancellations_breaks_the_balance(
    steps: list[Visit], units: int, undecided: int
) -> None:
    ledger, visits = EMPTY, dict[str, Visit]()
    for at, step in enumerate(steps):
        visits[step.reference] = step
        now = ALLOWED if at < undecided else terms(units)
        after = settled(ledger, visits.values(), now)
        assert sound(after, units)
        assert settled(after, visits.values(), now) == after
        assert all(isinstance(c, Charge) and k == (c.dose, c.code) for k, c in after.charges.items())
        ledger = after
    reserved = {v.dose for v in visits.values() if answered_reserved(ledger, v)}
    assert reserved <= {c.dose for c in ledger.charges.values() if c.status in ("planned", "billable")}


def answered_reserved(ledger: Ledger, held: Visit) -> bool:
    found = ledger.answers.get(held.reference)
    return held.status == "pending" and found is not None and (found.hold, found.answer) == (held.hold, "reserved")

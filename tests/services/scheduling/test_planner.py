"""The earliest place: never two in a chair, never over the ratio, inside hours and shifts, on DST days too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduling import planner
from services.scheduling.planner import Place, Staffing, Wish, earliest, seats
from shared.settings import InfusionSite, Nurse
from shared.visits.cells import cell_of, cells, occupied
from tests.services.scheduling.patient import CHICAGO, chicago

RATIOS = {1: 6, 2: 4, 3: 3, 4: 2, 5: 1}
STAFFING = Staffing(12, {acuity: 12 // n for acuity, n in RATIOS.items()}, 15)
MONDAY = date(2026, 11, 30)
EVERY_DAY = frozenset(range(7))


def site(chairs: int = 2, nurses: Sequence[Nurse] = (), opens: time = time(8), closes: time = time(10)) -> InfusionSite:
    shift = (Nurse("rn-a", EVERY_DAY, time(8), time(10)),)
    hours = dict.fromkeys(range(6), (opens, closes))
    return InfusionSite("s", "S", CHICAGO, hours, chairs, tuple(nurses) or shift, frozenset({date(2026, 12, 3)}))


def wish(minutes: int = 30, acuity: int = 2, not_before: datetime | None = None, last: date = MONDAY) -> Wish:
    return Wish(minutes, acuity, not_before or chicago(MONDAY, 0), last)


def filled(place_at: InfusionSite, wishes: Sequence[Wish]) -> list[tuple[Wish, Place]]:
    """Places for wishes, one after another, each on what the ones before took."""
    taken: set[planner.Seat] = set()
    placed = []
    for one in wishes:
        if (place := earliest(place_at, one, STAFFING, occupied(taken))) is not None:
            new = seats(place_at.id, place, STAFFING.minutes_between_starts)
            assert not taken.intersection(new)
            assert len(set(new)) == len(new)
            taken.update(new)
            placed.append((one, place))
    return placed


def test_an_empty_site_gives_its_first_minute_first_chair() -> None:
    place = earliest(site(), wish(), STAFFING, {})
    assert place is not None
    assert (place.start, place.chair, place.nurse, len(place.seats)) == (chicago(MONDAY, 8), 1, "rn-a", 6)
    assert place.end == chicago(MONDAY, 8, 30)


def test_a_visit_ends_by_closing_time_and_not_five_minutes_later() -> None:
    assert earliest(site(), wish(120), STAFFING, {}) is not None
    assert earliest(site(), wish(121), STAFFING, {}) is None
    late = wish(30, not_before=chicago(MONDAY, 9, 30))
    assert earliest(site(), late, STAFFING, {}) is not None
    assert earliest(site(), replace(late, not_before=chicago(MONDAY, 9, 31)), STAFFING, {}) is None


def test_a_nurse_works_only_on_her_shift() -> None:
    off = [Nurse("rn-a", EVERY_DAY, time(9), time(10)), Nurse("rn-b", frozenset({1}), time(8), time(10))]
    place = earliest(site(nurses=off), wish(), STAFFING, {})
    assert place is not None
    assert (place.start, place.nurse) == (chicago(MONDAY, 9), "rn-a")
    assert earliest(site(nurses=off), wish(65), STAFFING, {}) is None


def test_two_starts_of_one_nurse_lie_fifteen_minutes_apart() -> None:
    starts = [p.start for _, p in filled(site(chairs=4), [wish(60)] * 3)]
    assert starts == [chicago(MONDAY, 8) + timedelta(minutes=15 * n) for n in range(3)]


def test_two_nurses_start_at_the_same_time_and_share_the_work() -> None:
    nurses = [Nurse(n, EVERY_DAY, time(8), time(10)) for n in ("rn-a", "rn-b")]
    placed = [p for _, p in filled(site(chairs=4, nurses=nurses), [wish(60)] * 2)]
    assert [(p.start, p.nurse) for p in placed] == [(chicago(MONDAY, 8), "rn-a"), (chicago(MONDAY, 8), "rn-b")]


@pytest.mark.parametrize("acuity", sorted(RATIOS))
def test_a_nurse_has_exactly_as_many_patients_at_once_as_the_ratio_of_their_acuity(acuity: int) -> None:
    long = site(chairs=9, nurses=[Nurse("rn-a", EVERY_DAY, time(8), time(18))], closes=time(18))
    placed = filled(long, [wish(300, acuity)] * (RATIOS[acuity] + 1))
    together = [p for _, p in placed if p.start < chicago(MONDAY, 13)]
    assert len(together) == RATIOS[acuity]


def test_mixed_acuities_never_add_up_to_more_than_one_nurse() -> None:
    placed = filled(site(chairs=9), [wish(60, 4), wish(60, 3), wish(60, 2)])
    assert [p.start for _, p in placed] == [chicago(MONDAY, 8), chicago(MONDAY, 8, 15), chicago(MONDAY, 9)]


def test_closed_days_and_days_without_hours_are_passed_over() -> None:
    from_wednesday = wish(not_before=chicago(date(2026, 12, 2), 9, 45), last=date(2026, 12, 7))
    place = earliest(site(), from_wednesday, STAFFING, {})
    assert place is not None
    assert place.start == chicago(date(2026, 12, 4), 8)
    sunday = date(2026, 12, 6)
    assert earliest(site(), wish(not_before=chicago(sunday, 0), last=sunday), STAFFING, {}) is None


def test_the_last_day_counts_and_the_day_after_does_not() -> None:
    friday = chicago(date(2026, 12, 4), 9, 45)
    assert earliest(site(), wish(not_before=friday, last=date(2026, 12, 4)), STAFFING, {}) is None
    assert earliest(site(), wish(not_before=friday, last=date(2026, 12, 5)), STAFFING, {}) is not None


def test_a_patient_is_not_in_two_places_at_once() -> None:
    busy = replace(wish(), elsewhere=((chicago(MONDAY, 8, 10), chicago(MONDAY, 9, 2)),))
    place = earliest(site(), busy, STAFFING, {})
    assert place is not None
    assert place.start == chicago(MONDAY, 9, 5)


@pytest.mark.parametrize(
    ("on", "utc_hour", "hours"),
    [
        (date(2026, 10, 31), 13, 9),
        (date(2026, 11, 1), 14, 9),
        (date(2027, 3, 13), 14, 9),
        (date(2027, 3, 14), 13, 9),
    ],
)
def test_opening_hours_are_local_on_the_days_the_clocks_change(on: date, utc_hour: int, hours: int) -> None:
    always = InfusionSite("s", "S", CHICAGO, {d: (time(8), time(17)) for d in range(7)}, 1, ())
    span = planner.hours(always, on)
    assert span is not None
    assert planner.instant_of(span[0]) == datetime(on.year, on.month, on.day, utc_hour, tzinfo=UTC)
    assert (span[1] - span[0]) * 5 == hours * 60


@pytest.mark.parametrize(("on", "hours"), [(date(2026, 11, 1), 25), (date(2027, 3, 14), 23), (date(2027, 3, 15), 24)])
def test_a_night_over_the_change_is_as_long_as_it_really_is(on: date, hours: int) -> None:
    night = InfusionSite("s", "S", CHICAGO, {d: (time(0), time(23, 55)) for d in range(7)}, 1, ())
    span = planner.hours(night, on)
    assert span is not None
    assert (span[1] - span[0] + 1) * 5 == hours * 60


@pytest.mark.parametrize("on", [date(2026, 11, 1), date(2027, 3, 14)])
def test_a_visit_across_the_change_lasts_its_minutes_and_ends_by_closing(on: date) -> None:
    nurse = Nurse("rn-a", EVERY_DAY, time(0), time(6))
    night = InfusionSite("s", "S", CHICAGO, {d: (time(0), time(6)) for d in range(7)}, 1, (nurse,))
    hours = 7 if on.month == 11 else 5
    place = earliest(night, Wish(hours * 60, 2, chicago(on, 0), on), STAFFING, {})
    assert place is not None
    assert place.end == chicago(on, 6).astimezone(UTC)
    assert earliest(night, Wish(hours * 60 + 5, 2, chicago(on, 0), on), STAFFING, {}) is None


WISHES = st.builds(
    Wish,
    minutes=st.integers(5, 60),
    acuity=st.sampled_from(sorted(RATIOS)),
    not_before=st.integers(0, 30 * 60).map(lambda m: chicago(MONDAY, 0) + timedelta(minutes=m)),
    last_day=st.sampled_from([MONDAY, MONDAY + timedelta(days=1)]),
)
SITES = st.builds(
    site,
    chairs=st.integers(1, 3),
    nurses=st.sampled_from(
        [
            (),
            (Nurse("rn-a", EVERY_DAY, time(8), time(9)), Nurse("rn-b", EVERY_DAY, time(8, 30), time(10))),
            (Nurse("rn-a", frozenset({1}), time(7), time(12)), Nurse("rn-b", frozenset({0}), time(8), time(10))),
        ]
    ),
)


@settings(max_examples=150, deadline=None)
@given(SITES, st.lists(WISHES, min_size=1, max_size=9))
def test_however_it_fills_no_chair_nurse_shift_or_opening_hour_is_overrun(
    where: InfusionSite, wishes: list[Wish]
) -> None:
    placed = filled(where, wishes)
    chairs = Counter((p.chair, c) for _, p in placed for c in _cells(p))
    assert max(chairs.values(), default=0) <= 1
    load: dict[tuple[str, int], Fraction] = {}
    for one, place in placed:
        for cell in _cells(place):
            key = (place.nurse, cell)
            load[key] = load.get(key, Fraction(0)) + Fraction(1, RATIOS[one.acuity])
    assert max(load.values(), default=Fraction(0)) <= 1
    for one, place in placed:
        assert _fits_the_day(where, one, place.nurse, place.start)
        assert one.not_before <= place.start


@settings(max_examples=120, deadline=None)
@given(SITES, st.lists(WISHES, max_size=7), WISHES)
def test_no_earlier_start_is_possible(where: InfusionSite, before: list[Wish], one: Wish) -> None:
    placed = filled(where, before)
    taken = {s for _, p in placed for s in seats(where.id, p, STAFFING.minutes_between_starts)}
    found = earliest(where, one, STAFFING, occupied(taken))
    assert (found.start if found else None) == _first_by_trying(where, placed, one)


def _first_by_trying(where: InfusionSite, placed: list[tuple[Wish, Place]], one: Wish) -> datetime | None:
    """Every five minutes of both mornings, every chair, every nurse, by counting patients and not seats."""
    for n in (*range(90, 126), *range(288 + 90, 288 + 126)):
        start = (chicago(MONDAY, 0) + timedelta(minutes=5 * n)).astimezone(UTC)
        nurses = [nurse for nurse in where.nurses if _fits_the_day(where, one, nurse.id, start)]
        if start < one.not_before or not nurses:
            continue
        wanted = set(range(cell_of(start), cell_of(start) + cells(one.minutes)))
        in_use = {p.chair for _, p in placed if wanted & set(_cells(p))}
        if len(in_use) < where.chairs and any(_takes(placed, one, nurse, start, wanted) for nurse in nurses):
            return start
    return None


def _takes(placed: list[tuple[Wish, Place]], one: Wish, nurse: Nurse, start: datetime, wanted: set[int]) -> bool:
    hers = [(w, p) for w, p in placed if p.nurse == nurse.id]
    apart = all(abs(p.start - start) >= timedelta(minutes=15) for _, p in hers)
    own = Fraction(1, RATIOS[one.acuity])
    carries = all(
        own + sum(Fraction(1, RATIOS[w.acuity]) for w, p in hers if cell in _cells(p)) <= 1 for cell in wanted
    )
    return apart and carries


def _fits_the_day(where: InfusionSite, one: Wish, nurse_id: str, start: datetime) -> bool:
    begins, ends = start.astimezone(CHICAGO), (start + timedelta(minutes=5 * cells(one.minutes))).astimezone(CHICAGO)
    nurse = next(n for n in where.nurses if n.id == nurse_id)
    opens = where.hours.get(begins.weekday())
    if opens is None or begins.date() in where.closed_on or begins.weekday() not in nurse.days:
        return False
    first, last = max(opens[0], nurse.begins), min(opens[1], nurse.ends)
    same_day = begins.date() == ends.date() <= one.last_day
    return same_day and first <= begins.time() and ends.time() <= last


def _cells(place: Place) -> range:
    return range(cell_of(place.start), cell_of(place.start) + cells(place.minutes))

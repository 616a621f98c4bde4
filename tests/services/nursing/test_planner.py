"""The home nurse who goes: licensed, competent, in range, on shift, with time for the road before and after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.nursing.planner import (
    Home,
    Place,
    Roads,
    Wish,
    earliest,
    fits,
    fitting,
    miles,
    places,
    reason,
    refusal,
    resources,
    seats,
    travel_minutes,
)
from shared.core import Seat
from shared.home import HomeNurse, HomeNursing, Licence
from shared.home import Place as Point

CHICAGO = ZoneInfo("America/Chicago")
MONDAY = date(2026, 11, 30)
ROADS = Roads(1.417, 50, 10, 45, 6, frozenset({"NE", "IA"}))
LINCOLN, SOUTH, SEWARD, OMAHA, PLATTE, BLUFFS = "68502", "68516", "68434", "68154", "69101", "51501"
POINTS = {
    LINCOLN: Point(LINCOLN, "NE", 40.79, -96.69),
    SOUTH: Point(SOUTH, "NE", 40.76, -96.65),
    SEWARD: Point(SEWARD, "NE", 40.91, -97.10),
    OMAHA: Point(OMAHA, "NE", 41.26, -96.12),
    PLATTE: Point(PLATTE, "NE", 41.13, -100.77),
    BLUFFS: Point(BLUFFS, "IA", 41.23, -95.88),
}
EVERY_DAY = frozenset(range(7))


def nurse(id_: str = "rn-a", base: str = LINCOLN, **changed: object) -> HomeNurse:
    shift = (time(8), time(17))
    skills = frozenset({"iv-start", "ivig"})
    plain = HomeNurse(id_, (Licence("NE"),), skills, POINTS[base], 60, EVERY_DAY, *shift)
    return replace(plain, **changed)  # type: ignore[arg-type]


def region(*nurses: HomeNurse) -> HomeNursing:
    return HomeNursing("h", "H", CHICAGO, nurses or (nurse(),), (), POINTS, frozenset({date(2026, 12, 3)}))


def at(on: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(on, time(hour, minute), CHICAGO)


def wish(minutes: int = 60, code: str = SOUTH, last: date = MONDAY, **changed: object) -> Wish:
    plain = Wish(minutes, Home("NE", code), frozenset({"iv-start"}), at(MONDAY, 0), last)
    return replace(plain, **changed)  # type: ignore[arg-type]


def filled(home: HomeNursing, wishes: Sequence[Wish]) -> list[Place]:
    """Places for wishes, one after another, each on what the ones before took."""
    taken: set[Seat] = set()
    found = []
    for one in wishes:
        if (place := earliest(home, one, taken, ROADS)) is not None:
            new = seats(home, place)
            assert len(set(new)) == len(new)
            assert not taken.intersection(new)
            assert {s.resource for s in new} <= set(resources(home))
            taken.update(new)
            found.append(place)
    return found


def test_the_first_visit_begins_when_the_nurse_has_come_from_her_base() -> None:
    place = earliest(region(), wish(), (), ROADS)
    assert place is not None
    assert (place.nurse, place.start, place.travel, place.onward, place.turn) == ("rn-a", at(MONDAY, 8, 10), 10, 10, 0)
    assert place.end == at(MONDAY, 9, 10)


def test_she_is_back_at_her_base_when_her_shift_ends_and_not_five_minutes_later() -> None:
    whole = 9 * 60 - 20
    assert earliest(region(), wish(whole), (), ROADS) is not None
    assert earliest(region(), wish(whole + 1), (), ROADS) is None


def test_the_road_between_two_homes_lies_between_two_visits() -> None:
    first, second = filled(region(), [wish(), wish(code=SEWARD)])
    between = travel_minutes(POINTS[SOUTH], POINTS[SEWARD], ROADS)
    assert second.travel == between
    assert first.end + timedelta(minutes=between) <= second.start < first.end + timedelta(minutes=between + 5)


def test_a_visit_is_put_between_two_others_only_where_both_legs_fit() -> None:
    early = Place("rn-a", at(MONDAY, 8, 30), 60, 10, 10, 0, LINCOLN)
    late = Place("rn-a", at(MONDAY, 11), 60, 10, 10, 1, LINCOLN)
    taken = {*seats(region(), early), *seats(region(), late)}
    between = earliest(region(), wish(70), taken, ROADS)
    assert between is not None
    assert between.start == at(MONDAY, 9, 40)
    after = earliest(region(), wish(71), taken, ROADS)
    assert after is not None
    assert after.start == at(MONDAY, 12, 10)


def test_a_taken_time_without_a_known_place_is_kept_the_longest_leg_away() -> None:
    taken = {Seat("home-nurse/h/rn-a", cell) for cell in _cells(at(MONDAY, 8), at(MONDAY, 10))}
    place = earliest(region(), wish(), taken, ROADS)
    assert place is not None
    assert place.start == at(MONDAY, 10, 45)


@pytest.mark.parametrize(("visits", "found"), [(5, True), (6, False)])
def test_a_nurse_makes_six_visits_a_day_and_not_a_seventh(visits: int, found: bool) -> None:
    placed = filled(region(), [wish(15)] * (visits + 1))
    assert (len(placed) == visits + 1) is found


def test_the_day_after_follows_when_a_day_is_full() -> None:
    placed = filled(region(), [wish(15, last=MONDAY + timedelta(days=1))] * 7)
    assert [p.start.astimezone(CHICAGO).date() for p in placed] == [MONDAY] * 6 + [MONDAY + timedelta(days=1)]
    assert [p.turn for p in placed] == [0, 1, 2, 3, 4, 5, 0]


def test_the_practice_does_not_visit_on_a_closed_day_nor_a_nurse_on_her_day_off() -> None:
    closed = date(2026, 12, 3)
    assert earliest(region(), wish(not_before=at(closed, 0), last=closed), (), ROADS) is None
    weekdays = region(nurse(days=frozenset({1})))
    place = earliest(weekdays, wish(last=MONDAY + timedelta(days=6)), (), ROADS)
    assert place is not None
    assert place.start.astimezone(CHICAGO).weekday() == 1


def test_nothing_begins_before_the_delivery() -> None:
    place = earliest(region(), wish(not_before=at(MONDAY, 13, 2)), (), ROADS)
    assert place is not None
    assert place.start == at(MONDAY, 13, 5)


def test_the_patient_is_nowhere_else_at_that_time() -> None:
    chair = ((at(MONDAY, 12), at(MONDAY, 13)), (at(MONDAY, 8), at(MONDAY, 11, 30)))
    place = earliest(region(), wish(elsewhere=chair), (), ROADS)
    assert place is not None
    assert place.start == at(MONDAY, 13)


# Licence, competence, range


def test_a_licence_of_the_state_is_enough_and_one_of_another_state_is_not() -> None:
    assert refusal(region(), nurse(), wish(), ROADS) is None
    assert refusal(region(), nurse(licences=(Licence("KS"),)), wish(), ROADS) == "nurse-not-licensed"


@pytest.mark.parametrize(
    ("licence", "compact", "may"),
    [
        (Licence("IA", multistate=True), {"NE", "IA"}, True),
        (Licence("IA"), {"NE", "IA"}, False),
        (Licence("IA", multistate=True), {"IA"}, False),
        (Licence("IA", multistate=True), {"NE"}, False),
    ],
)
def test_a_multistate_licence_counts_where_both_states_are_of_the_compact(
    licence: Licence, compact: set[str], may: bool
) -> None:
    roads = replace(ROADS, compact=frozenset(compact))
    assert (refusal(region(), nurse(licences=(licence,)), wish(), roads) is None) is may


def test_the_state_is_the_address_and_else_the_one_of_the_zip_code() -> None:
    unsaid = wish(code=BLUFFS, home=Home("", BLUFFS))
    omaha = nurse(base=OMAHA)
    assert refusal(region(), omaha, unsaid, ROADS) == "nurse-not-licensed"
    assert refusal(region(), replace(omaha, licences=(Licence("IA"),)), unsaid, ROADS) is None


def test_every_competence_is_needed() -> None:
    both = wish(competencies=frozenset({"iv-start", "port-access"}))
    assert refusal(region(), nurse(), both, ROADS) == "nurse-not-competent"
    able = nurse(competencies=frozenset({"iv-start", "port-access", "chemo"}))
    assert refusal(region(), able, both, ROADS) is None


def test_the_range_is_in_miles_of_road() -> None:
    by_road = miles(POINTS[LINCOLN], POINTS[SEWARD]) * ROADS.detour_factor
    assert refusal(region(), nurse(range_miles=by_road), wish(code=SEWARD), ROADS) is None
    assert refusal(region(), nurse(range_miles=by_road - 0.01), wish(code=SEWARD), ROADS) == "home-out-of-range"


@pytest.mark.parametrize(("change", "refused"), [(-1, "home-out-of-range"), (0, None), (1, None)])
def test_no_leg_is_longer_than_the_longest(change: int, refused: str | None) -> None:
    leg = travel_minutes(POINTS[LINCOLN], POINTS[SEWARD], ROADS)
    roads = replace(ROADS, most_minutes_per_leg=leg + change)
    assert refusal(region(), nurse(), wish(code=SEWARD), roads) == refused


def test_a_leg_between_two_homes_may_not_be_longer_either() -> None:
    far = region(nurse(base=SOUTH, range_miles=200))
    east, west = wish(code=SEWARD, minutes=120), wish(code=OMAHA, minutes=120)
    roads = replace(ROADS, most_minutes_per_leg=travel_minutes(POINTS[SOUTH], POINTS[OMAHA], ROADS) + 5)
    assert travel_minutes(POINTS[SEWARD], POINTS[OMAHA], roads) > roads.most_minutes_per_leg
    first = earliest(far, east, (), roads)
    assert first is not None
    assert earliest(far, west, seats(far, first), roads) is None


@pytest.mark.parametrize(
    ("home", "competencies", "said"),
    [
        (Home("NE", ""), {"iv-start"}, "home-address-missing"),
        (Home("NE", "99999"), {"iv-start"}, "home-not-on-map"),
        (Home("KS", SOUTH), {"iv-start"}, "nurse-not-licensed"),
        (Home("NE", SOUTH), {"chemo"}, "nurse-not-competent"),
        (Home("NE", PLATTE), {"iv-start"}, "home-out-of-range"),
        (Home("NE", SOUTH + "-1234"), {"iv-start"}, "no-nurse-in-window"),
    ],
)
def test_why_nobody_can_come_is_said_by_one_code(home: Home, competencies: set[str], said: str) -> None:
    asked = wish(home=home, competencies=frozenset(competencies))
    assert reason(region(), asked, ROADS) == said
    assert bool(fitting(region(), asked, ROADS)) is (said == "no-nurse-in-window")


def test_the_reason_is_that_of_the_nurse_who_came_nearest() -> None:
    team = region(nurse("rn-a", licences=(Licence("KS"),)), nurse("rn-b", range_miles=1))
    assert reason(team, wish(code=SEWARD), ROADS) == "home-out-of-range"


def test_a_region_without_nurses_says_that_none_is_licensed() -> None:
    nobody = replace(region(), nurses=())
    assert reason(nobody, wish(), ROADS) == "nurse-not-licensed"
    assert earliest(nobody, wish(), (), ROADS) is None


# Who is first


def test_who_came_before_comes_again_on_the_same_day_though_another_is_nearer() -> None:
    team = region(nurse("rn-near", base=SOUTH), nurse("rn-usual", base=SEWARD))
    chosen = earliest(team, wish(nurse="rn-usual"), (), ROADS)
    assert chosen is not None
    assert chosen.nurse == "rn-usual"


def test_another_nurse_today_is_better_than_the_usual_one_tomorrow() -> None:
    team = region(nurse("rn-a"), nurse("rn-usual", days=frozenset({1})))
    chosen = earliest(team, wish(nurse="rn-usual", last=MONDAY + timedelta(days=1)), (), ROADS)
    assert chosen is not None
    assert chosen.nurse == "rn-a"


def test_of_two_nurses_the_one_with_less_added_road_goes() -> None:
    team = region(nurse("rn-a", base=SEWARD), nurse("rn-b", base=SOUTH))
    chosen = earliest(team, wish(), (), ROADS)
    assert chosen is not None
    assert chosen.nurse == "rn-b"


def test_of_equals_the_first_name_goes_whatever_the_order_of_the_file() -> None:
    team = (nurse("rn-b"), nurse("rn-a"))
    both = {places(region(*order), wish(), (), ROADS, most=2) for order in (team, team[::-1])}
    assert [p.nurse for p in both.pop()] == ["rn-a", "rn-b"]
    assert not both


def test_a_place_fits_until_the_patient_moves_or_the_nurse_goes() -> None:
    place = earliest(region(), wish(), (), ROADS)
    assert place is not None
    assert fits(region(), place, wish(), ROADS)
    assert not fits(region(), place, wish(code=SEWARD), ROADS)
    assert not fits(region(nurse("rn-b")), place, wish(), ROADS)
    assert not fits(region(nurse(competencies=frozenset())), place, wish(), ROADS)


# Properties

_WISHES = st.lists(
    st.builds(
        wish,
        minutes=st.integers(15, 240),
        code=st.sampled_from([LINCOLN, SOUTH, SEWARD]),
        last=st.sampled_from([MONDAY, MONDAY + timedelta(days=2)]),
        nurse=st.sampled_from([None, "rn-a", "rn-b"]),
        not_before=st.integers(0, 2 * 24 * 60).map(lambda minute: at(MONDAY, 0) + timedelta(minutes=minute)),
    ),
    max_size=12,
)


@given(_WISHES)
def test_whatever_is_asked_each_nurse_can_drive_her_day(wishes: list[Wish]) -> None:
    team = region(nurse("rn-a"), nurse("rn-b", base=SEWARD, begins=time(7), ends=time(12)))
    placed = filled(team, wishes)
    for one in team.nurses:
        mine = sorted((p for p in placed if p.nurse == one.id), key=lambda p: p.start)
        for on in {p.start.astimezone(CHICAGO).date() for p in mine}:
            _drivable(one, [p for p in mine if p.start.astimezone(CHICAGO).date() == on], on)


def _drivable(one: HomeNurse, day: Sequence[Place], on: date) -> None:
    stops = [
        (datetime.combine(on, one.begins, CHICAGO), datetime.combine(on, one.begins, CHICAGO), one.base),
        *((p.start, p.end, POINTS[p.postal_code]) for p in day),
        (datetime.combine(on, one.ends, CHICAGO), datetime.combine(on, one.ends, CHICAGO), one.base),
    ]
    assert len(day) <= ROADS.most_visits_per_day
    for (_, left, here), (comes, _, there) in pairwise(stops):
        assert left + timedelta(minutes=travel_minutes(here, there, ROADS)) <= comes


@given(_WISHES)
def test_the_same_question_has_the_same_answer_in_any_order_of_nurses_and_seats(wishes: list[Wish]) -> None:
    team = (nurse("rn-a"), nurse("rn-b", base=SEWARD))
    taken = [s for p in filled(region(*team), wishes[1:]) for s in seats(region(*team), p)]
    for one in wishes[:1]:
        assert places(region(*team), one, taken, ROADS) == places(region(*team[::-1]), one, taken[::-1], ROADS)


@given(st.sampled_from(sorted(POINTS)), st.sampled_from(sorted(POINTS)))
def test_a_road_is_as_long_back_as_it_is_there(one: str, other: str) -> None:
    assert miles(POINTS[one], POINTS[other]) == pytest.approx(miles(POINTS[other], POINTS[one]))
    assert travel_minutes(POINTS[one], POINTS[other], ROADS) >= ROADS.least_minutes_per_leg


def test_lincoln_and_omaha_are_as_far_apart_as_they_are() -> None:
    assert miles(POINTS[LINCOLN], Point("68131", "NE", 41.26, -95.96)) == pytest.approx(50.1, abs=0.5)


def test_a_night_when_the_clock_is_set_forward_moves_no_visit() -> None:
    sunday = date(2027, 3, 14)
    place = earliest(region(), wish(not_before=at(sunday, 0), last=sunday), (), ROADS)
    assert place is not None
    assert place.start.astimezone(CHICAGO).time() == time(8, 10)


def test_in_fourteen_full_days_of_thirty_nurses_each_seat_is_read_once_and_one_road_a_nurse_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = region(*(nurse(f"rn-{n:02}") for n in range(30)))
    last = MONDAY + timedelta(days=13)
    once, measured = iter(_full(home, last)), list[tuple[object, ...]]()

    def counted(*leg: Any) -> int:
        measured.append(leg)
        return travel_minutes(*leg)

    monkeypatch.setattr("services.nursing.planner.travel_minutes", counted)
    assert earliest(home, wish(last=last), once, ROADS) is None
    assert next(once, None) is None
    assert len(measured) == len(home.nurses)


def _full(home: HomeNursing, last: date) -> frozenset[Seat]:
    """Seven visits of an hour a nurse and day, under six turns: nobody has room, and every day is looked at."""
    days = [MONDAY + timedelta(days=n) for n in range((last - MONDAY).days + 1)]
    visits = (
        Place(one.id, at(on, 9 + turn), 60, 10, 10, turn, SOUTH)
        for one in home.nurses
        for on in days
        for turn in range(6)
    )
    return frozenset(s for place in visits for s in seats(home, place))


def _cells(begins: datetime, ends: datetime) -> Iterable[int]:
    return range(int(begins.timestamp()) // 300, int(ends.timestamp()) // 300)

"""Agencies are asked one after another, one takes a visit on, and what comes late, twice or from another is nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.nursing.agency import ENDED, Asking, Round, Sought, agency_round, answer_by
from services.nursing.deliver_agency import due
from shared.core import CANONICAL, Event, Resource
from shared.fhir import profiles
from shared.home import Agency
from shared.visits.elements import code_of, identified
from tests.services.nursing.test_planner import region

PROFILE = CANONICAL + "StructureDefinition/agency-visit-task"
AT = datetime(2026, 11, 30, 15, tzinfo=UTC)
WITHIN = timedelta(hours=4)
SKILLS = frozenset({"picc-dressing"})
FIRST = Agency("valley", "Valley", "agency-valley", "valley-client", frozenset({"NE"}), SKILLS)
SECOND = Agency("plains", "Plains", "agency-plains", "plains-client", frozenset({"NE", "KS"}), SKILLS | {"ivig"})
HOME = replace(region(), agencies=(FIRST, SECOND))
ORDER = {
    "resourceType": "ServiceRequest",
    "id": "in-ea866794-2a14-5842-bab6-ea54d88a9943",
    "subject": {"reference": "Patient/in-bfb5cb01-6aa8-5698-af20-07ff1793ed72"},
}
VISIT = "nu-446c6cb9-dd26-552d-9411-75b80dcdd3ea"
PARENT = "Task/nu-8a1f0c52-7d0e-5c39-9a6f-1f2f3d2b7c11"
DAYS = (date(2026, 12, 1), date(2026, 12, 2))
SOUGHT = Sought(ORDER, VISIT, PARENT, DAYS, ("dressing",), SKILLS, 60, "NE")
TIME = ("2026-12-01T15:00:00Z", "2026-12-01T16:00:00Z")


def event(kind: str = "wake", at: datetime = AT, source: str = "", **more: Any) -> Event:
    return Event(kind, more.pop("reason", "look"), "patient/p", at, at, source=source, **more)  # type: ignore[arg-type]


def said(task: Resource, status: str, agency: Agency = FIRST, time: Sequence[str] | None = TIME, **more: Any) -> Event:
    """What an agency PUTs on a Task."""
    brought: dict[str, Any] = {**task, "status": status, **more}
    brought.pop("output", None)
    if time and status in ("accepted", "completed"):
        brought["output"] = [{"type": _concept("agency-visit-output", "visit-time"), "valuePeriod": _period(time)}]
    return event("command", AT + timedelta(hours=1), agency.client, reason="task-answered", resources=(brought,))


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"https://carepod.example/fhir/CodeSystem/{system}", "code": code}]}


def _period(time: Sequence[str]) -> Mapping[str, str]:
    return dict(zip(("start", "end"), time, strict=True))


def taken(stored: Sequence[Resource], what: Event, sought: Sought = SOUGHT, *, wanted: bool = True) -> Round:
    found = agency_round(sought, stored, Asking(HOME, WITHIN, what), wanted=wanted)
    for task in found.tasks:
        assert not profiles.carepod().check(task, (PROFILE,))
    again = agency_round(sought, found.tasks, Asking(HOME, WITHIN, event(at=what.at)), wanted=wanted)
    assert again.tasks == found.tasks, "its own output changes nothing"
    return found


def owners(found: Round) -> list[tuple[str | None, str, str | None]]:
    return [
        (identified(t["owner"], "agency"), t["status"], code_of(t.get("statusReason"), "agency-visit-reason"))
        for t in found.tasks
    ]


def test_the_first_agency_that_can_is_asked_for_the_days_and_skills() -> None:
    found = taken((), event())
    (task,) = found.tasks
    assert owners(found) == [("valley", "requested", None)]
    assert (found.waiting, found.agreed, found.exhausted) == (True, None, False)
    assert task["restriction"]["period"] == {"start": "2026-12-01", "end": "2026-12-02"}
    assert answer_by(task) == AT + WITHIN
    assert found.wakes == {f"agency/{task['id']}": AT + WITHIN}


@pytest.mark.parametrize(
    ("state", "skills", "asked"),
    [("KS", SKILLS, ["plains"]), ("NE", {"ivig"}, ["plains"]), ("IA", SKILLS, []), ("NE", {"chemo"}, [])],
)
def test_only_an_agency_of_that_state_and_with_those_skills_is_asked(
    state: str, skills: set[str], asked: list[str]
) -> None:
    found = taken((), event(), replace(SOUGHT, state=state, competencies=frozenset(skills)))
    assert [name for name, _, _ in owners(found)] == asked
    assert found.exhausted is (not asked)


def test_an_agency_takes_the_visit_on_at_a_time() -> None:
    asked = taken((), event())
    found = taken(asked.tasks, said(asked.tasks[0], "accepted"))
    assert found.agreed is not None
    assert (found.agreed.agency, found.agreed.start, found.agreed.completed) == (
        "valley", datetime(2026, 12, 1, 15, tzinfo=UTC), False,
    )  # fmt: skip
    assert found.wakes == {f"agency/{asked.tasks[0]['id']}": None}
    assert not found.waiting


@pytest.mark.parametrize(("code", "kept"), [("capacity", "capacity"), ("territory", "territory"), ("mood", "unstated")])
def test_after_a_refusal_the_next_agency_is_asked(code: str, kept: str) -> None:
    asked = taken((), event())
    no = said(asked.tasks[0], "rejected", statusReason={**_concept("agency-visit-reason", code), "text": "Jane is ill"})
    found = taken(asked.tasks, no)
    assert owners(found) == [("valley", "rejected", kept), ("plains", "requested", None)]
    assert "text" not in found.tasks[0]["statusReason"], "free words of an agency go nowhere"


def test_a_person_is_asked_once_every_agency_has_refused() -> None:
    first = taken((), event())
    second = taken(first.tasks, said(first.tasks[0], "rejected"))
    last = taken(second.tasks, said(second.tasks[1], "rejected", SECOND))
    assert last.exhausted
    assert [status for _, status, _ in owners(last)] == ["rejected", "rejected"]


@pytest.mark.parametrize(("seconds", "silent"), [(-1, False), (0, True), (1, True)])
def test_silence_asks_the_next_agency_when_its_time_is_up(seconds: int, silent: bool) -> None:
    asked = taken((), event())
    found = taken(asked.tasks, event(at=AT + WITHIN + timedelta(seconds=seconds)))
    assert (len(found.tasks) == 2) is silent
    assert owners(found)[0] == (("valley", "cancelled", "silent") if silent else ("valley", "requested", None))


def test_a_late_acceptance_is_refused_and_changes_nothing() -> None:
    asked = taken((), event())
    passed_on = taken(asked.tasks, event(at=AT + WITHIN))
    late = taken(passed_on.tasks, said(asked.tasks[0], "accepted"))
    assert late.refusals == ("agency-visit-ended",)
    assert late.tasks == passed_on.tasks


def test_the_same_answer_twice_changes_nothing_and_is_no_error() -> None:
    asked = taken((), event())
    answer = said(asked.tasks[0], "accepted")
    once = taken(asked.tasks, answer)
    assert taken(once.tasks, answer) == once


def test_nobody_but_the_agency_asked_can_answer() -> None:
    asked = taken((), event())
    found = taken(asked.tasks, said(asked.tasks[0], "accepted", SECOND))
    assert found.refusals == ("agency-not-asked",)
    assert found.tasks == asked.tasks


@pytest.mark.parametrize(
    ("time", "code"),
    [
        (None, "agency-time-missing"),
        (("2026-12-01", "2026-12-02"), "agency-time-missing"),
        (("0001-01-01T00:00:00+14:00", "2026-12-01T16:00:00Z"), "agency-time-missing"),
        (("2026-12-01T15:00:00Z", "9999-12-31T23:59:59-12:00"), "agency-time-missing"),
        (("2026-12-01T15:00:60Z", "2026-12-01T16:00:60Z"), None),
        (("2026-12-01T16:00:00Z", "2026-12-01T16:00:00Z"), "agency-time-missing"),
        (("2026-12-01T05:59:59Z", "2026-12-01T07:00:00Z"), "agency-time-outside-days"),
        (("2026-12-03T06:00:00Z", "2026-12-03T07:00:00Z"), "agency-time-outside-days"),
        (("2026-12-01T06:00:00Z", "2026-12-01T07:00:00Z"), None),
        (("2026-12-03T05:59:59Z", "2026-12-03T07:00:00Z"), None),
    ],
)
def test_a_visit_is_taken_on_at_a_time_on_a_local_day_asked_for(time: Sequence[str] | None, code: str | None) -> None:
    asked = taken((), event())
    found = taken(asked.tasks, said(asked.tasks[0], "accepted", time=time))
    assert found.refusals == ((code,) if code else ())
    assert (found.agreed is None) is (code is not None)


def test_a_visit_can_be_moved_by_its_agency_and_made_and_reported_once() -> None:
    asked = taken((), event())
    agreed = taken(asked.tasks, said(asked.tasks[0], "accepted"))
    later = ("2026-12-02T15:00:00Z", "2026-12-02T16:00:00Z")
    moved = taken(agreed.tasks, said(asked.tasks[0], "accepted", time=later))
    assert moved.agreed is not None
    assert moved.agreed.start == datetime(2026, 12, 2, 15, tzinfo=UTC)
    made = taken(moved.tasks, said(asked.tasks[0], "completed", time=later))
    assert made.agreed is not None
    assert made.agreed.completed
    assert taken(made.tasks, said(asked.tasks[0], "rejected")).refusals == ("agency-visit-ended",)


def test_nobody_reports_a_visit_that_was_never_taken_on() -> None:
    asked = taken((), event())
    assert taken(asked.tasks, said(asked.tasks[0], "completed")).refusals == ("agency-answer-unexpected",)


@pytest.mark.parametrize("status", ["rejected", "cancelled"])
def test_an_agency_that_calls_off_loses_the_visit_to_the_next(status: str) -> None:
    asked = taken((), event())
    agreed = taken(asked.tasks, said(asked.tasks[0], "accepted"))
    found = taken(agreed.tasks, said(asked.tasks[0], status))
    assert owners(found) == [("valley", "cancelled", "called-off"), ("plains", "requested", None)]
    assert found.agreed is None
    assert "output" not in found.tasks[0]
    assert taken(found.tasks, said(asked.tasks[0], status)) == found


def test_what_the_agency_s_system_does_not_take_goes_to_the_next() -> None:
    asked = taken((), event())
    refused = event("answer", reason="agency-refused", focus=f"Task/{asked.tasks[0]['id']}")
    assert owners(taken(asked.tasks, refused))[0] == ("valley", "rejected", "refused")
    told = event("answer", reason="agency-told", focus=f"Task/{asked.tasks[0]['id']}")
    assert taken(asked.tasks, told).tasks == asked.tasks


@pytest.mark.parametrize("status", ["requested", "accepted"])
def test_a_visit_that_is_not_wanted_any_more_is_withdrawn(status: str) -> None:
    asked = taken((), event())
    before = taken(asked.tasks, said(asked.tasks[0], status))
    found = taken(before.tasks, event(), wanted=False)
    assert owners(found) == [("valley", "cancelled", "withdrawn")]
    assert (found.waiting, found.exhausted) == (False, False)


def test_other_days_are_asked_for_anew_of_the_same_agency() -> None:
    asked = taken((), event())
    other = replace(SOUGHT, days=(date(2026, 12, 7), date(2026, 12, 8)))
    found = taken(asked.tasks, event(), other)
    assert owners(found) == [("valley", "cancelled", "withdrawn"), ("valley", "requested", None)]
    back = taken(found.tasks, event())
    assert [s for _, s, _ in owners(back)] == ["cancelled", "cancelled", "requested"]


def test_tasks_of_other_visits_are_left_alone() -> None:
    other = taken((), event(), replace(SOUGHT, appointment="nu-00000000-0000-5000-8000-000000000000"))
    assert len(taken(other.tasks, event()).tasks) == 1


_ANSWERS = st.lists(
    st.tuples(st.sampled_from(["accepted", "rejected", "completed", "cancelled", "silence"]), st.booleans()), max_size=8
)


@given(_ANSWERS)
def test_whatever_is_answered_one_agency_at_most_has_the_visit_and_an_end_is_an_end(
    answers: list[tuple[str, bool]],
) -> None:
    rounds = [taken((), event())]
    for n, (status, by_first) in enumerate(answers):
        now = rounds[-1]
        agency, task = (FIRST, now.tasks[0]) if by_first else (SECOND, now.tasks[-1])
        later = AT + WITHIN * (n + 2)
        rounds.append(taken(now.tasks, event(at=later) if status == "silence" else said(task, status, agency)))
    for before, after in pairwise(rounds):
        assert sum(t["status"] in ("requested", "accepted", "completed") for t in after.tasks) <= 1
        ended = {t["id"]: t for t in before.tasks if t["status"] in ENDED}
        assert all(t == ended[t["id"]] for t in after.tasks if t["id"] in ended)


def test_an_agency_is_told_when_it_is_asked_and_when_we_take_it_back() -> None:
    asked = taken((), event())
    (task,) = asked.tasks
    assert due(None, task) == "requested"
    assert due(task, task) is None
    accepted = taken(asked.tasks, said(task, "accepted")).tasks[0]
    assert due(task, accepted) is None
    assert due(accepted, taken((accepted,), event(), wanted=False).tasks[0]) == "cancelled"
    assert due(task, taken((task,), event(at=AT + WITHIN)).tasks[0]) == "cancelled"


def test_an_agency_is_not_told_what_it_said_itself() -> None:
    asked = taken((), event())
    (task,) = asked.tasks
    accepted = taken(asked.tasks, said(task, "accepted")).tasks[0]
    assert due(accepted, taken((accepted,), said(task, "cancelled")).tasks[0]) is None
    assert due(task, taken(asked.tasks, said(task, "rejected")).tasks[0]) is None
    assert due(None, ORDER) is None

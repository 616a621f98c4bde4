"""Until when a payer decides, by line of business, benefit, item, urgency and date, and who looks before that."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.service import declared
from shared.core import Resource, Service
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import CHICAGO, NOW, PRACTICE, coded, coverage, order, payer, policy, referral
from tests.services.auth.test_never_silent import open_questions, the_open

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("decision-clocks.yaml").read_text(encoding="utf-8"))


def statement(about: str = "Expedited review", on: str = "2026-11-20", kind: str = "51852-2") -> Resource:
    return {
        "resourceType": "DocumentReference",
        "id": "in-statement",
        "status": "current",
        "type": coded("http://loinc.org", kind),
        "subject": {"reference": "Patient/in-p"},
        "date": f"{on}T12:00:00Z",
        "description": about,
        "content": [{"attachment": {"contentType": "text/plain", "data": "Tm90ZQ=="}}],
    }


@cache
def of_line(line: str) -> Service:
    """The practice with one commercial payer's line of business changed; its criteria stay."""
    return declared(replace(PRACTICE, payers=(payer("prairie-health", line),)))


def asked_for(line: str, priority: str = "routine", at: datetime = NOW, *more: Resource) -> Journey:
    """Until the request is sent, or a person is asked about it."""
    journey = Journey(service=of_line(line), at=at)
    today = at.astimezone(CHICAGO).date()
    taken = {"start": f"{today - timedelta(days=120)}", "end": f"{today - timedelta(days=10)}"}
    moved: dict[str, Any] = {"effectiveDateTime": today.isoformat(), "effectivePeriod": taken}
    dated = [r | {k: v for k, v in moved.items() if k in r} for r in referral()]
    start = (today + timedelta(days=2)).isoformat()
    return journey.benefit_known(*dated[1:], *more, order(priority=priority, occurrencePeriod={"start": start}))


def pended(line: str, priority: str = "routine", at: datetime = NOW, *more: Resource) -> Journey:
    journey = asked_for(line, priority, at, *more)
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4", created=at.isoformat()))
    return journey


def looked(journey: Journey, at: datetime) -> Journey:
    """The wake of the pend, as if it fell due then."""
    journey.at = at
    journey.wakes(f"pended:{journey.one('Claim')['id']}")
    return journey


@pytest.mark.parametrize("case", [pytest.param(c, id=" ".join(map(str, list(c.values())[:5]))) for c in CASES["rows"]])
def test_the_row_that_says_most_of_a_request_is_its_clock(case: dict[str, Any]) -> None:
    asked = payer("a-payer", case["line"])
    found = policy().clocks.decision(asked, case["benefit"], case["item"], case["urgency"], case["date"])
    assert (None if found is None else found.value) == case["is"]


ENDS = [pytest.param(c, id=f"{c['line']} {c['urgency']} {c['asked']}") for c in CASES["ends"]]


@pytest.mark.parametrize("case", ENDS)
def test_a_pended_request_shows_when_its_clock_ends_and_wakes_before_it(case: dict[str, Any]) -> None:
    at = datetime.fromisoformat(case["asked"])
    journey = pended(case["line"], case["urgency"], at, statement(on=at.date().isoformat()))
    assert journey.task["restriction"]["period"] == {"start": case["asked"], "end": case["shown"]}
    first = min(
        (datetime.fromisoformat(i) for i, code in case["looks"].items() if code == "decision-due"), default=None
    )
    (wake,) = journey.decisions[-1].wakes.values()
    assert wake is not None
    if first is not None:
        assert wake <= first
    for instant, code in case["looks"].items():
        then = pended(case["line"], case["urgency"], at, statement(on=at.date().isoformat()))
        assert open_questions(looked(then, datetime.fromisoformat(instant))) == ([code] if code else [])


def test_a_look_that_came_in_time_is_closed_when_the_payer_is_late_or_decides() -> None:
    journey = pended("medicare-advantage")
    for hours, code, name in (
        (60, "decision-due", "preauthorization-due"),
        (72, "payer-late", "preauthorization-unanswered"),
    ):
        looked(journey, NOW + timedelta(hours=hours))
        assert open_questions(journey) == [code]
        assert journey.decisions[-1].reason == name
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A1", "ph2"))
    assert open_questions(journey) == []
    assert "restriction" not in journey.task
    assert journey.decisions[-1].wakes == {f"pended:{claim['id']}": None}


def test_the_clock_runs_on_after_the_first_look_and_each_inquiry() -> None:
    journey = pended("medicare-advantage")
    key = f"pended:{journey.one('Claim')['id']}"
    assert journey.decisions[-1].wakes == {key: NOW + timedelta(hours=60)}
    assert looked(journey, NOW + timedelta(hours=60)).decisions[-1].wakes == {key: NOW + timedelta(hours=72)}
    journey.person(the_open(journey), "inquired")
    assert journey.decisions[-1].wakes == {key: NOW + timedelta(hours=72)}
    for late in (72, 96, 120):
        looked(journey, NOW + timedelta(hours=late))
        assert journey.decisions[-1].wakes == {key: None}
        journey.person(the_open(journey), "inquired")
        assert journey.decisions[-1].wakes == {key: NOW + timedelta(hours=late + 24)}
    assert len(journey.tasks("authorization-question")) == 4


def test_a_payer_that_takes_its_extension_is_late_only_after_it() -> None:
    journey = pended("commercial")
    journey.person(the_open(looked(journey, NOW + timedelta(days=14))), "extended")
    assert journey.task["restriction"]["period"]["end"] == "2026-12-21"
    assert open_questions(looked(journey, NOW + timedelta(days=16))) == []
    assert open_questions(looked(journey, NOW + timedelta(days=29))) == ["decision-due"]
    assert open_questions(looked(journey, NOW + timedelta(days=31))) == ["payer-late"]


def test_what_the_row_grants_is_told_to_the_person() -> None:
    journey = looked(pended("medicaid"), NOW + timedelta(hours=12))
    text = the_open(journey)["input"][0]["valueString"]
    assert "An emergency supply of 72 hours may be given meanwhile." in text
    assert "2026-11-22T10:00:00-06:00 (24 hours, standard)" in text


@pytest.mark.parametrize(("line", "told"), [("commercial", True), ("medicare-advantage", False)])
def test_a_group_plan_in_haste_asks_within_a_day_and_gives_two_to_answer(line: str, told: bool) -> None:
    haste = pended(line, "urgent", NOW, statement(on=NOW.date().isoformat()))
    text = the_open(looked(haste, NOW + timedelta(hours=71)))["input"][0]["valueString"]
    assert ("What it lacks it asks for within 24 hours, and gives 48 hours to answer." in text) == told


def test_a_second_pend_does_not_start_the_clock_again() -> None:
    journey = pended("medicare-advantage")
    journey.at = NOW + timedelta(hours=10)
    claim = journey.one("Claim")
    again = claim_answer(claim, "A4", "ph2", created=journey.at.isoformat())
    again["item"][0]["adjudication"][0]["reason"] = {"text": "Records asked for"}
    journey.answered("preauthorization-answered", claim, again)
    assert journey.task["restriction"]["period"]["start"] == NOW.isoformat()


@pytest.mark.parametrize("created", ["2026-11-21", "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_a_payer_whose_date_cannot_be_starts_its_clock_when_we_learn_of_it(created: str) -> None:
    journey = asked_for("medicare-advantage")
    claim = journey.one("Claim")
    journey.at = NOW + timedelta(minutes=5)
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4", created=created))
    assert journey.task["restriction"]["period"]["start"] == journey.at.isoformat()


def test_the_task_says_by_which_row_the_clock_runs_and_who_adopted_it() -> None:
    journey = pended("medicare-advantage")
    assert [n["text"] for n in journey.task["note"] if n["text"].startswith("Clock")] == [
        "Clock of 72 hours, standard, by auth/decision-clocks, a draft adopted by medical director on 2026-11-01: "
        "42 CFR 422.568: Part B drug organization determination, no extension; general knowledge (2026)"
    ]


# Expedited


@pytest.mark.parametrize(
    ("about", "on", "kind", "sent"),
    [
        ("Expedited review requested", "2026-11-21", "51852-2", "stat"),
        ("Delay could seriously jeopardize health", "2026-11-07", "34109-9", "stat"),
        ("Delay could seriously jeopardize health", "2026-11-06", "34109-9", None),
        ("Expedited review requested", "2026-11-22", "51852-2", None),
        ("Expedited review requested", "2026-11-21", "18842-5", None),
        ("Severe pain that nothing else manages", "2026-11-21", "51852-2", "stat"),
        ("Referral letter", "2026-11-21", "51852-2", None),
    ],
)
def test_only_a_recent_statement_of_the_prescriber_makes_an_urgent_request_expedited(
    about: str, on: str, kind: str, sent: str | None
) -> None:
    journey = asked_for("commercial", "urgent", NOW, statement(about, on, kind))
    claims = journey.of("Claim")
    assert [c["priority"]["coding"][0]["code"] for c in claims] == ([sent] if sent else [])
    assert open_questions(journey) == ([] if sent else ["expedited-unsupported"])
    if sent:
        assert "DocumentReference/in-statement" in str(claims[0]["supportingInfo"])


def test_severe_pain_is_a_reason_for_group_plans_and_not_for_medicare() -> None:
    pain = statement("Severe pain that nothing else manages")
    assert asked_for("medicare-advantage", "urgent", NOW, pain).of("Claim") == []


@pytest.mark.parametrize(("answer", "sent"), [("expedited", "stat"), ("standard", "normal")])
def test_a_person_says_what_an_urgent_order_without_a_statement_is_asked_for_as(answer: str, sent: str) -> None:
    journey = asked_for("commercial", "stat")
    assert (journey.status, journey.of("Claim")) == (("question", "on-hold"), [])
    journey.person(the_open(journey), answer)
    assert [c["priority"]["coding"][0]["code"] for c in journey.of("Claim")] == [sent]


def test_a_statement_alone_never_makes_a_routine_order_expedited() -> None:
    journey = asked_for("commercial", "routine", NOW, statement())
    assert journey.one("Claim")["priority"]["coding"][0]["code"] == "normal"


def test_an_urgent_order_that_lacks_something_says_what_before_anybody_is_asked_about_haste() -> None:
    resources = [r for r in referral()[1:] if r["id"] != "in-hemoglobin"]
    journey = Journey().benefit_known(*resources, order(priority="urgent"))
    assert journey.status == ("needs-information", "on-hold")
    assert open_questions(journey) == []


@pytest.mark.parametrize(("line", "words"), [("medicare-advantage", "binds the payer"), ("commercial", "may find")])
def test_the_note_says_whether_the_statement_binds_the_payer(line: str, words: str) -> None:
    journey = pended(line, "urgent", NOW, statement())
    assert words in next(n["text"] for n in journey.task["note"] if n["text"].startswith("Clock"))


def test_without_adopted_figures_a_pend_asks_a_person_at_once() -> None:
    adopted = tuple(a for a in PRACTICE.adopted if a.policy != "auth/decision-clocks")
    service = declared(replace(PRACTICE, payers=(payer("prairie-health", "medicare"),), adopted=adopted))
    journey = Journey(service=service).benefit_known(*referral(), coverage())
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    assert journey.decisions[-1].wakes == {f"pended:{claim['id']}": NOW}
    journey.wakes(f"pended:{claim['id']}")
    assert open_questions(journey) == ["payer-late"]

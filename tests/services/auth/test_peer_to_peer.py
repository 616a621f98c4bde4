"""A talk from peer to peer is an Appointment beside its Task: when it may be, what comes of it, and what it is not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.auth.discovery.hooks import call
from services.auth.facts import Facts
from services.auth.service import declared
from services.auth.words import ANSWER, APPOINTMENT_KIND, DOSE, OUTPUT
from shared.core import Decision, Resource, reference
from tests.services.auth.home import visit
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import (
    NOW,
    POLICIES,
    appointment,
    coded,
    coverage,
    order,
    practice,
    referral,
)
from tests.services.auth.test_allowances import told as allowed
from tests.services.auth.test_appeals import (
    NUMBER,
    PERIOD,
    denied,
    due,
    on,
    open_questions,
    says,
    the_appeal,
    the_open,
)
from tests.services.auth.test_discovery import asking, latest
from tests.services.auth.test_reverifying import occasions, woken

WHEN = "2026-12-01T15:00:00-06:00"
"""Ten days after NOW, which is 2026-11-21T10:00:00-06:00; the appeal may be filed until 2027-05-20."""


def at(when: str) -> dict[str, Any]:
    return {"type": coded(ANSWER, "talk-at"), "valueDateTime": when}


def wanted(payer_id: str = "prairie-health", journey: Journey | None = None) -> Journey:
    """A denial a person wants to talk about before it is appealed."""
    journey = journey or denied(payer_id)
    says(journey, the_appeal(journey), "peer-to-peer")
    return journey


def times(journey: Journey, *outputs: dict[str, Any]) -> Decision:
    """A person enters a time on the open Task of the talk."""
    return says(journey, the_open(journey), "", *outputs, status="requested")


def booked(when: str = WHEN) -> Journey:
    journey = wanted()
    times(journey, at(when))
    return journey


def talk(journey: Journey) -> Resource:
    (found,) = [a for a in journey.of("Appointment") if a["id"].startswith("au-")]
    return found


def timing(journey: Journey) -> tuple[Any, ...]:
    return tuple(talk(journey).get(k) for k in ("status", "start", "end", "minutesDuration"))


# What it says


def test_a_talk_that_is_wanted_is_an_appointment_nobody_has_timed() -> None:
    journey = wanted()
    (denial,) = journey.of("ClaimResponse")
    assert timing(journey) == ("proposed", None, None, None)
    assert talk(journey)["serviceCategory"] == [coded(APPOINTMENT_KIND, "peer-to-peer")]
    assert talk(journey)["basedOn"] == [{"reference": "ServiceRequest/in-order"}]
    assert talk(journey)["supportingInformation"] == [{"reference": reference(denial)}]
    assert talk(journey)["requestedPeriod"] == [{"end": due(the_open(journey))}]
    assert due(the_open(journey)) == "2027-05-20"


def test_prescriber_and_payer_are_to_talk_and_the_patient_is_only_named() -> None:
    patient, prescriber, payer = talk(wanted())["participant"]
    assert (patient["actor"], patient["required"]) == ({"reference": "Patient/in-p"}, "information-only")
    assert prescriber["actor"] == {"reference": "PractitionerRole/in-role"}
    assert payer["actor"]["identifier"]["value"] == "prairie-health"
    assert [p["status"] for p in (prescriber, payer)] == ["needs-action", "needs-action"]
    assert [p["status"] for p in talk(booked())["participant"]] == ["accepted", "accepted", "accepted"]


@pytest.mark.parametrize("requester", [{"reference": "PractitionerRole/in-elsewhere"}, {"reference": "Patient/in-p"}])
def test_a_prescriber_who_is_not_known_or_none_is_left_out(requester: dict[str, str]) -> None:
    journey = denied()
    journey.hears(order(requester=requester))
    actors = [p["actor"].get("reference") for p in talk(wanted(journey=journey))["participant"]]
    assert actors == ["Patient/in-p", None]


def test_no_other_answer_to_a_denial_makes_a_talk() -> None:
    journey = denied()
    assert journey.of("Appointment") == []
    says(journey, the_appeal(journey), "appeal")
    assert journey.of("Appointment") == []


# When it is


def test_the_time_a_person_enters_books_it_for_a_quarter_of_an_hour_and_says_by_which_figure() -> None:
    journey = booked()
    assert timing(journey) == ("booked", WHEN, "2026-12-01T15:15:00-06:00", 15)
    assert "auth/appeals, a draft adopted by medical director" in talk(journey)["comment"]
    assert the_open(journey)["status"] == "requested"
    assert journey.decisions[-1].reason == "question-answered"


def test_a_time_of_another_zone_is_told_by_the_practices_clock() -> None:
    assert timing(booked("2026-12-01T22:00:00+01:00"))[:2] == ("booked", WHEN)


def test_another_time_moves_the_same_appointment() -> None:
    journey = booked()
    first = talk(journey)
    times(journey, at("2026-12-02T09:30:00-06:00"))
    assert timing(journey) == ("booked", "2026-12-02T09:30:00-06:00", "2026-12-02T09:45:00-06:00", 15)
    versions = [int(r["meta"]["versionId"][2:]) for r in (first, talk(journey))]
    assert versions[0] + 1 == versions[1]


def test_the_same_time_again_changes_nothing_even_when_it_has_passed() -> None:
    journey = booked()
    assert times(journey, at(WHEN)).reason == "nothing-to-do"
    journey.at = datetime(2026, 12, 1, 22, tzinfo=UTC)
    assert times(journey, at(WHEN)).reason == "nothing-to-do"


BORDERS = [
    ("2026-11-21T09:59:59-06:00", ("talk-time-past",)),
    ("2026-11-21T10:00:00-06:00", ()),
    ("2027-05-20T23:59:59-05:00", ()),
    ("2027-05-21T00:00:00-05:00", ("talk-time-after-deadline",)),
    ("2027-05-21T06:59:59+02:00", ()),
    ("2026-12-01", ("talk-time-unclear",)),
    ("2026-12", ("talk-time-unclear",)),
    ("9999-12-31T23:59:59-12:00", ("talk-time-unclear",)),
    ("0001-01-01T00:00:00+14:00", ("talk-time-unclear",)),
]


@pytest.mark.parametrize(("when", "refusals"), BORDERS)
def test_a_talk_is_neither_before_now_nor_after_the_last_day_of_the_appeal(
    when: str, refusals: tuple[str, ...]
) -> None:
    journey = wanted()
    assert times(journey, at(when)).refusals == refusals
    assert talk(journey)["status"] == ("proposed" if refusals else "booked")


def test_a_time_that_is_refused_leaves_the_one_that_was_agreed_on() -> None:
    journey = booked()
    assert times(journey, at("2026-11-20T10:00:00-06:00")).refusals == ("talk-time-past",)
    assert timing(journey)[:2] == ("booked", WHEN)


@pytest.mark.parametrize(
    "outputs",
    [(at(WHEN), at("2026-12-02T15:00:00-06:00")), ({"type": coded(ANSWER, "talk-at"), "valueString": "on Tuesday"},)],
)
def test_two_times_or_none_that_can_be_read_are_refused(outputs: tuple[dict[str, Any], ...]) -> None:
    journey = wanted()
    assert times(journey, *outputs).refusals == ("talk-time-unclear",)
    assert timing(journey)[0] == "proposed"


def test_the_deadline_of_the_letter_is_the_last_day_of_the_talk() -> None:
    journey = denied()
    says(journey, the_appeal(journey), "", on("letter-deadline", "2026-12-01"), status="requested")
    wanted(journey=journey)
    assert talk(journey)["requestedPeriod"] == [{"end": "2026-12-01"}]
    assert times(journey, at("2026-12-02T00:00:00-06:00")).refusals == ("talk-time-after-deadline",)
    times(journey, at("2026-12-01T23:59:59-06:00"))
    assert talk(journey)["status"] == "booked"


def test_no_other_question_takes_the_time_of_a_talk() -> None:
    journey = denied()
    assert says(journey, the_appeal(journey), "", at(WHEN), status="requested").refusals == ("answer-missing",)
    says(journey, the_appeal(journey), "appeal")
    assert says(journey, the_open(journey), "", at(WHEN), status="requested").refusals == ("answer-missing",)
    assert journey.of("Appointment") == []


def test_where_no_figure_is_adopted_only_its_beginning_is_known() -> None:
    without = declared(practice(*(p for p in POLICIES if p != "appeals")))
    journey = Journey(without).benefit_known(*referral(payer_id="lakeland-advantage"))
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A3", created="2026-11-21T10:00:00Z"))
    wanted(journey=journey)
    times(journey, at(WHEN))
    assert timing(journey) == ("booked", WHEN, WHEN, None)
    assert "comment" not in talk(journey)


# What came of it


@pytest.mark.parametrize(("answer", "terms"), [("upheld", ()), ("overturned", (NUMBER, PERIOD))])
def test_a_talk_whose_outcome_is_entered_was_held(answer: str, terms: tuple[dict[str, Any], ...]) -> None:
    journey = booked()
    journey.at = datetime(2026, 12, 1, 21, 20, tzinfo=UTC)
    says(journey, the_open(journey), answer, *terms)
    assert timing(journey) == ("fulfilled", WHEN, "2026-12-01T15:15:00-06:00", 15)
    assert journey.status[0] == ("approved" if terms else "denied")


def test_a_talk_held_before_the_time_agreed_on_is_over_when_its_outcome_is_entered() -> None:
    journey = booked()
    says(journey, the_open(journey), "upheld")
    assert timing(journey)[:3] == ("fulfilled", "2026-11-21T09:45:00-06:00", "2026-11-21T10:00:00-06:00")


def test_a_talk_nobody_timed_is_over_when_its_outcome_is_entered() -> None:
    journey = wanted()
    says(journey, the_open(journey), "upheld")
    assert timing(journey)[:3] == ("fulfilled", "2026-11-21T09:45:00-06:00", "2026-11-21T10:00:00-06:00")


def test_the_time_may_be_said_with_the_outcome_and_before_it() -> None:
    journey = wanted()
    task = the_open(journey)
    said = {"type": coded(ANSWER, "upheld"), "valueBoolean": True}
    says(journey, task, "", at("2026-11-20T08:00:00-06:00"), said)
    assert timing(journey)[:2] == ("fulfilled", "2026-11-20T08:00:00-06:00")
    assert the_appeal(journey)["status"] == "requested"


def test_an_outcome_with_a_time_that_cannot_be_read_is_refused() -> None:
    journey = booked()
    assert says(journey, the_open(journey), "upheld", at("2026-12-01")).refusals == ("talk-time-unclear",)
    assert (talk(journey)["status"], open_questions(journey)) == ("booked", ["peer-to-peer"])


def test_an_overturned_denial_without_its_terms_leaves_the_talk_booked() -> None:
    journey = booked()
    assert says(journey, the_open(journey), "overturned", NUMBER).refusals == ("answer-missing",)
    assert talk(journey)["status"] == "booked"


def test_what_is_said_after_the_outcome_changes_nothing() -> None:
    journey = booked()
    task = the_open(journey)
    says(journey, task, "upheld")
    held = talk(journey)
    for answer, status in (("upheld", "completed"), ("overturned", "completed"), ("", "requested")):
        more = (at("2026-12-05T15:00:00-06:00"),) if not answer else (NUMBER, PERIOD)
        assert says(journey, task, answer, *more, status=status).refusals == ("question-closed",)
    journey.at = NOW + timedelta(days=3)
    journey.hears(order(requester={"reference": "Patient/in-p"}))
    assert talk(journey) == held


def test_a_talk_at_the_next_level_is_another_appointment() -> None:
    journey = booked()
    says(journey, the_open(journey), "upheld")
    says(journey, the_appeal(journey), "appeal")
    says(journey, the_open(journey), "upheld", on("letter-date", "2026-12-31"))
    says(journey, the_appeal(journey), "peer-to-peer")
    assert [a["status"] for a in journey.of("Appointment")] == ["fulfilled", "proposed"]
    assert journey.of("Appointment")[1]["requestedPeriod"] == [{"end": "2027-04-30"}]


def test_a_second_wish_to_talk_at_one_level_makes_no_second_appointment() -> None:
    journey = booked()
    says(journey, the_open(journey), "upheld")
    says(journey, the_appeal(journey), "peer-to-peer")
    assert (open_questions(journey), talk(journey)["status"]) == ([], "fulfilled")


# What calls it off


@pytest.mark.parametrize("journey", [wanted, booked])
def test_the_end_of_an_order_calls_the_talk_off(journey: Any) -> None:
    known: Journey = journey()
    times_before = timing(known)[1:]
    known.hears(order(status="revoked"))
    assert timing(known) == ("cancelled", *times_before)
    assert talk(known)["cancelationReason"]["text"] == "The order was revoked."


def test_a_talk_that_was_held_stays_held_when_the_order_ends() -> None:
    journey = booked()
    says(journey, the_open(journey), "upheld")
    journey.hears(order(status="revoked"))
    assert talk(journey)["status"] == "fulfilled"


def test_a_request_made_anew_after_the_payer_contradicted_itself_calls_it_off() -> None:
    journey = booked()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A1", "ph9"))
    assert talk(journey)["status"] == "booked"
    (other,) = [t for t in journey.tasks("authorization-question") if "another final decision" in str(t["input"])]
    journey.person(other, "resubmit")
    assert talk(journey)["status"] == "cancelled"
    assert talk(journey)["cancelationReason"]["text"] == "Overtaken by what is known now."


def test_an_order_that_comes_back_wants_the_same_talk_again_without_a_time() -> None:
    journey = booked()
    first = talk(journey)["id"]
    journey.hears(order(status="revoked"))
    journey.hears(order())
    assert (talk(journey)["id"], *timing(journey)) == (first, "proposed", None, None, None)
    assert "cancelationReason" not in talk(journey)


def test_a_talk_of_an_earlier_release_is_kept_as_an_appointment_while_it_is_open() -> None:
    journey, done = wanted(), wanted()
    del journey.store.known[reference(talk(journey))]
    journey.hears(order())
    assert talk(journey)["status"] == "proposed"
    task = the_open(done)
    del done.store.known[reference(talk(done))]
    said = [{"type": coded(ANSWER, "upheld"), "valueBoolean": True}]
    done.store.known[reference(task)] = {**task, "status": "completed", "output": said}
    done.hears(order())
    assert done.of("Appointment") == []


# What it is not


def test_a_talk_takes_no_units_and_answers_no_hold() -> None:
    journey = booked()
    says(journey, the_open(journey), "overturned", NUMBER, PERIOD)
    assert (journey.of("ChargeItem"), journey.outputs("hold-answer")) == ([], [])
    journey.hears(appointment())
    assert [a["valueReference"]["reference"] for a in _outputs(journey, "hold-answer")] == ["Appointment/sc-1-1"]


def _outputs(journey: Journey, code: str) -> list[Any]:
    return [o for o in journey.task["output"] if o["type"] == coded(OUTPUT, code)]


def test_a_talk_that_was_held_is_no_course_begun_under_another_plan() -> None:
    journey = booked()
    says(journey, the_open(journey), "upheld")
    journey.at = datetime(2026, 12, 1, 16, tzinfo=UTC)
    begun = coverage("lakeland-advantage", id="in-next", period={"start": "2026-12-01"})
    journey.hears(coverage(status="cancelled"), begun)
    assert talk(journey)["status"] == "fulfilled"
    assert allowed(journey) is None
    journey.hears(appointment(1, "fulfilled", None, on=date(2026, 11, 30)))
    assert allowed(journey) == [date(2026, 12, 1), date(2027, 2, 28)]


def test_a_benefit_is_not_verified_for_a_talk() -> None:
    journey = booked("2026-12-15T15:00:00-06:00")
    woken(journey, "2026-12-13")
    assert [reason for reason, _ in occasions(journey)] == ["initial"]


def test_a_talk_that_was_held_does_not_end_the_verifying_of_a_benefit() -> None:
    journey = booked()
    says(journey, the_open(journey), "overturned", NUMBER, PERIOD)
    woken(journey, "2026-12-21")
    assert occasions(journey)[1:] == [("monthly", "2026-12-21")]


def test_a_payers_rules_are_not_asked_about_a_talk() -> None:
    journey = booked()
    journey.hears(appointment(1, on=date(2026, 12, 3)))
    request, site = latest(journey), asking()
    payer = next(p for p in site.payers if p.id == "prairie-health")
    service = {"hook": "order-sign", "id": "s", "prefetch": {}}
    asked = call(request, journey.store.known, site, payer, service)
    assert asked is not None
    assert asked.visits == ("Appointment/sc-1-1",)


def test_a_talk_is_none_of_the_visits_of_an_order_whatever_it_says() -> None:
    journey = booked()
    journey.hears(appointment(), visit("infusion", 1))
    dose = {"url": DOSE, "extension": [{"url": "number", "valuePositiveInt": 1}]}
    numbered = {**talk(journey), "extension": [dose]}
    facts = Facts(journey.store.known | {reference(numbered): numbered})
    assert [a["id"] for a in facts.visits(order())] == ["sc-1-1", "nu-infusion-1"]
    assert len(facts.based_on(order(), "Appointment")) == 3

"""The next period of an authorization is worked in time, judged by the rules for renewals, and stands by the first."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.facts import facts_of
from services.auth.renewal.calendar import calendar
from services.auth.service import declared
from services.auth.viewing import case_of
from services.auth.wire.claims import CERTIFICATION
from services.auth.words import OUTPUT, STATUS, code_of, extension, period_of
from shared.core import Decision, Resource
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import (
    CHICAGO,
    PARTIES,
    POLICIES,
    START,
    appointment,
    coded,
    condition,
    coverage,
    medication,
    order,
    patient,
    policy,
    practice,
)

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("renewals.yaml").read_text(encoding="utf-8"))
INFLIXIMAB = ("infliximab-dyyb", "Q5103")
LOINC = "http://loinc.org"


def doses(count: int, every: int, milligrams: int = 300) -> dict[str, Any]:
    drug = medication(milligrams, count)
    drug["dosageInstruction"][0]["timing"]["repeat"]["period"] = every
    return drug


def on(days: int) -> date:
    return START + timedelta(days=days)


# The calendar


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in CASES])
def test_the_calendar_of_the_next_period(case: dict[str, Any]) -> None:
    visits = [appointment(n, "booked", on=on(day)) for n, day in case.get("moved", {}).items()]
    known = facts_of([order(INFLIXIMAB), coverage(case["payer"]), doses(case["count"], case["every"]), *visits])
    at = datetime.combine(START, time(10), CHICAGO)
    found = calendar(case_of(order(INFLIXIMAB), known, policy(), at), on(case["ends"]))
    if case.get("none"):
        assert found is None
        return
    assert found is not None
    told = {"first": found.uncovered[0][0], "doses": list(found.doses)}
    days = {"begins": found.begins, "due": found.starts_on, "asks": found.asks_on}
    told |= {k: (d - START).days for k, d in days.items()} | {"risk": (found.at_risk - START).days + 1}
    assert told == {k: v for k, v in case.items() if k not in ("name", "payer", "count", "every", "ends", "moved")}


def test_without_adopted_figures_no_renewal_is_worked() -> None:
    bare = declared(practice(*(p for p in POLICIES if p != "renewals")))
    journey = Journey(service=bare).approved(*maintained(), days=90)
    assert journey.tasks("renewal") == []


# Two periods


def screen(name: str, loinc: str, days_ago: int) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"in-{name}",
        "status": "final",
        "code": coded(LOINC, loinc),
        "subject": {"reference": "Patient/in-p"},
        "effectiveDateTime": (START - timedelta(days=days_ago)).isoformat(),
        "valueString": "negative",
    }


def maintained(count: int = 8) -> list[dict[str, Any]]:
    """Infliximab every four weeks for Crohn disease, with all that Prairie asks for at first."""
    tried = {
        "resourceType": "MedicationStatement",
        "id": "in-tried",
        "status": "stopped",
        "medicationCodeableConcept": {"text": "azathioprine"},
        "subject": {"reference": "Patient/in-p"},
    }
    crohn = order(INFLIXIMAB, reasonReference=[{"reference": "Condition/in-crohn"}])
    screens = [screen("tb", "71773-6", 30), screen("hbv", "5196-1", 30)]
    return [crohn, patient(), coverage(), doses(count, 28), condition("crohn", "K50.90"), *screens, tried, *PARTIES]


def response(day: int) -> dict[str, Any]:
    """A note of the response to the drug, written on a day of the course."""
    return {
        "resourceType": "DocumentReference",
        "id": f"in-note-{day}",
        "status": "current",
        "type": coded(LOINC, "11506-3"),
        "subject": {"reference": "Patient/in-p"},
        "date": datetime.combine(on(day), time(9), CHICAGO).isoformat(),
        "description": "Clinical response: in remission",
        "content": [{"attachment": {"contentType": "text/plain", "data": "cmVtaXNzaW9u"}}],
    }


def at(journey: Journey, day: int) -> Journey:
    journey.at = datetime.combine(on(day), time(12), CHICAGO)
    return journey


def woken(journey: Journey, day: int, what: str = "starts") -> Decision:
    return at(journey, day).wakes(f"renewal:{renewal(journey)['id']}:{what}")


def renewal(journey: Journey, period: int = 2) -> Resource:
    (found,) = (t for t in journey.tasks("renewal") if period_of(t) == period)
    return found


def said(journey: Journey, kind: str, period: int = 2) -> list[Any]:
    outputs = (o for o in renewal(journey, period).get("output", ()) if code_of(o["type"], OUTPUT) == kind)
    return [next(v for k, v in o.items() if k.startswith("value")) for o in outputs]


def stands(journey: Journey, period: int = 2) -> tuple[str | None, str]:
    task = renewal(journey, period)
    return code_of(task["businessStatus"], STATUS), task["status"]


def lacks(journey: Journey) -> list[str]:
    return [c["coding"][0]["code"] for c in said(journey, "missing")]


def claim_of(journey: Journey, period: int) -> Resource:
    (found,) = (c for c in journey.of("Claim") if period_of(c) == period)
    return found


def approved() -> Journey:
    """Approved for 90 days from 2026-11-23: four of eight doses; the request for the others is due on day 34."""
    return Journey().approved(*maintained(), days=90)


def renewed(action: str = "A1", units: Any = None, days: int = 365) -> Journey:
    """The request for the second period is sent on its day and answered."""
    journey = approved()
    at(journey, 33).hears(response(33))
    woken(journey, 34)
    claim = claim_of(journey, 2)
    journey.answered("preauthorization-answered", claim, claim_answer(claim, action, "ph2", units=units, days=days))
    return journey


def test_the_first_request_asks_for_the_doses_of_its_own_period() -> None:
    """Prairie's first period has 365 days: eight doses of four weeks lie in it, of fifteen fourteen do."""
    journey = Journey().benefit_known(*maintained(15))
    (item,) = journey.one("Claim")["item"]
    assert item["quantity"]["value"] == 14 * 30


def test_an_approval_opens_the_calendar_of_the_next_period() -> None:
    journey = approved()
    assert stands(journey) == ("investigating", "in-progress")
    assert said(journey, "start-by") == [on(34).isoformat()]
    assert said(journey, "gap-risk") == []
    wakes = next(d.wakes for d in reversed(journey.decisions) if d.wakes)
    days = {
        k.rpartition(":")[2]: v.astimezone(CHICAGO).date() for k, v in wakes.items() if v and k.startswith("renewal:")
    }
    assert days == {"asks": on(13), "starts": on(34), "risk": on(57)}


@pytest.mark.parametrize(("day", "asked"), [(12, False), (13, True), (14, True)])
def test_what_shows_the_response_is_asked_for_three_weeks_before(day: int, asked: bool) -> None:
    journey = approved()
    decision = woken(journey, day, "asks")
    assert lacks(journey) == (["response-documented-not-documented"] if asked else [])
    assert decision.reason == ("renewal-due" if asked else "nothing-to-do")
    assert len(journey.of("Claim")) == 1


@pytest.mark.parametrize(("day", "sent"), [(33, False), (34, True), (35, True)])
def test_a_complete_request_is_sent_on_its_day(day: int, sent: bool) -> None:
    journey = approved()
    at(journey, 20).hears(response(20))
    assert (stands(journey)[0], lacks(journey)) == ("investigating", [])
    decision = woken(journey, day)
    assert len(journey.of("Claim")) == (2 if sent else 1)
    assert (decision.reason == "renewal-asked") == sent


def test_a_request_that_is_due_waits_for_what_is_missing_and_goes_with_it() -> None:
    journey = approved()
    woken(journey, 40)
    assert (stands(journey), len(journey.of("Claim"))) == (("needs-information", "on-hold"), 1)
    assert at(journey, 41).hears(response(41)).reason == "renewal-asked"
    assert stands(journey) == ("submitted", "in-progress")


def test_the_request_says_that_it_is_a_renewal_and_of_which_period_and_doses() -> None:
    journey = approved()
    at(journey, 33).hears(response(33))
    woken(journey, 34)
    (item,) = claim_of(journey, 2)["item"]
    kind = (extension(item, CERTIFICATION) or {})["valueCodeableConcept"]["coding"][0]["code"]
    first = (extension(claim_of(journey, 1)["item"][0], CERTIFICATION) or {})["valueCodeableConcept"]
    assert (kind, first["coding"][0]["code"]) == ("R", "I")
    assert item["servicedPeriod"] == {"start": on(90).isoformat(), "end": on(90 + 364).isoformat()}
    assert item["quantity"]["value"] == 4 * 30


def test_a_granted_period_stands_on_both_tasks() -> None:
    journey = renewed()
    assert (journey.decisions[-1].reason, stands(journey)) == ("renewal-answered", ("approved", "completed"))
    assert [p["start"] for p in journey.outputs("period")] == [START.isoformat(), on(90).isoformat()]
    assert [q["value"] for q in journey.outputs("units")] == [8 * 30]
    assert [q["value"] for q in said(journey, "units")] == [4 * 30]
    assert journey.status == ("approved", "completed")


def test_a_visit_is_authorized_by_the_period_that_covers_its_date() -> None:
    journey = approved()
    journey.hears(appointment(4, on=on(84)), appointment(5, on=on(112)))
    assert [(o["valueReference"]["reference"][-3:], answer(o)) for o in holds(journey)] == [
        ("4-1", ("reserved", None)), ("5-1", ("refused", "outside-period")),
    ]  # fmt: skip
    at(journey, 33).hears(response(33))
    woken(journey, 34)
    claim = claim_of(journey, 2)
    journey.answered("preauthorization-answered", claim, claim_answer(claim, answer_id="ph2", units=30))
    journey.hears(appointment(5, hold=2, on=on(112)), appointment(6, on=on(140)))
    assert [answer(o) for o in holds(journey)] == [
        ("reserved", None), ("reserved", None), ("refused", "no-units-left"),
    ]  # fmt: skip
    assert [q["value"] for q in journey.outputs("units-left")] == [7 * 30]
    assert [q["value"] for q in said(journey, "units-left")] == [0]


def holds(journey: Journey) -> list[Any]:
    return [o for o in journey.task["output"] if code_of(o["type"], OUTPUT) == "hold-answer"]


def answer(output: Resource) -> tuple[str, str | None]:
    parts = {p["url"]: p for p in output["extension"][0]["extension"]}
    return parts["answer"]["valueCode"], parts.get("reason", {}).get("valueString")


@pytest.mark.parametrize(
    ("day", "risk"), [(56, []), (57, [{"start": on(112).isoformat(), "end": on(112).isoformat()}])]
)
def test_a_next_dose_that_nothing_covers_is_told(day: int, risk: list[Any]) -> None:
    journey = approved()
    woken(journey, 34)
    woken(journey, day, "risk")
    assert said(journey, "gap-risk") == risk
    notes = [n["text"] for n in renewal(journey).get("note", ()) if n["text"].startswith("Risk of a gap: ")]
    usual = f"asked on {on(34)}, the payer usually answers by {on(34 + 15)}"
    words = f"Risk of a gap: dose 5 on {on(112)} covered by no authorization; {usual}."
    assert notes == ([words] if risk else [])


def test_a_grant_ends_the_risk() -> None:
    journey = approved()
    woken(journey, 57, "risk")
    assert said(journey, "gap-risk")
    at(journey, 58).hears(response(58))
    claim = claim_of(journey, 2)
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A1", "ph2"))
    assert (said(journey, "gap-risk"), renewal(journey)["note"][1:]) == ([], [])


def test_a_denied_renewal_asks_about_an_appeal_and_leaves_the_first_period_as_it_is() -> None:
    journey = renewed("A3")
    assert stands(journey) == ("denied", "rejected")
    assert journey.status == ("approved", "completed")
    (appeal,) = journey.tasks("appeal")
    assert appeal["focus"]["reference"].startswith("ClaimResponse/")
    assert [p["start"] for p in journey.outputs("period")] == [START.isoformat()]


def test_a_request_a_person_makes_anew_is_one_of_its_own_period() -> None:
    """`resubmit` of the second period leaves the first one's request alone."""
    journey = approved()
    at(journey, 33).hears(response(33))
    woken(journey, 34)
    journey.answered("preauthorization-unreadable", claim_of(journey, 2))
    (question,) = journey.tasks("authorization-question")
    journey.person(question, "resubmit")
    assert sorted((period_of(c), c["status"]) for c in journey.of("Claim")) == [
        (1, "active"), (2, "active"), (2, "cancelled"),
    ]  # fmt: skip
    assert journey.status == ("approved", "completed")


def test_the_period_after_the_second_is_opened_when_that_is_granted() -> None:
    journey = renewed(days=56)
    assert stands(journey, 3) == ("investigating", "in-progress")
    assert said(journey, "start-by", 3) == [on(140 - 22 - 28).isoformat()]


def test_an_order_that_ends_takes_its_renewal_with_it() -> None:
    journey = approved()
    at(journey, 33).hears(response(33))
    woken(journey, 34)
    revoked = order(INFLIXIMAB, reasonReference=[{"reference": "Condition/in-crohn"}], status="revoked")
    journey.hears(revoked)
    assert stands(journey) == ("cancelled", "cancelled")
    assert claim_of(journey, 2)["status"] == "cancelled"
    assert claim_of(journey, 1)["status"] == "active"

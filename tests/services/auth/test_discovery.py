"""What a payer's own rules say of an order by CDS Hooks: asked on each occasion, kept, used, and never waited for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from services.auth.discovery.assertions import COVERAGE_INFORMATION, Assertion, asserted
from services.auth.discovery.findings import SILENT, TOLD, UNANSWERED, finding, hook_of
from services.auth.service import declared
from services.auth.words import OCCASION, part
from shared.borders import kind_of
from shared.core import Decision, Resource, Service
from shared.settings import Site
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.patient import FCM, NOW, POLICIES, START, appointment, coverage, medication, practice, referral

DRUG = "MedicationRequest/in-drug"
"""The order as it is sent to the payer's service."""
KIND = "CoverageEligibilityResponse#coverage-requirements"


@cache
def asking() -> Site:
    """The practice, whose first payer has CDS services."""
    site = practice(*POLICIES)
    first, *others = site.payers
    return replace(
        site, payers=(replace(first, coverage_requirements=first.partner), *others), address="http://us.test"
    )


@cache
def service() -> Service:
    return declared(asking())


def journey() -> Journey:
    return Journey(service=service())


def information(authorization: str | None, covered: str = "covered", **more: str) -> dict[str, Any]:
    parts: dict[str, dict[str, Any]] = {
        "coverage": {"valueReference": {"reference": "Coverage/in-coverage"}},
        "covered": {"valueCode": covered},
        "pa-needed": {"valueCode": authorization},
        "date": {"valueDate": "2026-11-21"},
        "coverage-assertion-id": {"valueString": "S-1"},
        "satisfied-pa-id": {"valueString": "PH-7"},
        "billingCode": {"valueCoding": {"code": "J1439"}},
    }
    left_out = {"satisfied-pa-id"} if authorization != "satisfied" else set()
    left_out |= {"pa-needed"} if authorization is None else set()
    told = {k: v | ({next(iter(v)): more[k]} if k in more else {}) for k, v in parts.items() if k not in left_out}
    return {"url": COVERAGE_INFORMATION, "extension": [{"url": k, **v} for k, v in told.items()]}


def without(told: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**told, "extension": [p for p in told["extension"] if p["url"] not in names]}


def answer(*told: Any) -> dict[str, Any]:
    return said_of("MedicationRequest", "in-drug", {"url": "urn:other"}, *told)


def said_of(kind: str, known: str, *told: Any, action: str = "update") -> dict[str, Any]:
    resource = {"resourceType": kind, "id": known, "extension": list(told)}
    return {"cards": [], "systemActions": [{"type": action, "resource": resource}]}


def of_any_drug() -> dict[str, Any]:
    return without(information("no-auth"), "billingCode")


def latest(known: Journey) -> Resource:
    return known.of("CoverageEligibilityRequest")[-1]


def told(known: Journey, *said: Any) -> Decision:
    """The payer's service answers the latest call."""
    request = latest(known)
    return known.answered(TOLD, request, finding(request, known.at, asserted(answer(*said), request, DRUG)))


def kept(known: Journey) -> list[Resource]:
    return [r for r in known.of("CoverageEligibilityResponse") if kind_of(r) == KIND]


def notes(known: Journey) -> list[str]:
    return [n["text"] for n in known.task.get("note", ()) if n["text"].startswith("Coverage requirements")]


def benefit(known: Journey, required: bool = True) -> None:
    known.answered("benefit-answered", latest(known), benefit_answer(latest(known), required=required))


def hooks(known: Journey) -> list[tuple[str, str | None]]:
    return [(part(r, OCCASION, "reason"), hook_of(r)) for r in known.of("CoverageEligibilityRequest")]


# What is read out of an answer

READ = [
    ("no-auth", "covered", "no-auth", ""),
    ("satisfied", "covered", "satisfied", "PH-7"),
    ("auth-needed", "covered", "auth-needed", ""),
    ("performpa", "covered", "performpa", ""),
    ("conditional", "conditional", "conditional", ""),
    (None, "not-covered", "conditional", ""),
]


@pytest.mark.parametrize(("said", "covered", "authorization", "number"), READ)
def test_coverage_information_is_read(said: str | None, covered: str, authorization: str, number: str) -> None:
    known = journey()
    known.hears(*referral())
    found = asserted(answer(information(said, covered)), latest(known), DRUG)
    assert isinstance(found, Assertion)
    assert (found.covered, found.authorization, found.number) == (covered, authorization, number)
    assert (found.on, found.key) == ("2026-11-21", "S-1")


NO_CODING = {"url": "billingCode", "valueString": "J1756"}
UNUSABLE: list[tuple[str, Any]] = [
    ("an empty object", {}),
    ("cards alone", {"cards": [{"summary": "No authorization is needed."}]}),
    ("actions that are text", {"systemActions": "none"}),
    ("an action without a resource", {"systemActions": [{"type": "delete", "resourceId": "in-drug"}]}),
    ("another coverage", answer(information("no-auth", coverage={"reference": "Coverage/another"}))),  # type: ignore[arg-type]
    ("another drug", answer(information("no-auth", billingCode={"code": "J1756"}))),  # type: ignore[arg-type]
    ("a billing code that is none", answer({**of_any_drug(), "extension": [*of_any_drug()["extension"], NO_CODING]})),
    ("a visit, of no drug by name", said_of("Appointment", "in-visit", of_any_drug())),
    ("a visit that was not sent", said_of("Appointment", "another", information("no-auth"))),
    ("an order that was not sent", said_of("ServiceRequest", "another", of_any_drug())),
    ("an order that is taken away", said_of("MedicationRequest", "in-drug", of_any_drug(), action="delete")),
    ("an order that is new", said_of("MedicationRequest", "in-drug", of_any_drug(), action="create")),
    ("a code CRD does not know", answer(information("maybe"))),
    ("a word for covered CRD does not know", answer(information("no-auth", covered="perhaps"))),
    ("no date", answer(without(information("no-auth"), "date"))),
    ("a date that is none", answer(information("no-auth", date="2026-02-30"))),
    ("a moment for a date", answer(information("no-auth", date="20261121"))),
    ("no id of the statement", answer(without(information("no-auth"), "coverage-assertion-id"))),
    ("satisfied without a number", answer(without(information("satisfied"), "satisfied-pa-id"))),
    ("two statements that differ", answer(information("no-auth"), information("auth-needed"))),
    ("a date that is a list", answer(information("no-auth", date=["2026-11-21"]))),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("body", [b for _, b in UNUSABLE], ids=[name for name, _ in UNUSABLE])
def test_an_answer_that_cannot_be_relied_on_says_why_and_the_authorization_goes_on(body: Any) -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    request = latest(known)
    why = asserted(body, request, DRUG, ("Appointment/in-visit",))
    assert isinstance(why, str)
    known.answered(TOLD, request, finding(request, NOW, why))
    assert known.status == ("submitted", "in-progress")
    assert [f["outcome"] for f in kept(known)] == ["error"]
    assert why in notes(known)[0]


def test_the_same_statement_twice_is_one() -> None:
    known = journey()
    known.hears(*referral())
    assert isinstance(asserted(answer(information("no-auth"), information("no-auth")), latest(known), DRUG), Assertion)


def test_what_is_said_of_a_visit_that_was_sent_counts_where_it_names_the_drug() -> None:
    known = journey()
    known.hears(*referral())
    body = said_of("Appointment", "in-visit", information("no-auth"))
    assert isinstance(asserted(body, latest(known), DRUG, ("Appointment/in-visit",)), Assertion)
    assert isinstance(asserted(body, latest(known), DRUG), str)


# What follows from it

FOLLOWS = [
    ("no-auth", True, ("not-required", "completed"), []),
    ("satisfied", True, ("not-required", "completed"), ["PH-7"]),
    ("auth-needed", False, ("submitted", "in-progress"), []),
    ("performpa", False, ("submitted", "in-progress"), []),
    ("conditional", True, ("submitted", "in-progress"), []),
    ("conditional", False, ("not-required", "completed"), []),
]


@pytest.mark.parametrize("first", ["the benefit", "the rules"])
@pytest.mark.parametrize(("said", "required", "stands", "numbers"), FOLLOWS)
def test_what_the_rules_say_of_the_order_goes_before_what_the_benefit_says_of_the_drug(
    said: str, required: bool, stands: tuple[str, str], numbers: list[str], first: str
) -> None:
    known = journey()
    known.hears(*referral())
    if first == "the benefit":
        benefit(known, required)
        assert known.status == ("investigating", "in-progress")
        told(known, information(said))
    else:
        assert told(known, information(said)).reason == TOLD
        benefit(known, required)
    assert known.status == stands
    assert known.outputs("number") == numbers
    (note,) = notes(known)
    assert note.startswith("Coverage requirements, Prairie-Health, 2026-11-21: ")
    assert said in note


def test_an_order_that_is_not_covered_is_not_asked_for() -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    told(known, information(None, "not-covered"))
    assert known.status == ("not-covered", "rejected")


def test_a_held_time_of_an_order_that_counts_as_given_needs_no_units() -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    told(known, information("satisfied"))
    assert known.hears(appointment(1)).reason == "dose-not-needing"


# A payer that does not answer


def test_a_payer_is_waited_for_five_seconds_and_no_longer() -> None:
    known = journey()
    wakes = known.hears(*referral()).wakes
    key = SILENT + latest(known)["id"]
    assert wakes[key] == NOW + timedelta(seconds=5)
    benefit(known)
    assert known.of("Claim") == []
    known.at = NOW + timedelta(seconds=5)
    assert known.wakes(key).reason == "preauthorization-asked"
    assert [f["disposition"] for f in kept(known)] == [UNANSWERED]
    assert UNANSWERED in notes(known)[0]


def test_a_late_answer_is_kept_and_changes_nothing_of_what_was_asked() -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    known.wakes(SILENT + latest(known)["id"])
    decision = told(known, information("no-auth"))
    assert decision.reason == TOLD
    assert [f["outcome"] for f in kept(known)] == ["complete"]
    assert known.status == ("submitted", "in-progress")
    assert "no-auth" in notes(known)[0]


def test_silence_and_another_answer_change_nothing_after_the_first() -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    told(known, information("no-auth"))
    request = latest(known)
    assert known.wakes(SILENT + request["id"]).reason == "nothing-to-do"
    assert known.answered(TOLD, request, finding(request, NOW, "Nothing.")).reason == "nothing-to-do"
    assert told(known, information("auth-needed")).reason == "nothing-to-do"


def test_a_payer_without_such_a_service_is_neither_asked_nor_waited_for() -> None:
    known = Journey()
    decision = known.hears(*referral())
    assert not any(key.startswith(SILENT) for key in decision.wakes)
    assert hook_of(latest(known)) is None
    benefit(known)
    assert known.status == ("submitted", "in-progress")


# When it is asked, and what an answer is good for


def test_another_dose_is_asked_about_anew_and_the_old_answer_counts_no_more() -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    told(known, information("no-auth"))
    known.hears(medication(500))
    assert hooks(known) == [("initial", "order-sign"), ("order-changed", "order-sign")]
    assert known.status == ("investigating", "in-progress")
    told(known, information("auth-needed"))
    assert known.status == ("submitted", "in-progress")


def test_with_the_first_dose_again_its_answer_counts_while_the_payer_is_asked_once_more() -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    told(known, information("no-auth"))
    known.hears(medication(500))
    known.hears(medication(750))
    assert len(hooks(known)) == 3
    assert known.status == ("not-required", "completed")


def test_a_changed_coverage_is_a_dispatch() -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    told(known, information("no-auth"))
    known.hears(coverage(subscriberId="PHP-482913508"))
    assert hooks(known)[1:] == [("coverage-changed", "order-dispatch")]
    assert known.status == ("not-required", "completed")


def test_a_visit_long_after_the_answer_is_a_booking() -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    told(known, information("no-auth"))
    far = START + timedelta(days=20)
    known.hears(appointment(1, start=f"{far}T15:00:00Z", end=f"{far}T16:00:00Z"))
    known.at = NOW + timedelta(days=19, hours=12)
    known.wakes("verify-benefit:" + appointment(1)["id"])
    assert ("visit", "appointment-book") in hooks(known)


def test_a_later_silence_leaves_what_was_said_before() -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    told(known, information("satisfied"))
    known.hears(coverage(subscriberId="PHP-482913508"))
    known.wakes(SILENT + latest(known)["id"])
    assert known.status == ("not-required", "completed")
    assert known.outputs("number") == ["PH-7"]
    assert ["satisfied" in n for n in notes(known)] == [True, False]


def test_a_payer_that_was_asked_already_keeps_its_claim_whatever_the_rules_say() -> None:
    known = journey()
    known.hears(*referral())
    benefit(known)
    told(known, information("auth-needed"))
    claim = known.one("Claim")
    known.answered("preauthorization-answered", claim, claim_answer(claim))
    known.hears(coverage(subscriberId="PHP-482913508"))
    told(known, information("no-auth"))
    assert known.status == ("approved", "completed")
    assert claim["item"][0]["productOrService"]["coding"][0]["code"] == FCM[1]

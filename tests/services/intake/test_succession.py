"""Referrals of one patient side by side: replaced, renewed, asked for twice; stays in hospital, and death."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from services.intake.succession import QUESTION
from shared.core import reference
from tests.services.intake.test_coordinator import _decoded, _text

LATER = {"timestamp": "2026-11-20T08:00:00-06:00"}
ORDER = "https://ehr.mercy.example/id/order"


def another(example: Any, replaces: str | None = None, **changes: Any) -> dict[str, Any]:
    """The same drug ordered again under other identifiers; `replaces` names the order it replaces."""
    text = _text(example("iron-meets-criteria"))
    for old, new in (("REF-2026-104417", "REF-2"), ("SO-778120", "SO-2"), ("RX-778120", "RX-2")):
        text = text.replace(old, new)
    bundle: dict[str, Any] = _decoded(text) | LATER
    if replaces:
        of_type(bundle, "ServiceRequest")["replaces"] = [{"reference": f"ServiceRequest?identifier={ORDER}|{replaces}"}]
    of_type(bundle, "ServiceRequest").update(changes)
    return bundle


def of_type(bundle: Mapping[str, Any], kind: str) -> Any:
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)


def orders(desk: Any) -> dict[str, str]:
    """Our orders: id -> status."""
    return {o["id"]: o["status"] for o in desk.all("ServiceRequest") if o.get("intent") == "filler-order"}


def referral(desk: Any, number: str) -> Any:
    """The referral Task of a placer identifier."""
    tasks = [t for t in desk.all("Task") if t["code"]["coding"][0]["code"] == "referral"]
    return next(t for t in tasks if any(i["value"] == number for i in t["identifier"]))


def revoked(example: Any) -> dict[str, Any]:
    bundle: dict[str, Any] = example("iron-meets-criteria") | LATER
    of_type(bundle, "ServiceRequest")["status"] = "revoked"
    return bundle


def test_an_order_that_replaces_another_goes_on_as_the_same_order_of_ours(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    before = orders(desk)
    desk.push(another(example, "SO-778120", occurrencePeriod={"start": "2026-12-15"}))
    assert orders(desk) == before
    assert desk.order["occurrencePeriod"]["start"] == "2026-12-15"
    assert referral(desk, "REF-2")["basedOn"] == [{"reference": reference(desk.order)}]
    old = referral(desk, "REF-2026-104417")
    assert (old["status"], old["statusReason"]["text"]) == (
        "cancelled",
        "Another order of the placer has replaced this one",
    )
    assert desk.hear().saves == ()


def test_a_chain_of_replacements_is_one_order(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.push(another(example, "SO-778120"))
    text = _text(another(example, "SO-2"))
    third = text.replace("REF-2", "REF-3").replace('"SO-2"', '"SO-3"').replace("RX-2", "RX-3")
    desk.push(_decoded(third) | {"timestamp": "2026-11-21T08:00:00-06:00"})
    assert list(orders(desk).values()) == ["active"]
    assert referral(desk, "REF-3")["status"] == "accepted"
    assert {referral(desk, n)["status"] for n in ("REF-2026-104417", "REF-2")} == {"cancelled"}


def test_a_replacement_of_what_is_unknown_stands_alone_until_it_comes(desk: Any, example: Any) -> None:
    desk.push(another(example, "SO-778120"))
    assert referral(desk, "REF-2")["status"] == "accepted"
    desk.push(example("iron-meets-criteria"))
    assert list(orders(desk).values()) == ["active"]
    assert referral(desk, "REF-2026-104417")["status"] == "cancelled"


@pytest.mark.parametrize(("days", "goes_on"), [(13, True), (14, True), (15, False)])
def test_the_same_drug_ordered_again_within_the_grace_is_a_change(
    days: int, goes_on: bool, desk: Any, example: Any
) -> None:
    desk.push(example("iron-meets-criteria"))
    before = orders(desk)
    desk.push(revoked(example))
    assert set(orders(desk).values()) == {"revoked"}
    desk.at += timedelta(days=days)
    desk.push(another(example))
    assert (set(orders(desk)) == set(before)) is goes_on
    assert "active" in orders(desk).values()


def test_a_second_referral_waits_until_a_person_has_chosen(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.push(another(example))
    assert sorted(orders(desk).values()) == ["active", "draft"]
    assert referral(desk, "REF-2")["status"] == "on-hold"
    assert desk.task(QUESTION)["focus"] == {"reference": reference(referral(desk, "REF-2026-104417"))}


@pytest.mark.parametrize(
    ("answer", "first", "second"),
    [
        ("both", "accepted", "accepted"),
        ("only-first", "accepted", "cancelled"),
        ("only-second", "cancelled", "accepted"),
    ],
)
def test_the_answer_says_which_go_on(answer: str, first: str, second: str, desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.push(another(example))
    code = {"coding": [{"system": "https://carepod.example/fhir/CodeSystem/answer", "code": answer}]}
    said = {**desk.task(QUESTION), "status": "completed", "output": [{"type": code, "valueBoolean": True}]}
    assert desk.answer(said).reason != "referral-refused"
    assert referral(desk, "REF-2026-104417")["status"] == first
    assert referral(desk, "REF-2")["status"] == second
    assert "draft" not in orders(desk).values()
    assert desk.hear().saves == ()


def test_the_placer_does_not_choose_himself(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.push(another(example))
    code = {"coding": [{"system": "https://carepod.example/fhir/CodeSystem/answer", "code": "both"}]}
    said = {**desk.task(QUESTION), "status": "completed", "output": [{"type": code, "valueBoolean": True}]}
    assert desk.answer(said, client="mercy-ehr").refusals == ("verification-not-by-placer",)


@pytest.mark.parametrize("code", ["confirmed", None])
def test_what_is_no_choice_is_refused(code: str | None, desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.push(another(example))
    typed = {"coding": [{"system": "https://carepod.example/fhir/CodeSystem/answer", "code": code}]}
    outputs = [{"type": typed, "valueBoolean": True}] if code else []
    refused = desk.answer({**desk.task(QUESTION), "status": "completed", "output": outputs})
    assert refused.refusals == ("answer-missing",)


def test_the_question_closes_when_the_first_is_taken_back_and_the_second_goes_on_in_its_place(
    desk: Any, example: Any
) -> None:
    desk.push(example("iron-meets-criteria"))
    before = set(orders(desk))
    desk.push(another(example))
    desk.push(revoked(example))
    assert desk.task(QUESTION)["status"] == "cancelled"
    assert [orders(desk)[o] for o in before] == ["active"]
    assert referral(desk, "REF-2")["status"] == "accepted"


def test_another_therapy_is_no_second_referral(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    other = example("infliximab-pended")
    of_type(other, "Patient")["identifier"] = deepcopy(of_type(example("iron-meets-criteria"), "Patient")["identifier"])
    desk.push(other)
    assert [t for t in desk.all("Task") if t["code"]["coding"][0]["code"] == QUESTION] == []


def stay(
    desk: Any, status: str, start: str = "2026-11-20", end: str | None = None, code: str = "IMP"
) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "identifier": [{"system": "https://ehr.mercy.example/id/encounter", "value": "E-1"}],
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code},
        "subject": {"reference": f"Patient/{desk.one('Patient')['id']}"},
        "period": {"start": start} | ({"end": end} if end else {}),
    }


def test_an_admission_holds_the_order_and_the_discharge_lets_it_go_on(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.send(stay(desk, "in-progress"))
    assert desk.order["status"] == "on-hold"
    assert desk.referral["statusReason"]["text"] == "The patient is in hospital"
    desk.send(stay(desk, "finished", end="2026-11-21"))
    assert (desk.order["status"], desk.referral["status"]) == ("active", "accepted")


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({"status": "planned"}, False),
        ({"status": "in-progress", "code": "AMB"}, False),
        ({"status": "onleave"}, True),
        ({"status": "in-progress", "start": "2026-11-18"}, False),
        ({"status": "in-progress", "start": "2026-11-19"}, True),
        ({"status": "in-progress", "start": "2026-11-22"}, False),
        ({"status": "in-progress", "end": "2026-11-20"}, False),
        ({"status": "in-progress", "end": "2026-11-21"}, True),
    ],
)
def test_only_a_stay_that_began_after_the_order_was_written_and_lasts_holds_it(
    changes: dict[str, Any], held: bool, desk: Any, example: Any
) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.send(stay(desk, **changes))
    assert (desk.order["status"] == "on-hold") is held


def test_a_stay_that_begins_or_ends_by_itself_is_looked_at_then(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    decision = desk.send(stay(desk, "in-progress", "2026-11-20", "2026-11-22T10:00:00+00:00"))
    [(name, due)] = [(k, v) for k, v in decision.wakes.items() if k.startswith("stay/")]
    desk.at = due
    desk.take("wake", name, f"patient/{desk.one('Patient')['id']}")
    assert desk.order["status"] == "active"


@pytest.mark.parametrize("said", [{"deceasedDateTime": "2026-11-21"}, {"deceasedBoolean": True}])
def test_a_patient_who_died_ends_everything(said: dict[str, Any], desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.send({**desk.one("Patient"), **said})
    assert (desk.order["status"], desk.missing) == ("revoked", ["patient-deceased"])
    assert (desk.referral["status"], desk.referral["statusReason"]["text"]) == ("cancelled", "The patient has died")


def test_a_renewed_order_is_judged_by_the_day_it_was_written_anew(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    first = desk.order["authoredOn"]
    desk.at += timedelta(days=120)
    renewed = another(example, "SO-778120", authoredOn="2027-03-20T08:00:00-06:00")
    of_type(renewed, "MedicationRequest")["authoredOn"] = "2027-03-20T08:00:00-06:00"
    of_type(renewed, "ServiceRequest")["occurrencePeriod"] = {"start": "2027-03-25"}
    desk.push(renewed)
    assert desk.order["authoredOn"] > first
    told = referral(desk, "REF-2")
    missing = {o["valueCodeableConcept"]["coding"][0]["code"] for o in told["output"] if "valueCodeableConcept" in o}
    assert "ferritin-out-of-date" in missing, missing
    assert desk.hear().saves == ()

"""What goes to who treats a patient: enough to treat him by, in its profile, and nothing of other parties."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from shared.core import PRACTICE_ONLY_LABEL
from shared.fhir.profiles import carepod
from shared.settings import ROOT
from shared.visits.treating import for_treatment
from tests.services.scheduling.patient import CHICAGO

ON = date(2026, 11, 30)
EXAMPLES = ROOT / "contracts" / "examples"
SENT = [
    "patient/full", "patient/minimal", "medication-request/full", "medication-request/minimal", "filler-order/full",
    "filler-order/minimal", "home-visit-appointment/full", "home-visit-appointment/agency",
    "home-visit-appointment/cancelled", "chair-appointment/full", "chair-appointment/cancelled-booked",
]  # fmt: skip
SOMEBODY_ELSES = "MEMBER-4711"


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def told(resource: dict[str, Any]) -> dict[str, Any]:
    return for_treatment(resource, ON, CHICAGO)


def patient(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "in-p", **elements}


def prescription(**elements: Any) -> dict[str, Any]:
    drug = {"resourceType": "Medication", "id": "drug", "code": {"text": "Vancomycin 1 g"}}
    return {
        "resourceType": "MedicationRequest",
        "id": "in-m",
        "status": "active",
        "intent": "order",
        "contained": [drug],
        "medicationReference": {"reference": "#drug"},
        "subject": {"reference": "Patient/in-p"},
        "dosageInstruction": [{"text": "1 g every 12 hours"}],
        **elements,
    }


@pytest.mark.parametrize("name", SENT)
def test_what_goes_is_still_what_its_profile_says(name: str) -> None:
    shaped = told(example(name))
    assert shaped["meta"]["profile"] == example(name)["meta"]["profile"]
    assert carepod().check(shaped, shaped["meta"]["profile"]) == []


@pytest.mark.parametrize("kind", ["Coverage", "RelatedPerson", "Observation", "Task"])
def test_no_other_kind_goes(kind: str) -> None:
    with pytest.raises(KeyError):
        told({"resourceType": kind, "id": "in-1"})


def test_a_patient_is_known_by_our_own_id_and_by_nobody_elses_number() -> None:
    numbers = [
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": SOMEBODY_ELSES},
        {"system": "https://other.example/mrn", "value": SOMEBODY_ELSES},
    ]
    shaped = told(patient(identifier=numbers))
    assert shaped["identifier"] == [{"system": "https://carepod.example/id/patient", "value": "in-p"}]


@pytest.mark.parametrize(
    "element",
    [
        {"link": [{"other": {"reference": f"Patient/{SOMEBODY_ELSES}"}, "type": "seealso"}]},
        {"contact": [{"name": {"text": SOMEBODY_ELSES}}]},
        {"contained": [{"resourceType": "Coverage", "id": "k", "subscriberId": SOMEBODY_ELSES}]},
        {"managingOrganization": {"display": SOMEBODY_ELSES}},
        {"extension": [{"url": "https://other.example/plan", "valueString": SOMEBODY_ELSES}]},
        {"text": {"status": "generated", "div": f"<div>{SOMEBODY_ELSES}</div>"}},
        {"photo": [{"title": SOMEBODY_ELSES}]},
        {"meta": {"source": SOMEBODY_ELSES, "tag": [{"code": SOMEBODY_ELSES}], "versionId": "1-1"}},
        {"name": [{"family": "Now", "extension": [{"url": "https://other.example/x", "valueString": SOMEBODY_ELSES}]}]},
        {"name": [{"use": "old", "family": SOMEBODY_ELSES}]},
        {"name": [{"use": "maiden", "family": SOMEBODY_ELSES}]},
        {"address": [{"use": "old", "text": SOMEBODY_ELSES}]},
        {"address": [{"use": "billing", "text": SOMEBODY_ELSES}]},
        {"telecom": [{"use": "old", "system": "phone", "value": SOMEBODY_ELSES}]},
    ],
    ids=str,
)
def test_what_nobody_needs_of_a_patient_stays_here(element: dict[str, Any]) -> None:
    assert SOMEBODY_ELSES not in json.dumps(told(patient(**element)))


def test_a_label_goes_with_what_it_is_on() -> None:
    assert told(patient(meta={"security": [PRACTICE_ONLY_LABEL]}))["meta"] == {"security": [PRACTICE_ONLY_LABEL]}


def test_a_nurse_learns_whom_she_visits_where_and_in_which_language() -> None:
    known = example("patient/full")
    shaped = told(known)
    for element in ("id", "name", "telecom", "gender", "birthDate", "address", "communication"):
        assert shaped[element] == known[element]


@pytest.mark.parametrize("element", ["name", "address", "telecom"])
@pytest.mark.parametrize(
    ("period", "goes"),
    [
        ({"end": "2026-11-29"}, False),
        ({"end": "2026-11-30"}, True),
        ({"end": "2026-12-01"}, True),
        ({"end": "2026-10"}, False),
        ({"end": "2026-11"}, True),
        ({"start": "2026-12-05"}, True),
        ({}, True),
    ],
)
def test_what_has_ended_stays_here_and_what_is_to_come_goes(element: str, period: dict[str, str], goes: bool) -> None:
    assert (element in told(patient(**{element: [{"text": "x", "value": "x", "period": period}]}))) is goes


def test_a_place_of_work_goes_only_where_no_home_is_known() -> None:
    home, work = {"use": "home", "city": "Beatrice"}, {"use": "work", "city": "Omaha"}
    assert told(patient(address=[work, home]))["address"] == [home]
    assert told(patient(address=[work]))["address"] == [work]


@pytest.mark.parametrize(
    "element",
    [
        {"insurance": [{"reference": "Coverage/in-k", "identifier": {"value": SOMEBODY_ELSES}}]},
        {"contained": [{"resourceType": "Coverage", "id": "k", "subscriberId": SOMEBODY_ELSES}]},
        {"contained": [{"resourceType": "RelatedPerson", "id": "k", "name": [{"text": SOMEBODY_ELSES}]}]},
        {"contained": [{"resourceType": "Medication", "id": "drug", "identifier": [{"value": SOMEBODY_ELSES}]}]},
        {"identifier": [{"value": SOMEBODY_ELSES}]},
        {"groupIdentifier": {"value": SOMEBODY_ELSES}},
        {"subject": {"reference": "Patient/in-p", "identifier": {"value": SOMEBODY_ELSES}, "display": SOMEBODY_ELSES}},
        {"supportingInformation": [{"reference": "Coverage/in-k", "display": SOMEBODY_ELSES}]},
        {"note": [{"authorReference": {"display": SOMEBODY_ELSES}, "text": "Premedicate."}]},
        {"dispenseRequest": {"performer": {"display": SOMEBODY_ELSES}}},
        {"extension": [{"url": "https://other.example/plan", "valueString": SOMEBODY_ELSES}]},
    ],
    ids=str,
)
def test_no_insurance_and_nobody_elses_number_goes_with_a_prescription(element: dict[str, Any]) -> None:
    assert SOMEBODY_ELSES not in json.dumps(told(prescription(**element)))


def test_a_prescription_says_what_is_given_how_how_much_and_by_whose_word() -> None:
    said = {
        "requester": {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1720458334"}},
        "reasonCode": [{"text": "Osteomyelitis"}],
        "note": [{"text": "Premedicate."}],
        "dispenseRequest": {"quantity": {"value": 14}},
        "doNotPerform": False,
    }
    written = prescription(**said)
    assert told(written) == written


def test_a_prescriber_who_does_not_go_along_is_still_named() -> None:
    doctor = {"resourceType": "Practitioner", "id": "doctor"}
    written = prescription(contained=[doctor], requester={"reference": "#doctor", "display": "Dr. Lind"})
    assert told(written)["requester"] == {"display": "Dr. Lind"}


def test_an_order_names_its_prescription_and_neither_coverage_nor_what_else_it_rests_on() -> None:
    order = example("filler-order/full")
    shaped = told(order)
    assert shaped["supportingInfo"] == order["supportingInfo"][:1]
    assert "Coverage/" not in json.dumps(shaped)
    assert (shaped["code"], shaped["reasonCode"]) == (order["code"], order["reasonCode"])


def test_a_visit_goes_without_what_it_waits_for_and_who_said_what_of_it() -> None:
    visit = example("home-visit-appointment/agency")
    shaped = told(visit)
    gone = [e for e in visit["extension"] if e not in shaped["extension"]]
    assert {e["url"].rpartition("/")[2] for e in gone} == {"visit-readiness"}
    assert {k: v for k, v in shaped.items() if k != "extension"} == {k: v for k, v in visit.items() if k != "extension"}

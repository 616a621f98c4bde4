"""Whatever is sent to a payer keeps our pas-request, Da Vinci PAS 2.2.1 and US Core 8.0.0, or it is not sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contracts.conformance import journeys
from services.auth.wire.bundles import eligibility_bundle, inquiry_bundle, request_bundle
from services.auth.wire.claims import PAS
from services.auth.wire.shapes import IDENTIFIER_TYPE, RELATIONSHIP
from services.auth.words import references, target
from shared.core import CANONICAL
from tests.services.auth.journey import Journey
from tests.services.auth.outward import broken_inside, broken_request, errors
from tests.services.auth.patient import (
    ADDED,
    PRACTICE,
    coded,
    complete,
    condition,
    coverage,
    lab,
    medication,
    order,
    patient,
    referral,
    weight,
)

PAYER = PRACTICE.payers[0]


async def sent(journey: Journey) -> dict[str, Any]:
    return request_bundle(journey.one("Claim"), await journey.gathered(), PRACTICE, PAYER)


def types(bundle: Mapping[str, Any]) -> list[str]:
    return [e["resource"]["resourceType"] for e in bundle["entry"]]


def resources(bundle: Mapping[str, Any], kind: str) -> list[Any]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def without(kind: str) -> list[dict[str, Any]]:
    return [r for r in referral() if r["resourceType"] != kind]


def bare(kind: str, *kept: str, **changes: Any) -> list[dict[str, Any]]:
    """A referral whose resources of one kind have only these elements."""
    shorn = [
        {k: v for k, v in r.items() if k in ("resourceType", "id", *kept)} if r["resourceType"] == kind else r
        for r in referral()
    ]
    return [r | changes if r["resourceType"] == kind else r for r in shorn]


PRACTITIONER = {"reference": "Practitioner/in-doctor"}
DOCUMENT: Mapping[str, Any] = {
    "resourceType": "DocumentReference",
    "id": "in-note",
    "status": "current",
    "type": coded("http://loinc.org", "11506-3"),
    "subject": {"reference": "Patient/in-p"},
    "content": [{"attachment": {"contentType": "text/plain", "data": "aXJvbg=="}}],
}
ELSEWHERE = {**DOCUMENT, "content": [{"attachment": {"contentType": "application/pdf", "url": "Binary/in-note"}}]}
LINKED = patient(link=[{"other": {"reference": "Patient/elsewhere"}, "type": "seealso"}])
CITING = order(supportingInfo=[{"reference": "MedicationRequest/in-drug"}, {"reference": "DocumentReference/in-note"}])
MOTHER = {
    "resourceType": "RelatedPerson",
    "id": "in-mother",
    "patient": {"reference": "Patient/in-p"},
    "name": [{"family": "Halvorsen", "given": ["Berit"]}],
    "birthDate": "1955-01",
}
CHILDS = coverage(relationship=coded(RELATIONSHIP, "child"), subscriber={"reference": "RelatedPerson/in-mother"})
NOT_IN_UCUM = lab("ferritin", 9)
NOT_IN_UCUM["valueQuantity"] = {"value": 9, "unit": "ng/mL", "code": "ng", "system": "urn:local"}
VARIANTS = [
    pytest.param(referral(), id="a sparse referral"),
    pytest.param(complete(referral()), id="a complete referral"),
    pytest.param(complete([*without("MedicationRequest"), medication(5, 2, "mg/kg"), weight(70)]), id="a weight"),
    pytest.param(bare("Patient", "name"), id="a patient without identifier and gender"),
    pytest.param(
        [*without("Patient"), patient(birthDate="1981", telecom=[{"value": "1"}])],
        id="a patient with half a birth date and half a telephone",
    ),
    pytest.param([*without("Patient"), LINKED], id="a patient linked to another"),
    pytest.param(
        bare("Coverage", "status", "beneficiary", "payor", identifier=[{"value": "PHP-482913507"}]),
        id="a coverage whose member id has no type",
    ),
    pytest.param(
        [*without("Coverage"), coverage(subscriber={"reference": "Patient/in-p"})],
        id="a coverage that names the subscriber",
    ),
    pytest.param([*without("Coverage"), CHILDS, MOTHER], id="a coverage of somebody else"),
    pytest.param([*referral()[1:], order(requester=PRACTITIONER)], id="a practitioner without a role"),
    pytest.param([*referral()[1:], order(requester={"reference": "Practitioner/gone"})], id="a prescriber we lack"),
    pytest.param([*referral()[1:], order(requester={"reference": "Patient/in-p"})], id="a patient who refers himself"),
    pytest.param(complete([*referral()[1:], CITING, DOCUMENT]), id="a document with its content"),
    pytest.param(complete([*referral()[1:], CITING, ELSEWHERE]), id="a document that lies elsewhere"),
    pytest.param(complete([r for r in referral() if r["id"] != "in-ferritin"] + [NOT_IN_UCUM]), id="units of its own"),
]


@pytest.mark.parametrize("received", VARIANTS)
async def test_every_request_keeps_our_profile_and_those_of_pas_and_us_core(received: list[dict[str, Any]]) -> None:
    journey = Journey().benefit_known(*received)
    assert broken_request(await sent(journey)) == []
    inquiry = inquiry_bundle(journey.one("Claim"), await journey.gathered(), PRACTICE, PAYER)
    assert [*errors(inquiry), *broken_inside(inquiry)] == []
    request = journey.one("CoverageEligibilityRequest")
    asked = eligibility_bundle(request, await journey.gathered(), PRACTICE, PAYER)
    assert [*errors(asked), *broken_inside(asked)] == []


@pytest.mark.slow
def test_every_request_of_a_demo_keeps_them_too(tmp_path: Path) -> None:
    requests = [e.resource for e in journeys.run(tmp_path) if e.to == "payer"]
    assert [broken_request(r) for r in requests] == [[], [], [], []]
    assert all(types(r)[0] == "Claim" and {"Observation", "Condition"} <= set(types(r)) for r in requests)
    assert sum("Bundle" in types(r) for r in requests) == 3  # no earlier treatment came with the antibiotic


async def test_what_is_said_whole_is_cited_itself_and_anything_else_is_enclosed() -> None:
    whole, sparse = await sent(Journey().benefit_known(*complete(referral()))), await sent(Journey().benefit_known())
    assert (types(whole).count("Observation"), types(whole).count("Condition")) == (3, 1)
    assert types(sparse).count("Observation") == 0
    enclosed = sorted(types(b)[0] for b in resources(sparse, "Bundle"))
    assert enclosed == ["Condition", "MedicationRequest", "MedicationStatement", *3 * ["Observation"]]


@pytest.mark.parametrize(
    "changed",
    [
        {"category": None}, {"subject": None}, {"valueQuantity": None}, {"effectiveDateTime": None},
        {"effectiveDateTime": "2026-11"},
    ],
)  # fmt: skip
async def test_a_result_of_which_us_core_wants_more_is_enclosed(changed: dict[str, Any]) -> None:
    ferritin = {k: v for k, v in {**ADDED["Observation"], **lab("ferritin", 9), **changed}.items() if v is not None}
    cited = order(supportingInfo=[{"reference": "Observation/in-ferritin"}, {"reference": "MedicationRequest/in-drug"}])
    others = [r for r in referral()[1:] if r["id"] != "in-ferritin"]
    journey = Journey().benefit_known(*complete([*others, cited]), ferritin, lab("ferritin", 9, id="in-other"))
    bundle = await sent(journey)
    assert "in-ferritin" in [b["entry"][0]["resource"]["id"] for b in resources(bundle, "Bundle")]
    assert broken_request(bundle) == []


async def test_a_document_that_lies_elsewhere_is_enclosed_without_an_address_that_leads_nowhere() -> None:
    bundle = await sent(Journey().benefit_known(*complete([*referral()[1:], CITING, ELSEWHERE])))
    (document,) = [r for b in resources(bundle, "Bundle") for r in resources(b, "DocumentReference")]
    assert document["content"] == [{"attachment": {"contentType": "application/pdf"}}]


async def test_of_a_chart_only_what_is_cited_and_whose_it_is_leaves() -> None:
    anemia = condition("anemia", "D50.0") | {"encounter": {"reference": "Encounter/in-visit"}}
    result = lab("hemoglobin", 9, basedOn=[{"reference": "ServiceRequest/in-received"}])
    received = {**order(), "id": "in-received", "intent": "order", "supportingInfo": []}
    visit = {
        "resourceType": "Encounter", "id": "in-visit", "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/in-p"},
    }  # fmt: skip
    others = [r for r in referral() if r["id"] not in ("in-anemia", "in-hemoglobin")]
    bundle = await sent(Journey().benefit_known(*complete([*others, anemia, result, received, visit])))
    assert not {"Encounter", "ServiceRequest", "Consent"} & set(types(bundle))
    inside = {e["fullUrl"].removeprefix(CANONICAL) for e in bundle["entry"]}
    assert set(references(bundle)) <= inside


async def test_a_patient_is_sent_with_what_names_him_and_no_more() -> None:
    told = patient(
        maritalStatus={"text": "x"}, contact=[{"name": {"family": "x"}}], link=LINKED["link"], photo=[{"title": "x"}]
    )
    bundle = await sent(Journey().benefit_known(*without("Patient"), told))
    (patient_sent,) = resources(bundle, "Patient")
    assert set(patient_sent) == {"resourceType", "id", "identifier", "name", "gender", "birthDate"}


async def test_a_subscriber_who_is_no_patient_of_ours_is_sent_as_one() -> None:
    bundle = await sent(Journey().benefit_known(*without("Coverage"), CHILDS, MOTHER))
    (covered,) = resources(bundle, "Coverage")
    (mother,) = [p for p in resources(bundle, "Patient") if f"Patient/{p['id']}" == target(covered["subscriber"])]
    assert mother["name"] == MOTHER["name"]
    assert "birthDate" not in mother


async def test_only_one_member_identifier_is_sent() -> None:
    two = [{"type": coded(IDENTIFIER_TYPE, "MB"), "value": v} for v in ("1", "2")]
    bundle = await sent(Journey().benefit_known(*without("Coverage"), coverage(identifier=two)))
    (covered,) = resources(bundle, "Coverage")
    assert [i["value"] for i in covered["identifier"]] == ["1"]


async def test_no_coding_of_ours_leaves() -> None:
    ours = coded(CANONICAL + "CodeSystem/site-of-care", "aic")
    result = lab("ferritin", 9, category=[{**ours, "text": "here"}, *ADDED["Observation"]["category"]], method=ours)
    others = [r for r in referral() if r["id"] != "in-ferritin"]
    bundle = await sent(Journey().benefit_known(*complete([*others, result])))
    (ferritin,) = [r for r in resources(bundle, "Observation") if r["id"] == "in-ferritin"]
    assert ferritin["category"] == [{"text": "here"}, *ADDED["Observation"]["category"]]
    assert "method" not in ferritin
    assert CANONICAL + "CodeSystem" not in str(bundle)


async def test_evidence_that_cannot_be_said_without_what_stays_here_is_left_out() -> None:
    unnamed = {k: v for k, v in medication().items() if k != "medicationCodeableConcept"}
    unnamed |= {"medicationReference": {"reference": "Medication/in-elsewhere"}}
    bundle = await sent(Journey().benefit_known(*without("MedicationRequest"), unnamed))
    assert "MedicationRequest" not in str(bundle)
    assert broken_request(bundle) == []


@pytest.mark.parametrize("requester", ["PractitionerRole/in-role", "Practitioner/in-doctor"])
async def test_the_prescriber_is_sent_in_a_role_that_can_be_reached(requester: str) -> None:
    bundle = await sent(Journey().benefit_known(*referral()[1:], order(requester={"reference": requester})))
    cited = bundle["entry"][0]["resource"]["careTeam"][0]["provider"]["reference"]
    (role,) = [e["resource"] for e in bundle["entry"] if e["fullUrl"] == CANONICAL + cited]
    assert (role["resourceType"], role["practitioner"]) == ("PractitionerRole", PRACTITIONER)
    assert role["telecom"] == [{"system": "phone", "value": "402-555-0117"}]  # invariant pd-1


async def test_a_member_who_is_the_subscriber_says_so_in_both_codes() -> None:
    (covered,) = resources(await sent(Journey().benefit_known()), "Coverage")
    assert [c["code"] for c in covered["relationship"]["coding"]] == ["self", "18"]  # invariant self-beneficiary


async def test_the_prescription_is_the_requested_service_only_as_an_active_order_of_somebody() -> None:
    dated = medication()
    dated["dosageInstruction"][0]["timing"]["repeat"]["boundsPeriod"] = {"end": "2027-01-01"}
    prescriptions = [
        (complete([medication()]), ["MedicationRequest/in-drug"]), (complete([medication(intent="plan")]), []),
        ([medication()], []), (complete([dated]), []),
    ]  # fmt: skip
    for drug, cited in prescriptions:
        bundle = await sent(Journey().benefit_known(*without("MedicationRequest"), *drug))
        extensions = bundle["entry"][0]["resource"]["item"][0]["extension"]
        named = [target(e["valueReference"]) for e in extensions if e["url"] == PAS + "extension-requestedService"]
        assert named == cited
        assert broken_request(bundle) == []

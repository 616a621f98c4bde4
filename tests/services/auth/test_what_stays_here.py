"""What a request to a payer leads to and must not carry: other people, other plans, and what nobody may be shown."""

from __future__ import annotations

from typing import Any

import pytest

from services.auth.discovery.hooks import call
from services.auth.wire.bundles import broken, eligibility_bundle, request_bundle
from services.auth.wire.shapes import IDENTIFIER_TYPE
from services.auth.wire.trimming import trimmed
from services.auth.wire.withdrawing import takes_back
from services.auth.words import PATIENT_ID
from shared.core import Resource, reference
from shared.fhir.json import encode
from tests.services.auth.assisted import consent
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.outward import broken_request
from tests.services.auth.patient import PRACTICE, coded, complete, coverage, lab, medication, order, patient, referral
from tests.services.auth.test_information import note

PAYER = PRACTICE.payers[0]
HIDDEN = "Zzhidden"
SSN = {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-11-2222"}
MINE = {"reference": "Coverage/in-coverage"}
RESTRICTED = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]}


def known(*others: Resource) -> Journey:
    """A whole referral, some of it in another form, with others beside it; the request is made."""
    ids = {r["id"] for r in others}
    return Journey().benefit_known(*(r for r in complete(referral()) if r["id"] not in ids), *others)


def prescription(**changes: Any) -> Resource:
    (drug,) = complete([medication(**changes)])
    return drug


def citing(*literals: str) -> Resource:
    cited = ("MedicationRequest/in-drug", *literals)
    return order(supportingInfo=[{"reference": literal} for literal in cited])


async def carried(journey: Journey, claim: Resource | None = None) -> list[Resource]:
    """Every resource of the request, which has to be one that may be sent."""
    bundle = request_bundle(claim or journey.one("Claim"), await journey.gathered(), PRACTICE, PAYER)
    assert broken(bundle) == []
    assert broken_request(bundle) == []
    return [e["resource"] for e in bundle["entry"]]


def of(kind: str, carried: list[Resource]) -> list[Resource]:
    return [r for r in carried if r["resourceType"] == kind]


# Other people, other plans


async def test_another_patient_whom_evidence_cites_stays_here() -> None:
    other = patient(id="in-q", name=[{"family": HIDDEN}])
    (result,) = complete([lab("ferritin", 9, performer=[{"reference": "Patient/in-q", "display": HIDDEN}])])
    sent = await carried(known(other, result))
    assert [p["id"] for p in of("Patient", sent)] == ["in-p"]
    assert "in-ferritin" in encode(sent).decode()
    assert HIDDEN not in encode(sent).decode()


async def test_the_subscriber_of_another_plan_stays_here_with_it() -> None:
    mother = {
        "resourceType": "RelatedPerson", "id": "in-mother", "patient": {"reference": "Patient/in-p"},
        "name": [{"family": HIDDEN}],
    }  # fmt: skip
    other = coverage("lakeland-advantage", id="in-other", subscriberId=HIDDEN, period={"end": "2026-01-01"})
    other["subscriber"] = {"reference": "RelatedPerson/in-mother"}
    drug = prescription(insurance=[MINE, {"reference": "Coverage/in-other"}])
    sent = await carried(known(drug, other, mother))
    assert [c["id"] for c in of("Coverage", sent)] == ["in-coverage"]
    assert of("MedicationRequest", sent)[0]["insurance"] == [MINE]
    assert HIDDEN not in encode(sent).decode()


@pytest.mark.parametrize("literal", ["Coverage/in-other", "https://ehr.example/fhir/Coverage/9", "#other", None])
async def test_of_another_plan_neither_number_nor_name_is_sent(literal: str | None) -> None:
    said = {"display": HIDDEN, "identifier": {"value": HIDDEN}, **({"reference": literal} if literal else {})}
    inside = {
        "resourceType": "Coverage", "id": "other", "status": "active", "subscriberId": HIDDEN,
        "beneficiary": {"reference": "Patient/in-p"}, "payor": [{"display": "x"}],
    }  # fmt: skip
    contained = {"contained": [inside]} if literal == "#other" else {}
    sent = await carried(known(prescription(insurance=[MINE, said], **contained)))
    assert of("MedicationRequest", sent)[0]["insurance"] == [MINE]
    assert HIDDEN not in encode(sent).decode()


def test_of_whoever_stays_here_the_name_is_kept_only_where_he_is_no_patient() -> None:
    said = {"display": "called so", "identifier": {"value": HIDDEN}}
    told = {"resourceType": "Observation", "performer": [
        {"reference": f"{kind}/in-x", **said} for kind in ("Patient", "Practitioner", "RelatedPerson", "Organization")
    ]}  # fmt: skip
    assert trimmed(told, ())["performer"] == [{"display": "called so"}] * 2


async def test_no_number_of_a_patient_but_that_of_a_record_is_sent() -> None:
    record = {"type": coded(IDENTIFIER_TYPE, "MR"), "system": "urn:ehr", "value": "4711"}
    others = {"type": coded(IDENTIFIER_TYPE, "MB"), "system": "urn:other:payer", "value": HIDDEN}
    for numbers, kept in (([SSN, record, others], record), ([SSN, others], {"system": PATIENT_ID, "value": "in-p"})):
        sent = await carried(known(patient(identifier=numbers)))
        assert of("Patient", sent)[0]["identifier"] == [kept]


# What a resource contains


@pytest.mark.parametrize("kind", ["Consent", "RelatedPerson", "Coverage", "Patient"])
async def test_what_a_prescription_contains_of_people_and_their_insurance_stays_here(kind: str) -> None:
    inside: dict[str, Resource] = {
        "Consent": consent(scope={"text": HIDDEN}),
        "RelatedPerson": {"patient": {"reference": "Patient/in-p"}, "name": [{"family": HIDDEN}]},
        "Coverage": coverage(subscriberId=HIDDEN),
        "Patient": {"name": [{"family": HIDDEN}]},
    }
    contained = {**inside[kind], "resourceType": kind, "id": "c"}
    journey = known(prescription(contained=[contained], supportingInformation=[{"reference": "#c"}]))
    sent = await carried(journey)
    assert "in-drug" in encode(sent).decode()
    assert HIDDEN not in encode(sent).decode()
    asked = journey.one("CoverageEligibilityRequest")
    hook = call(asked, await journey.gathered(), PRACTICE, PAYER, {"hook": "order-sign", "id": "s"})
    assert hook is not None
    assert HIDDEN not in encode(hook.body).decode()


def test_what_only_led_to_by_what_stays_here_stays_as_well() -> None:
    employer = {"resourceType": "Organization", "id": "o", "name": HIDDEN}
    role = {"resourceType": "PractitionerRole", "id": "r", "organization": {"reference": "#o"}}
    kin = {"resourceType": "RelatedPerson", "id": "k", "patient": {"reference": "#"}, "relationship": [{"text": "x"}]}
    kin["extension"] = [{"url": "urn:cared-for-by", "valueReference": {"reference": "#r"}}]
    drug = {"resourceType": "MedicationRequest", "contained": [employer, role, kin], "note": [{"text": "x"}]}
    assert "contained" not in trimmed(drug, ())
    doctor = {"resourceType": "Practitioner", "id": "d"}
    prescribed = {**drug, "contained": [doctor, kin], "requester": {"reference": "#d"}}
    assert trimmed(prescribed, ())["contained"] == [doctor]


# What nobody may be shown, at the time of sending


@pytest.mark.parametrize("how", ["again", "as taken back"])
async def test_a_consent_that_a_kept_request_cites_does_not_leave_with_it(how: str) -> None:
    journey = known(consent(consent_id="in-consent", scope={"text": HIDDEN}))
    made = journey.one("Claim")
    cited = {**made["supportingInfo"][0], "sequence": 99, "valueReference": {"reference": "Consent/in-consent"}}
    kept = {**made, "supportingInfo": [*made["supportingInfo"], cited]}
    journey.store.known[reference(kept)] = kept
    if how == "as taken back":
        journey.answered("preauthorization-answered", kept, claim_answer(kept, "A4"))
        journey.hears(order(status="revoked"))
    claim = journey.of("Claim")[-1]
    assert (takes_back(claim) is not None) == (how == "as taken back")
    sent = await carried(journey, claim)
    assert 99 not in [i["sequence"] for i in sent[0]["supportingInfo"]]
    assert HIDDEN not in encode(sent).decode()


@pytest.mark.parametrize("later", [{"status": "entered-in-error"}, {"status": "superseded"}, {"meta": RESTRICTED}])
async def test_what_is_taken_back_or_restricted_after_a_request_was_made_does_not_leave_with_it(later: Any) -> None:
    document = note(description=HIDDEN) | {"id": "in-document"}
    journey = known(citing("DocumentReference/in-document"), document)
    assert HIDDEN in encode(await carried(journey)).decode()
    journey.store.known["DocumentReference/in-document"] = document | later
    assert HIDDEN not in encode(await carried(journey)).decode()


@pytest.mark.parametrize("wrong", [{"docStatus": "entered-in-error"}, {"meta": RESTRICTED}])
def test_what_may_not_travel_is_not_cited(wrong: Any) -> None:
    claim = known(citing("DocumentReference/in-document"), note() | {"id": "in-document"} | wrong).one("Claim")
    assert "in-document" not in encode(claim).decode()


async def test_a_restricted_prescription_is_told_to_no_service_of_the_payer() -> None:
    journey = known(prescription(meta=RESTRICTED, note=[{"text": HIDDEN}]))
    asked = journey.one("CoverageEligibilityRequest")
    hook = call(asked, await journey.gathered(), PRACTICE, PAYER, {"hook": "order-sign", "id": "s"})
    assert hook is not None
    assert HIDDEN not in encode(hook.body).decode()


@pytest.mark.parametrize("kind", ["Patient", "RelatedPerson"])
async def test_who_asked_for_himself_is_told_to_no_service_of_the_payer(kind: str) -> None:
    other = {"resourceType": kind, "id": "in-q", "name": [{"family": HIDDEN}], "patient": {"reference": "Patient/in-p"}}
    journey = known(order(requester={"reference": f"{kind}/in-q"}), other)
    asked = journey.one("CoverageEligibilityRequest")
    gathered = await journey.gathered()
    assert call(asked, gathered, PRACTICE, PAYER, {"hook": "order-sign", "id": "s"}) is None
    assert HIDDEN not in encode(eligibility_bundle(asked, gathered, PRACTICE, PAYER)).decode()

"""What the payer is sent: whole in itself, Claim first, the same every time, legal for a second parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.bundle import Bundle

from services.auth.wire.bundles import eligibility_bundle, inquiry_bundle, request_bundle
from services.auth.words import references
from shared.core import CANONICAL
from shared.fhir.json import encode
from tests.services.auth.assisted import consent
from tests.services.auth.journey import Journey
from tests.services.auth.patient import PRACTICE, complete, coverage, medication, order, referral, validator, weight

PAYER = PRACTICE.payers[0]


def everything(value: Any) -> Iterator[Any]:
    yield value
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from everything(inner)


def types(bundle: dict[str, Any]) -> list[str]:
    return [e["resource"]["resourceType"] for e in bundle["entry"]]


async def sent(journey: Journey) -> dict[str, Any]:
    return request_bundle(journey.one("Claim"), await journey.gathered(), PRACTICE, PAYER)


async def test_the_claim_comes_first_and_every_resource_once() -> None:
    bundle = await sent(Journey().benefit_known(*complete(referral())))
    assert types(bundle)[0] == "Claim"
    assert len({e["fullUrl"] for e in bundle["entry"]}) == len(bundle["entry"])
    assert {"Patient", "Coverage", "MedicationRequest", "PractitionerRole", "Practitioner"} <= set(types(bundle))
    assert types(bundle).count("Organization") == 3
    assert types(bundle).count("Observation") == 3


async def test_every_reference_resolves_inside() -> None:
    bundle = await sent(Journey().benefit_known())
    inside = {e["fullUrl"].removeprefix(CANONICAL) for e in bundle["entry"]}
    assert set(references(bundle)) <= inside
    claim = bundle["entry"][0]["resource"]
    for element in ("patient", "insurer", "provider"):
        assert claim[element]["reference"] in inside


async def test_what_was_not_received_is_not_cited() -> None:
    bundle = await sent(Journey().benefit_known())
    assert "Consent/in-consent" not in set(references(bundle))
    assert "ServiceRequest/in-order" not in set(references(bundle))


async def test_what_a_patient_has_consented_to_is_not_the_payers() -> None:
    bundle = await sent(Journey().benefit_known(*complete(referral()), consent(consent_id="in-consent")))
    assert "Consent" not in [v.get("resourceType") for v in everything(bundle) if isinstance(v, Mapping)]


async def test_nothing_of_our_own_bookkeeping_leaves() -> None:
    bundle = await sent(Journey().benefit_known())
    urls = [v["url"] for v in everything(bundle) if isinstance(v, Mapping) and "url" in v]
    assert not [u for u in urls if u.startswith(CANONICAL)]
    assert all("versionId" not in e["resource"].get("meta", {}) for e in bundle["entry"])


async def test_a_second_parser_reads_it_and_each_resource_is_legal() -> None:
    journey = Journey().benefit_known(
        *complete([*(r for r in referral() if r["id"] != "in-drug"), medication(5, 2, "mg/kg"), weight(70)])
    )
    bundle = await sent(journey)
    parsed: Any = Bundle.model_validate(orjson.loads(encode(bundle)))
    assert parsed.entry[0].resource.get_resource_type() == "Claim"
    assert [i for e in bundle["entry"] for i in validator().check(e["resource"])] == []
    assert "Observation/in-weight" in set(references(bundle["entry"][0]["resource"]))


async def test_a_retry_sends_the_same_bytes() -> None:
    journey = Journey().benefit_known()
    first = encode(await sent(journey))
    assert encode(await sent(journey)) == first
    assert (await sent(journey))["identifier"] == journey.one("Claim")["identifier"][0]


async def test_an_item_carries_what_pas_demands() -> None:
    item = (await sent(Journey().benefit_known(*complete(referral()))))["entry"][0]["resource"]["item"][0]
    assert [e["url"].rpartition("-")[2] for e in item["extension"]] == [
        "serviceItemRequestType", "certificationType", "requestedService",
    ]  # fmt: skip
    assert item["productOrService"]["coding"][0]["code"] == "J1439"
    assert item["locationCodeableConcept"]["coding"][0]["code"] == "49"
    assert item["quantity"]["value"] == 1500


@pytest.mark.parametrize(("site", "place"), [("aic", "49"), ("hopd", "22"), ("home", "12")])
def test_the_site_of_care_says_the_place_of_service(site: str, place: str) -> None:
    concept = {"coding": [{"system": CANONICAL + "CodeSystem/site-of-care", "code": site}]}
    journey = Journey().benefit_known(*referral()[1:], order(locationCode=[concept]))
    item = journey.one("Claim")["item"][0]
    assert item["locationCodeableConcept"]["coding"][0]["code"] == place


def test_an_urgent_order_asks_for_a_fast_answer() -> None:
    journey = Journey().benefit_known(*referral()[1:], order(priority="urgent"))
    journey.person(journey.tasks("authorization-question")[0], "expedited")
    assert journey.one("Claim")["priority"]["coding"][0]["code"] == "stat"


async def test_the_insurer_is_the_payer_as_configured_whatever_resource_the_coverage_names() -> None:
    organization = {
        "resourceType": "Organization",
        "id": "in-payer",
        "identifier": [{"system": "https://carepod.example/id/payer", "value": "prairie-health"}],
        "name": "Prairie Health Plan",
    }
    covered = coverage(payor=[{"reference": "Organization/in-payer"}])
    resources = [r for r in referral() if r["resourceType"] != "Coverage"]
    bundle = await sent(Journey().benefit_known(*resources, covered, organization))
    (sent_coverage,) = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Coverage"]
    insurer = bundle["entry"][0]["resource"]["insurer"]["reference"]
    assert sent_coverage["payor"] == [{"reference": insurer}]
    (named,) = [e["resource"] for e in bundle["entry"] if e["fullUrl"] == CANONICAL + insurer]
    assert (named["active"], named["name"]) == (True, PAYER.name)
    assert "in-payer" not in {e["resource"]["id"] for e in bundle["entry"]}


async def test_an_inquiry_asks_by_the_same_identifier_without_the_evidence() -> None:
    journey = Journey().benefit_known()
    claim = {**journey.one("Claim"), "status": "cancelled"}
    asked = inquiry_bundle(claim, await journey.gathered(), PRACTICE, PAYER)
    inquiry = asked["entry"][0]["resource"]
    assert inquiry["identifier"] == claim["identifier"]
    assert inquiry["status"] == "active"
    assert "supportingInfo" not in inquiry
    assert set(references(asked)) <= {e["fullUrl"].removeprefix(CANONICAL) for e in asked["entry"]}
    assert validator().check(inquiry) == []


async def test_a_benefit_request_travels_with_its_coverage_and_patient() -> None:
    journey = Journey()
    journey.hears(*referral())
    bundle = eligibility_bundle(journey.one("CoverageEligibilityRequest"), await journey.gathered(), PRACTICE, PAYER)
    assert types(bundle)[0] == "CoverageEligibilityRequest"
    assert {"Patient", "Coverage", "Organization"} <= set(types(bundle))
    assert Bundle.model_validate(orjson.loads(encode(bundle)))


def test_units_keep_a_whole_number() -> None:
    journey = Journey().benefit_known(*[r for r in referral() if r["id"] != "in-drug"], medication(Decimal("749.5"), 2))
    assert journey.one("Claim")["item"][0]["quantity"]["value"] == 1500

"""A payer without an interface is asked on paper by a person, and what it answers stands like any other answer."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import pytest

from services.auth.deliver import deliver_cancellation, deliver_claim
from services.auth.papers.packet import source_of
from services.auth.service import declared
from services.auth.words import question_code
from shared.core import CANONICAL, Answer, Decision, Event, Resource, reference
from shared.settings import SettingsError, Site, _payer
from tests.services.auth.journey import Journey
from tests.services.auth.patient import FCM, LANE, NOW, PRACTICE, START, coded, lab, order, referral
from tests.services.auth.test_deliver import Outside
from tests.services.auth.test_information import note

ANSWER, OUTPUT = CANONICAL + "CodeSystem/answer", CANONICAL + "CodeSystem/preauthorization-output"
FAX = "+1-402-555-0199"


def by(pathway: str, **way: str) -> Site:
    payers = tuple(replace(p, pathway=pathway, **way) if p.id == "prairie-health" else p for p in PRACTICE.payers)
    return replace(PRACTICE, payers=payers)


FAXING = by("fax", fax=FAX)


def asked(site: Site = FAXING) -> Journey:
    return Journey(service=declared(site)).benefit_known()


def question(journey: Journey) -> Resource:
    (found,) = [q for q in journey.tasks("authorization-question") if question_code(q) == "request-by-hand"]
    return found


def enters(journey: Journey, *outputs: dict[str, Any]) -> Decision:
    """The person who sent the packet enters what the payer answered."""
    said = {**question(journey), "status": "completed", "output": list(outputs)}
    return journey.take(Event("command", "task-answered", LANE, NOW, NOW, (said,), reference(said), "person"))


def said(code: str) -> dict[str, Any]:
    return {"type": coded(ANSWER, code), "valueBoolean": True}


LETTER = {"type": coded(ANSWER, "letter-date"), "valueDate": "2026-11-25"}
NUMBER = {"type": coded(OUTPUT, "number"), "valueString": "FX-4711"}
PERIOD = {
    "type": coded(OUTPUT, "period"),
    "valuePeriod": {"start": START.isoformat(), "end": "2027-02-20"},
}
REASON = {"type": coded(OUTPUT, "denial-reason"), "valueCodeableConcept": {"text": "Step therapy not shown"}}


def units(value: int, code: str = FCM[1]) -> dict[str, Any]:
    hcpcs = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
    return {"type": coded(OUTPUT, "units"), "valueQuantity": {"value": value, "system": hcpcs, "code": code}}


def words(paper: bytes) -> str:
    """What stands on a paper, whatever it is set in."""
    pieces = [p.decode("cp1252").replace("\\(", "(").replace("\\)", ")") for p in re.findall(rb"\((.*?)\) Tj", paper)]
    return " ".join("".join(pieces).split())


# What is asked


def test_a_complete_request_becomes_a_packet_and_a_question_in_the_same_decision() -> None:
    journey = asked()
    assert journey.status == ("submitted", "in-progress")
    (document,) = [d for d in journey.of("DocumentReference") if d["id"].startswith("au-")]
    assert document["content"][0]["attachment"]["url"] == reference(journey.one("Binary"))
    assert question(journey)["reasonReference"]["reference"] == reference(document)
    assert f"fax to {FAX}" in question(journey)["input"][0]["valueString"]


def test_a_portal_is_named_where_the_payer_has_one() -> None:
    journey = asked(by("portal", portal="https://portal.example/auth"))
    assert "its portal, https://portal.example/auth" in question(journey)["input"][0]["valueString"]


def test_documents_at_hand_are_named_to_be_sent_with_the_packet() -> None:
    cited = [*order()["supportingInfo"], {"reference": "DocumentReference/in-note-2026-11-22"}]
    chart = (*referral(), note(content=[{"attachment": {"url": "Binary/in-bytes"}}]), order(supportingInfo=cited))
    journey = Journey(service=declared(FAXING)).benefit_known(*chart)
    assert "(DocumentReference/in-note-2026-11-22)" in question(journey)["input"][0]["valueString"]
    assert "DocumentReference/" not in question(asked())["input"][0]["valueString"]


def test_the_packet_says_who_what_why_and_where_every_fact_comes_from() -> None:
    journey = asked()
    said = words(base64.b64decode(journey.one("Binary")["data"]))
    for each in (
        "Prairie-Health", FAX, "Halvorsen", "PHP-482913507", "J1439", "D50.0", "1500", "NPI 1548302763",
        "Request form", "Letter of medical necessity", "Clinical evidence", "Laboratory results",
        "2276-4", "9 ng/mL", "Observation in-ferritin,",
    ):  # fmt: skip
        assert each in said, each


def test_a_packet_is_made_once_whatever_arrives_later() -> None:
    journey = asked()
    first = journey.one("Binary")
    journey.hears(lab("ferritin", 8))
    assert journey.one("Binary") == first


def test_a_paper_of_ours_is_evidence_of_nothing() -> None:
    journey = asked()
    claim = journey.one("Claim")
    assert all("au-" not in i["valueReference"]["reference"] for i in claim["supportingInfo"])
    assert journey.hears(lab("hemoglobin", 9)).reason == "nothing-to-do"


async def test_nothing_of_it_leaves_by_the_interface() -> None:
    journey = asked()
    claim = journey.one("Claim")
    assert await deliver_claim(claim, journey.store, Outside(FAXING)) == Answer("preauthorization-by-hand")
    assert await deliver_cancellation(claim, journey.store, Outside(FAXING)) == Answer("payer-keeps")


# What is answered


def test_an_approval_entered_stands_with_its_number_dates_and_the_units_asked_for() -> None:
    journey = asked()
    assert enters(journey, said("approved"), LETTER, NUMBER, PERIOD).reason == "preauthorization-approved"
    assert journey.status == ("approved", "completed")
    assert journey.outputs("number") == ["FX-4711"]
    assert [q["value"] for q in journey.outputs("units")] == [1500]
    assert journey.one("ClaimResponse")["created"] == "2026-11-25"


def test_the_date_of_the_letter_may_be_said_before_the_answer() -> None:
    journey = asked()
    assert enters(journey, LETTER, said("approved"), NUMBER, PERIOD).reason == "preauthorization-approved"
    assert journey.one("ClaimResponse")["created"] == "2026-11-25"


def test_fewer_units_than_asked_for_are_a_partial_approval() -> None:
    journey = asked()
    enters(journey, said("approved"), LETTER, NUMBER, PERIOD, units(750))
    assert journey.status == ("partly-approved", "completed")
    assert [q["value"] for q in journey.outputs("units")] == [750]


def test_a_denial_entered_opens_its_appeal_from_the_date_of_the_letter() -> None:
    journey = asked()
    assert enters(journey, said("denied"), LETTER, REASON).reason == "preauthorization-denied"
    assert journey.status == ("denied", "rejected")
    (appeal,) = journey.tasks("appeal")
    assert appeal["restriction"]["period"]["end"] == "2027-05-24"
    assert [r["text"] for r in journey.outputs("denial-reason")] == ["Step therapy not shown"]


@pytest.mark.parametrize(
    "outputs",
    [
        (said("approved"),),
        (said("approved"), NUMBER, PERIOD),
        (said("approved"), LETTER, PERIOD),
        (said("approved"), LETTER, NUMBER),
        (said("denied"), LETTER),
        (said("denied"), REASON),
    ],
)
def test_an_answer_without_what_a_decision_has_to_say_is_refused(outputs: tuple[dict[str, Any], ...]) -> None:
    journey = asked()
    assert enters(journey, *outputs).refusals == ("answer-missing",)
    assert question(journey)["status"] == "requested"


def test_another_word_than_a_decision_is_refused() -> None:
    assert enters(asked(), said("keep"), LETTER).refusals == ("answer-unknown",)


def test_an_order_that_ends_closes_the_question() -> None:
    journey = asked()
    order = next(r for r in referral() if r["resourceType"] == "ServiceRequest")
    journey.hears({**order, "status": "revoked"})
    assert question(journey)["status"] == "cancelled"


# The configuration


@pytest.mark.parametrize("wrong", [{"pathway": "pigeon"}, {"pathway": "fax"}, {"pathway": "portal", "fax": FAX}])
def test_a_pathway_without_its_way_is_refused_at_the_start(wrong: dict[str, str]) -> None:
    said = {"id": "x", "name": "X", "identifiers": [], "line_of_business": "commercial", "partner": "p"}
    with pytest.raises(SettingsError, match="pathway"):
        _payer(said | wrong)
    assert _payer(said | {"pathway": "fax", "fax": FAX}).fax == FAX


@pytest.mark.parametrize(
    ("kind", "named"),
    [("Patient", "in-x"), ("RelatedPerson", "in-x"), ("Practitioner", "in-x"), ("Observation", "999-11-2222")],
)
def test_a_paper_names_a_person_as_a_source_by_no_number_but_ours(kind: str, named: str) -> None:
    numbers = [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-11-2222"}]
    assert source_of({"resourceType": kind, "id": "in-x", "identifier": numbers}) == f"{kind} {named}, day not said"

"""What becomes of a request to the payer, however it ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
import respx

from services.auth.deliver import benefit_due, claim_due, deliver_benefit, deliver_claim, deliver_inquiry
from shared.core import Answer, Doubtful, Resource, TryLater
from shared.fhir.json import LIMIT, encode
from shared.settings import Partner, Site
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.patient import BASE, LANE, NOW, PRACTICE, coded, coverage, patient, referral

SUBMIT, INQUIRE = f"{BASE}/Claim/$submit", f"{BASE}/Claim/$inquire"
BENEFIT = f"{BASE}/CoverageEligibilityRequest/$submit"
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "required"}]}


@dataclass(slots=True)
class Outside:
    site: Site = PRACTICE
    http: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)
    documents: Mapping[str, Resource] = field(default_factory=dict)
    silent: tuple[str, ...] = ()

    async def token(self, partner: str) -> str:
        return f"token-of-{partner}"

    async def document(self, resource_id: str, lane: str) -> Resource | None:
        if resource_id in self.silent:
            raise TryLater("nobody answers")
        return self.documents.get(resource_id) if lane == LANE else None

    async def mail(self, message: EmailMessage) -> None:
        raise AssertionError("a payer gets no mail")

    def now(self) -> datetime:
        return NOW


def bundle(*resources: Any) -> bytes:
    return encode({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]})


async def submitted() -> Answer:
    journey = Journey().benefit_known()
    return await deliver_claim(journey.one("Claim"), journey.store, Outside())


@respx.mock
async def test_a_claim_goes_out_as_fhir_with_the_claim_first_and_its_answer_comes_back() -> None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    route = respx.post(SUBMIT).respond(200, content=bundle(claim_answer(claim)))
    answer = await deliver_claim(claim, journey.store, Outside())
    request = route.calls.last.request
    assert request.headers["content-type"] == "application/fhir+json"
    assert json.loads(request.content)["entry"][0]["resource"]["identifier"] == claim["identifier"]
    assert answer.reason == "preauthorization-answered"
    assert journey.answered(answer.reason, claim, *answer.resources).reason == "preauthorization-approved"


@respx.mock
@pytest.mark.parametrize(
    "failure", [httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError]
)
async def test_a_lost_answer_is_doubt(failure: type[httpx.HTTPError]) -> None:
    respx.post(SUBMIT).mock(side_effect=failure)
    with pytest.raises(Doubtful):
        await submitted()


@respx.mock
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_an_error_of_the_payers_server_is_doubt(status: int) -> None:
    respx.post(SUBMIT).respond(status)
    with pytest.raises(Doubtful):
        await submitted()


@respx.mock
@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_what_never_left_is_tried_later(failure: type[httpx.HTTPError]) -> None:
    respx.post(SUBMIT).mock(side_effect=failure)
    with pytest.raises(TryLater) as later:
        await submitted()
    assert later.value.after_seconds is None


@respx.mock
@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120.0), ("Sat, 21 Nov 2026 16:01:30 GMT", 90.0), ("soon", None), (None, None)]
)
async def test_a_busy_payer_says_when(header: str | None, seconds: float | None) -> None:
    respx.post(SUBMIT).respond(429, headers={"Retry-After": header} if header else {})
    with pytest.raises(TryLater) as later:
        await submitted()
    assert later.value.after_seconds == seconds


@respx.mock
@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120.0), ("Sat, 21 Nov 2026 16:01:30 GMT", 90.0), ("soon", None), (None, None)]
)
async def test_a_payer_that_is_down_says_when_it_may_be_asked_what_it_has(
    header: str | None, seconds: float | None
) -> None:
    respx.post(SUBMIT).respond(503, headers={"Retry-After": header} if header else {})
    with pytest.raises(Doubtful) as doubt:
        await submitted()
    assert doubt.value.after_seconds == seconds


@respx.mock
@pytest.mark.parametrize("status", [429, 503])
async def test_an_inquiry_waits_as_long_as_the_payer_says(status: int) -> None:
    journey = Journey().benefit_known()
    respx.post(INQUIRE).respond(status, headers={"Retry-After": "45"})
    with pytest.raises(Doubtful) as doubt:
        await deliver_inquiry(journey.one("Claim"), journey.store, Outside())
    assert doubt.value.after_seconds == 45


@respx.mock
@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
async def test_a_refusal_is_an_answer_with_its_outcome_and_not_tried_again(status: int) -> None:
    route = respx.post(SUBMIT).respond(status, json=OUTCOME)
    assert await submitted() == Answer("preauthorization-refused-by-payer", (OUTCOME,))
    assert route.call_count == 1


@respx.mock
async def test_a_refusal_in_html_is_a_refusal_still() -> None:
    respx.post(SUBMIT).respond(400, text="<html>no</html>")
    assert await submitted() == Answer("preauthorization-refused-by-payer")


@respx.mock
async def test_what_is_no_answer_to_our_claim_is_unreadable() -> None:
    claim = Journey().benefit_known().one("Claim")
    other = claim_answer(claim, identifier=[{"system": "s", "value": "v"}], request={"reference": "Claim/other"})
    illegal = claim_answer(claim, status="banana")
    shapeless = claim_answer(claim, item=[{"itemSequence": "one"}])
    for body in (b"not json", b"{}", bundle(), bundle(other), bundle(illegal), bundle(shapeless)):
        respx.post(SUBMIT).respond(200, content=body)
        assert await submitted() == Answer("preauthorization-unreadable")


async def test_a_withdrawn_claim_is_not_sent() -> None:
    journey = Journey().benefit_known()
    claim = {**journey.one("Claim"), "status": "cancelled"}
    assert await deliver_claim(claim, journey.store, Outside()) == Answer("preauthorization-withdrawn")


@respx.mock
async def test_a_partner_with_a_token_endpoint_gets_a_token() -> None:
    partner = Partner("payer-prairie-health", BASE, token_url=f"{BASE}/token")
    partners = {**PRACTICE.partners, "payer-prairie-health": partner}
    site = Site(PRACTICE.organization, PRACTICE.npi, PRACTICE.sites, PRACTICE.payers, partners)
    journey = Journey().benefit_known()
    route = respx.post(SUBMIT).respond(422)
    await deliver_claim(journey.one("Claim"), journey.store, Outside(site))
    assert route.calls.last.request.headers["authorization"] == "Bearer token-of-payer-prairie-health"


# Inquiry


async def inquired(body: bytes | None = None, status: int = 200) -> Answer | None:
    journey = Journey().benefit_known()
    claim = journey.one("Claim")
    content = bundle(claim_answer(claim)) if body is None else body
    respx.post(INQUIRE).respond(status, content=content)
    return await deliver_inquiry(claim, journey.store, Outside())


@respx.mock
async def test_an_inquiry_finds_the_answer_the_payer_gave() -> None:
    answer = await inquired()
    assert answer is not None
    assert answer.reason == "preauthorization-answered"


@respx.mock
async def test_a_claim_the_payer_never_saw_may_be_sent_again() -> None:
    assert await inquired(bundle()) is None
    assert await inquired(b"", 404) is None


@respx.mock
@pytest.mark.parametrize("status", [400, 401, 429, 500, 504])
async def test_an_inquiry_without_an_answer_leaves_the_doubt(status: int) -> None:
    with pytest.raises(Doubtful):
        await inquired(b"", status)


@respx.mock
async def test_an_inquiry_that_cannot_be_read_or_sent_leaves_the_doubt() -> None:
    with pytest.raises(Doubtful):
        await inquired(b"<html>")
    journey = Journey().benefit_known()
    respx.post(INQUIRE).mock(side_effect=httpx.ConnectError)
    with pytest.raises(Doubtful):
        await deliver_inquiry(journey.one("Claim"), journey.store, Outside())


# Benefit


async def asked(status: int = 200, **changes: Any) -> Answer:
    journey = Journey()
    journey.hears(*referral())
    request = journey.one("CoverageEligibilityRequest")
    respx.post(BENEFIT).respond(status, content=encode(benefit_answer(request) | changes))
    return await deliver_benefit(request, journey.store, Outside())


@respx.mock
async def test_a_benefit_answer_comes_back_or_says_why_not() -> None:
    assert (await asked()).reason == "benefit-answered"
    assert (await asked(422)).reason == "benefit-refused-by-payer"
    assert (await asked(resourceType="ClaimResponse")).reason == "benefit-unreadable"
    assert (await asked(outcome="banana")).reason == "benefit-unreadable"


@respx.mock
async def test_a_benefit_request_in_doubt_may_simply_be_sent_again() -> None:
    with pytest.raises(Doubtful):
        await asked(504)


# What may not be sent

NAMELESS = [r for r in referral() if r["resourceType"] != "Patient"] + [patient(name=[{"text": "Halvorsen"}])]
CHILD = coverage(relationship=coded("http://terminology.hl7.org/CodeSystem/subscriber-relationship", "child"))
OF_NOBODY = [r for r in referral() if r["resourceType"] != "Coverage"] + [CHILD]


@respx.mock
@pytest.mark.parametrize(
    ("received", "said"),
    [
        (NAMELESS, "Not sent: https://carepod.example/fhir/StructureDefinition/pas-beneficiary|1.0: is required "),
        (OF_NOBODY, "Not sent: cp-pas-subscriber of https://carepod.example/fhir/StructureDefinition/pas-coverage|1.0"),
    ],
)
async def test_a_request_that_breaks_what_may_be_sent_is_asked_about_and_not_sent(
    received: list[dict[str, Any]], said: str
) -> None:
    route = respx.route().respond(200)
    journey = Journey().benefit_known(*received)
    claim = journey.one("Claim")
    answer = await deliver_claim(claim, journey.store, Outside())
    assert (answer.reason, route.call_count) == ("preauthorization-unsendable", 0)
    decision = journey.answered(answer.reason, claim, *answer.resources)
    assert decision.reason == "preauthorization-questioned"
    assert journey.status == ("question", "on-hold")
    (question,) = journey.tasks("authorization-question")
    assert said in question["input"][0]["valueString"]
    assert "Halvorsen" not in question["input"][0]["valueString"]


@respx.mock
async def test_once_corrected_and_answered_it_is_sent_as_another_request() -> None:
    journey = Journey().benefit_known(*OF_NOBODY)
    first = journey.one("Claim")
    answer = await deliver_claim(first, journey.store, Outside())
    journey.answered(answer.reason, first, *answer.resources)
    journey.hears(coverage())
    assert len(journey.of("Claim")) == 1
    (question,) = journey.tasks("authorization-question")
    journey.person(question, "resubmit")
    (second,) = [c for c in journey.of("Claim") if c["status"] == "active"]
    assert claim_due(None, second) == "1"
    respx.post(SUBMIT).respond(200, content=bundle(claim_answer(second)))
    assert (await deliver_claim(second, journey.store, Outside())).reason == "preauthorization-answered"


@respx.mock
async def test_a_benefit_request_that_breaks_what_may_be_sent_is_asked_about_and_not_sent() -> None:
    route = respx.route().respond(200)
    journey = Journey()
    journey.hears(*OF_NOBODY)
    request = journey.one("CoverageEligibilityRequest")
    answer = await deliver_benefit(request, journey.store, Outside())
    assert (answer.reason, route.call_count) == ("benefit-unsendable", 0)
    journey.answered(answer.reason, request, *answer.resources)
    assert journey.status == ("question", "on-hold")
    (question,) = journey.tasks("authorization-question")
    assert "cp-pas-subscriber" in question["input"][0]["valueString"]
    journey.person(question, "required")
    assert len(journey.of("Claim")) == 1


@respx.mock
async def test_an_inquiry_that_breaks_what_may_be_sent_leaves_the_doubt_to_a_person() -> None:
    route = respx.route().respond(200)
    journey = Journey().benefit_known(*OF_NOBODY)
    answer = await deliver_inquiry(journey.one("Claim"), journey.store, Outside())
    assert answer is not None
    assert (answer.reason, route.call_count) == ("preauthorization-unreadable", 0)
    journey.answered(answer.reason, journey.one("Claim"), *answer.resources)
    assert journey.status == ("question", "on-hold")


# When a delivery starts


def test_only_what_is_new_and_active_is_delivered() -> None:
    claim = Journey().benefit_known().one("Claim")
    request: Resource = {"resourceType": "CoverageEligibilityRequest", "status": "active"}
    assert claim_due(None, claim) == "1"
    assert claim_due(claim, {**claim, "status": "cancelled"}) is None
    assert claim_due(None, {**claim, "status": "cancelled"}) is None
    assert claim_due(None, request) is None
    assert benefit_due(None, request) == "1"
    assert benefit_due(request, request) is None
    assert benefit_due(None, claim) is None


# What a payer may say besides


@respx.mock
@pytest.mark.parametrize("said", ["queued", "error"])
async def test_a_benefit_answer_that_says_nothing_yet_is_a_question(said: str) -> None:
    assert (await asked(outcome=said)).reason == "benefit-unreadable"


@respx.mock
async def test_a_benefit_answer_without_insurance_can_be_kept() -> None:
    journey = Journey()
    journey.hears(*referral())
    request = journey.one("CoverageEligibilityRequest")
    told = {k: v for k, v in benefit_answer(request).items() if k != "insurance"}
    assert journey.answered("benefit-answered", request, told).reason == "preauthorization-asked"
    assert "insurance" not in journey.one("CoverageEligibilityResponse")


@respx.mock
@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceType": "Bundle", "entry": [1, null, {"resource": "x"}]}',
        b'{"resourceType": "ClaimResponse", "request": "Claim/1", "identifier": "x"}',
        b'{"resourceType": "Parameters", "parameter": [[]]}',
        b'{"resourceType": "ClaimResponse", "item": [{}], "identifier": [1]}',
    ],
)
async def test_no_shape_of_a_body_is_an_error_of_ours(body: bytes) -> None:
    respx.post(SUBMIT).respond(200, content=body)
    assert await submitted() == Answer("preauthorization-unreadable")


@respx.mock
async def test_a_body_past_the_limit_is_read_no_further_and_is_unreadable() -> None:
    read = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal read
            while True:
                read += 1024 * 1024
                yield b" " * (1024 * 1024)

    respx.post(SUBMIT).mock(return_value=httpx.Response(200, stream=Endless()))
    assert await submitted() == Answer("preauthorization-unreadable")
    assert read <= LIMIT + 1024 * 1024


@respx.mock
async def test_an_inquiry_that_finds_only_the_claims_of_others_never_saw_ours() -> None:
    claim = Journey().benefit_known().one("Claim")
    other = claim_answer(claim, identifier=[{"system": "s", "value": "v"}], request={"reference": "Claim/other"})
    assert await inquired(bundle(other)) is None
    illegal = await inquired(bundle(claim_answer(claim, status="banana")))
    assert illegal == Answer("preauthorization-unreadable")

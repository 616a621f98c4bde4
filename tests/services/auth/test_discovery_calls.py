"""How a payer's CDS services are called: signed, in the shape of each hook, in five seconds, whatever comes back."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import respx

from services.auth.discovery import asking as channel
from services.auth.discovery import hooks
from services.auth.discovery.asking import deliver_hook, hook_due
from services.auth.discovery.findings import TOLD, UNANSWERED
from services.auth.discovery.hooks import TEMPLATES, chosen
from shared.core import Resource
from shared.fhir.json import LIMIT, encode
from shared.settings import SettingsError, Site, _payer
from shared.smart.client import proof
from shared.smart.keys import key_file
from tests.services.auth.journey import Journey, benefit_answer
from tests.services.auth.patient import BASE, NOW, appointment, coverage, referral
from tests.services.auth.test_discovery import answer, asking, information, journey, latest

DISCOVERY = f"{BASE}/cds-services"
PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "coverage": "Coverage?patient={{context.patientId}}&status=active",
    "order": "MedicationRequest?_id={{context.medications.MedicationRequest.id}}&_include=MedicationRequest:requester",
    "plan": "CarePlan?subject={{context.patientId}}",
}
SERVICES = {"services": [{"hook": h, "id": f"s-{h}", "prefetch": PREFETCH} for h in
            ("order-sign", "order-dispatch", "appointment-book")]}  # fmt: skip


@dataclass(slots=True)
class Outside:
    """`ports.Outside` with a real client whose wire is respx, and a real key."""

    folder: Path
    site: Site = field(default_factory=asking)
    http: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)

    async def token(self, partner: str) -> str:
        raise AssertionError("a CDS service takes no token")

    def proof(self, audience: str) -> str:
        return proof(key_file(self.folder / "key.pem"), self.site.address, audience, self.now())

    async def mail(self, message: EmailMessage) -> None:
        raise AssertionError("a payer gets no mail")

    def now(self) -> datetime:
        return NOW


def known() -> Journey:
    found = journey()
    found.hears(*referral())
    return found


async def found(outside: Outside, about: Journey) -> Resource:
    """The finding a call ends in."""
    told = await deliver_hook(latest(about), about.store, outside)
    assert told.reason == TOLD
    (kept,) = told.resources
    return kept


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path)


def sent(hook: str = "order-sign", **answered: Any) -> respx.Route:
    respx.get(DISCOVERY).respond(200, json=SERVICES)
    return respx.post(f"{DISCOVERY}/s-{hook}").respond(200, **(answered or {"json": answer(information("no-auth"))}))


@respx.mock
async def test_a_call_is_signed_for_its_service_and_its_answer_is_kept(outside: Outside) -> None:
    route = sent()
    kept = await found(outside, known())
    assert (kept["outcome"], kept["created"]) == ("complete", NOW.isoformat())
    kind, _, token = route.calls.last.request.headers["authorization"].partition(" ")
    key = key_file(outside.folder / "key.pem")
    header = jwt.get_unverified_header(token)
    assert (kind, header["alg"], header["typ"], header["kid"]) == ("Bearer", "ES384", "JWT", key.kid)
    assert header["jku"] == "http://us.test/.well-known/jwks.json"
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, key.public, ["ES384"], audience=f"{DISCOVERY}/s-order-sign", options=options)
    assert (claims["iss"], claims["exp"] - claims["iat"]) == ("http://us.test", 60)
    assert claims["iat"] == int(NOW.timestamp())


@respx.mock
async def test_each_call_has_a_proof_of_its_own_and_a_repeated_one_the_same_instance(outside: Outside) -> None:
    route, about = sent(), known()
    await found(outside, about)
    await found(outside, about)
    tokens = [c.request.headers["authorization"].partition(" ")[2] for c in route.calls]
    jtis = {jwt.decode(t, options={"verify_signature": False})["jti"] for t in tokens}
    assert len(jtis) == 2
    assert len({json.loads(c.request.content)["hookInstance"] for c in route.calls}) == 1


@respx.mock
async def test_a_signed_order_comes_as_a_draft_with_its_billing_code_and_what_is_prefetched(outside: Outside) -> None:
    route = sent()
    await found(outside, known())
    body = json.loads(route.calls.last.request.content)
    assert (body["hook"], body["fhirServer"]) == ("order-sign", "http://us.test/fhir")
    assert (body["context"]["userId"], body["context"]["patientId"]) == ("PractitionerRole/in-role", "in-p")
    (order,) = [e["resource"] for e in body["context"]["draftOrders"]["entry"]]
    assert (order["status"], order["intent"]) == ("draft", "order")
    assert order["medicationCodeableConcept"]["coding"][0]["code"] == "J1439"
    assert order["insurance"] == [{"reference": "Coverage/in-coverage"}]
    prefetch = body["prefetch"]
    assert sorted(prefetch) == ["coverage", "order", "patient"]
    assert (prefetch["patient"]["resourceType"], prefetch["coverage"]["type"]) == ("Patient", "searchset")
    kinds = {e["resource"]["resourceType"] for e in prefetch["order"]["entry"]}
    assert {"MedicationRequest", "PractitionerRole"} <= kinds
    assert "carepod.example/fhir" not in json.dumps(body)


@respx.mock
async def test_what_is_prefetched_has_a_bound(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {f"k{n}": "Patient?_include" for n in range(TEMPLATES + 1)}
    respx.get(DISCOVERY).respond(200, json={"services": [{"hook": "order-sign", "id": "s", "prefetch": wanted}]})
    route = respx.post(f"{DISCOVERY}/s").respond(200, json={})
    await found(outside, known())
    filled = json.loads(route.calls.last.request.content)["prefetch"]
    assert len(filled) == TEMPLATES
    monkeypatch.setattr(hooks, "PREFETCHED", 3 * len(encode(filled["k0"])))
    await found(outside, known())
    assert len(json.loads(route.calls.last.request.content)["prefetch"]) == 3


@respx.mock
async def test_a_dispatched_order_is_named_with_whom_it_goes_to(outside: Outside) -> None:
    route, about = sent("order-dispatch"), known()
    about.answered("benefit-answered", latest(about), benefit_answer(latest(about)))
    about.hears(coverage(subscriberId="PHP-482913508"))
    await found(outside, about)
    context = json.loads(route.calls.last.request.content)["context"]
    assert context["dispatchedOrders"] == ["MedicationRequest/in-drug"]
    assert context["performer"].startswith("Organization/")


@respx.mock
async def test_a_booking_brings_the_visits_that_are_held(outside: Outside) -> None:
    route, about = sent("appointment-book"), known()
    about.answered("benefit-answered", latest(about), benefit_answer(latest(about)))
    about.hears(appointment(4), appointment(2, status="cancelled"))
    about.at = datetime(2026, 12, 11, 18, tzinfo=UTC)
    about.wakes("verify-benefit:" + appointment(4)["id"])
    await found(outside, about)
    visits = json.loads(route.calls.last.request.content)["context"]["appointments"]["entry"]
    assert [(v["resource"]["id"], v["resource"]["status"]) for v in visits] == [(appointment(4)["id"], "proposed")]


SAID: list[tuple[str, dict[str, Any]]] = [
    ("answered 401", {"status_code": 401}),
    ("answered 412", {"status_code": 412}),
    ("answered 503", {"status_code": 503}),
    ("cannot be read", {"content": b'{"cards": [', "status_code": 200}),
    ("cannot be read", {"content": b"[]", "status_code": 200}),
    ("cannot be read", {"content": b" " * (LIMIT + 1), "status_code": 200}),
    ("ConnectError", {"side_effect": httpx.ConnectError}),
    ("ReadTimeout", {"side_effect": httpx.ReadTimeout}),
    ("no coverage information", {"json": {"cards": []}, "status_code": 200}),
]


@respx.mock
@pytest.mark.parametrize(("why", "how"), SAID)
async def test_whatever_else_comes_back_is_a_finding_that_says_so(
    outside: Outside, why: str, how: dict[str, Any]
) -> None:
    respx.get(DISCOVERY).respond(200, json=SERVICES)
    route = respx.post(f"{DISCOVERY}/s-order-sign")
    if "side_effect" in how:
        route.mock(**how)
    else:
        route.respond(**how)
    kept = await found(outside, known())
    assert kept["outcome"] == "error"
    assert why in kept["disposition"]


@respx.mock
async def test_a_payer_that_stays_silent_is_given_up(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silence(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits that long")

    monkeypatch.setattr(channel, "WAITS", channel.WAITS / 100)
    respx.get(DISCOVERY).respond(200, json=SERVICES)
    respx.post(f"{DISCOVERY}/s-order-sign").mock(side_effect=silence)
    assert (await found(outside, known()))["disposition"] == UNANSWERED


@respx.mock
async def test_a_payer_without_a_service_for_the_hook_is_not_called(outside: Outside) -> None:
    respx.get(DISCOVERY).respond(200, json={"services": [{"hook": "patient-view", "id": "cards"}]})
    assert "no service for this hook" in (await found(outside, known()))["disposition"]


@pytest.mark.parametrize("service_id", ["../Claim", "a/b", "", "x?y", 7, ".", ".."])
def test_an_id_that_is_no_step_of_a_path_is_no_service(service_id: object) -> None:
    assert chosen([{"hook": "order-sign", "id": service_id}], "order-sign") is None


def test_only_a_request_that_names_a_hook_is_called_for() -> None:
    request = latest(known())
    plain = Journey()
    plain.hears(*referral())
    assert (hook_due(None, request), hook_due(request, request), hook_due(None, latest(plain))) == ("1", None, None)


def test_a_payers_services_belong_to_a_partner_of_the_site() -> None:
    said = {"id": "x", "name": "X", "identifiers": [], "line_of_business": "commercial", "partner": "p"}
    named = said | {"coverage_requirements": "p-services"}
    with pytest.raises(SettingsError, match="one of the partners"):
        _payer(named, {"p": {}})
    assert _payer(named, {"p": {}, "p-services": {}}).coverage_requirements == "p-services"

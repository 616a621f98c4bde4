"""A payer's CDS services: what they say of an order, and to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from partners.keys import PrivateKey, public_jwk
from tests.partners.conftest import ADDRESS, CAREPOD, HCPCS, NOW

PAYER = "/payer/prairie-health/cds-services"
Json = dict[str, Any]


def signed(key: PrivateKey, hook: str = "order-sign", *, with_: PrivateKey | None = None, **changed: Any) -> str:
    claims = {
        "iss": CAREPOD,
        "aud": f"{ADDRESS}{PAYER}/{hook}-requirements",
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(seconds=60)).timestamp()),
        "jti": "one-call",
        **changed,
    }
    kept = {k: v for k, v in claims.items() if v is not None}
    return jwt.encode(kept, with_ or key, "ES384", {"kid": str(public_jwk(key)["kid"]), "typ": "JWT"})


def order(hcpcs: str = "J1439") -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": HCPCS, "code": hcpcs}]},
        "subject": {"reference": "Patient/p1"},
    }


def called(group: str = "GOLD", hcpcs: str = "J1439", member: str = "PHP100000001", **changed: Any) -> Json:
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}
    coverage = {
        "resourceType": "Coverage",
        "id": "c1",
        "status": "active",
        "subscriberId": member,
        "beneficiary": {"reference": "Patient/p1"},
        "payor": [{"display": "Prairie Health Plan"}],
        "class": [{"type": kind, "value": group}],
    }
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order(hcpcs)}]}
    covered = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": coverage}]}
    return {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/d1", "patientId": "p1", "draftOrders": drafts},
        "prefetch": {"patient": {"resourceType": "Patient", "id": "p1"}, "coverage": covered, "orders": drafts},
    } | changed


async def answered(outside: Any, body: Json, proof: str, hook: str = "order-sign") -> Any:
    headers = {"Authorization": f"Bearer {proof}"}
    return await outside.http.post(f"{PAYER}/{hook}-requirements", json=body, headers=headers)


def said(response: Any) -> Json:
    """The parts of the coverage information in an answer."""
    (action,) = response.json()["systemActions"]
    (told,) = [e for e in action["resource"]["extension"] if e["url"].endswith("ext-coverage-information")]
    return {p["url"]: next(v for k, v in p.items() if k != "url") for p in told["extension"]}


async def test_a_service_for_each_hook_is_found(outside: Any) -> None:
    found = (await outside.http.get(PAYER)).json()["services"]
    assert [s["hook"] for s in found] == ["order-sign", "order-dispatch", "appointment-book"]
    assert all(s["prefetch"]["patient"] == "Patient/{{context.patientId}}" for s in found)


ROWS = [
    ("GOLD", "J1439", ("covered", "auth-needed", None)),
    ("GOLD", "J1756", ("covered", "no-auth", None)),
    ("GOLD-CARD", "J1439", ("covered", "satisfied", "PH-GC-20441")),
    ("OPEN", "J1439", ("covered", "no-auth", None)),
    ("PERFORMER", "J1756", ("covered", "performpa", None)),
    ("UNDECIDED", "J1439", ("conditional", "conditional", None)),
]


@pytest.mark.parametrize(("group", "hcpcs", "expected"), ROWS)
async def test_the_first_row_that_fits_says_what_an_order_needs(
    outside: Any, client_key: PrivateKey, group: str, hcpcs: str, expected: tuple[str, str, str | None]
) -> None:
    found = said(await answered(outside, called(group, hcpcs), signed(client_key)))
    assert (found["covered"], found["pa-needed"], found.get("satisfied-pa-id")) == expected
    assert (found["date"], found["coverage"]) == ("2026-11-21", {"reference": "Coverage/c1"})


async def test_whoever_is_not_insured_is_not_covered(outside: Any, client_key: PrivateKey) -> None:
    found = said(await answered(outside, called(member="PHP990000001"), signed(client_key)))
    assert found["covered"] == "not-covered"
    assert "pa-needed" not in found


LATE = int((NOW + timedelta(seconds=301)).timestamp())
WRONG: list[tuple[str, dict[str, Any]]] = [
    ("of nobody known", {"iss": "http://somebody.test"}),
    ("for another service", {"aud": f"{ADDRESS}{PAYER}/order-dispatch-requirements"}),
    ("over", {"exp": int(NOW.timestamp())}),
    ("good for too long", {"exp": LATE}),
    ("without an end", {"exp": None}),
    ("without an identity", {"jti": None}),
    ("signed by another key", {"with_": ec.generate_private_key(ec.SECP384R1())}),
]


@pytest.mark.parametrize("changed", [c for _, c in WRONG], ids=[name for name, _ in WRONG])
async def test_a_proof_that_is_wrong_opens_nothing(
    outside: Any, client_key: PrivateKey, changed: dict[str, Any]
) -> None:
    response = await answered(outside, called(), signed(client_key, **changed))
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


async def test_a_proof_is_good_for_one_call(outside: Any, client_key: PrivateKey) -> None:
    proof = signed(client_key)
    assert [(await answered(outside, called(), proof)).status_code for _ in range(2)] == [200, 401]


async def test_nobody_is_answered_without_a_proof(outside: Any) -> None:
    response = await outside.http.post(f"{PAYER}/order-sign-requirements", json=called())
    assert response.status_code == 401


LACKING: list[tuple[int, dict[str, Any]]] = [
    (400, {"hook": "order-dispatch"}),
    (400, {"hookInstance": ""}),
    (400, {"context": {"userId": "Practitioner/d1", "patientId": "p1"}}),
    (412, {"prefetch": {}}),
]


@pytest.mark.parametrize(("status", "changed"), LACKING)
async def test_a_call_that_lacks_something_is_refused(
    outside: Any, client_key: PrivateKey, status: int, changed: Json
) -> None:
    assert (await answered(outside, called(**changed), signed(client_key))).status_code == status

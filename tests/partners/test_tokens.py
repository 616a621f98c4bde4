"""A token is given to a registered client's fresh, correctly signed assertion for this endpoint, once."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from partners.backend import TokenRefused, assertion, backend_token
from partners.keys import public_jwk

TOKEN_URL = "http://partners.test/ehr/mercy/token"
SCOPE = "system/Task.cu"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def claims(outside: Any, **changed: Any) -> dict[str, Any]:
    at = outside.now().timestamp()
    plain = {"iss": "carepod", "sub": "carepod", "aud": TOKEN_URL, "exp": at + 240, "jti": "once"}
    return {k: v for k, v in {**plain, **changed}.items() if v is not None}


def signed(outside: Any, key: Any, *, alg: str = "ES384", header: dict[str, Any] | None = None, **changed: Any) -> str:
    headers = {"kid": public_jwk(key)["kid"], "typ": "JWT", **(header or {})}
    return jwt.encode(claims(outside, **changed), key, alg, headers)


async def asked(outside: Any, signed_assertion: str, **changed: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "scope": SCOPE,
        "client_assertion_type": JWT_BEARER,
        "client_assertion": signed_assertion,
        **changed,
    }
    response: httpx.Response = await outside.http.post("/ehr/mercy/token", data=form)
    return response


async def test_a_good_assertion_gets_a_token_that_is_not_to_be_stored(outside: Any, client_key: Any) -> None:
    response = await asked(outside, signed(outside, client_key))
    found = response.json()
    assert response.status_code == 200
    assert (found["token_type"], found["expires_in"], found["scope"]) == ("bearer", 300, SCOPE)
    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")


async def test_an_rsa_key_may_sign_with_rs384(outside: Any) -> None:
    key = rsa.generate_private_key(65537, 2048)
    outside.carepod.jwks = {"keys": [public_jwk(key)]}
    assert (await asked(outside, signed(outside, key, alg="RS384"))).status_code == 200


async def test_the_helper_gets_a_token_from_pem_or_key(outside: Any, client_key: Any) -> None:
    pem = client_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for private in (client_key, pem, pem.decode()):
        at = outside.now()
        assert await backend_token(TOKEN_URL, "carepod", private, SCOPE, http=outside.http, at=at)


async def test_the_helper_says_why_it_got_none(outside: Any) -> None:
    stranger = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(TokenRefused, match="400 invalid_client"):
        await backend_token(TOKEN_URL, "carepod", stranger, SCOPE, http=outside.http, at=outside.now())


async def test_a_key_of_another_kind_cannot_sign(outside: Any) -> None:
    short = ec.generate_private_key(ec.SECP256R1())
    pem = short.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="P-384"):
        await backend_token(TOKEN_URL, "carepod", pem, SCOPE, http=outside.http)


@pytest.mark.parametrize(("seconds", "status"), [(-1, 400), (0, 400), (1, 200), (299, 200), (300, 200), (301, 400)])
async def test_exp_lies_ahead_by_five_minutes_at_most(outside: Any, client_key: Any, seconds: int, status: int) -> None:
    exp = (outside.now() + timedelta(seconds=seconds)).timestamp()
    assert (await asked(outside, signed(outside, client_key, exp=exp))).status_code == status


async def test_a_jti_is_taken_once_even_after_a_restart(start: Any, client_key: Any) -> None:
    first = start()
    again = signed(first, client_key)
    assert (await asked(first, again)).status_code == 200
    assert (await asked(first, again)).json()["error"] == "invalid_client"
    restarted = start()
    restarted.carepod.jwks = first.carepod.jwks
    assert (await asked(restarted, again)).json()["error_description"] == "jti has been used before"


WRONG = [
    ({"aud": "http://partners.test/ehr/other/token"}, "aud must be"),
    ({"aud": None}, "signature"),
    ({"iss": "stranger", "sub": "stranger"}, "registered client"),
    ({"sub": "someone"}, "registered client"),
    ({"exp": None}, "exp must be"),
    ({"exp": "soon"}, ""),
    ({"jti": None}, "jti is required"),
    ({"jti": ""}, "jti is required"),
    ({"header": {"kid": "unknown"}}, "kid must name"),
    ({"header": {"typ": "at+jwt"}}, "typ JWT"),
]


@pytest.mark.parametrize(("changed", "why"), WRONG)
async def test_a_wrong_assertion_is_an_invalid_client(
    outside: Any, client_key: Any, changed: dict[str, Any], why: str
) -> None:
    response = await asked(outside, signed(outside, client_key, **changed))
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client")
    assert why in response.json()["error_description"]


async def test_a_signature_by_another_key_is_refused(outside: Any, client_key: Any) -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    forged = signed(outside, other, header={"kid": public_jwk(client_key)["kid"]})
    assert "signature" in (await asked(outside, forged)).json()["error_description"]


async def test_a_changed_claim_breaks_the_signature(outside: Any, client_key: Any) -> None:
    head, _, mark = signed(outside, client_key).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(outside, jti="twice")).encode()).rstrip(b"=").decode()
    assert (await asked(outside, f"{head}.{body}.{mark}")).json()["error"] == "invalid_client"


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES256"])
async def test_other_algorithms_are_refused(outside: Any, alg: str) -> None:
    key: Any = {
        "none": None,
        "HS256": "a-shared-secret-of-enough-length-for-hs256",
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
    }[alg]
    token = jwt.encode(claims(outside), key, alg, {"kid": "k"})
    assert "alg must be" in (await asked(outside, token)).json()["error_description"]


FORMS = [
    ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
    ({"client_assertion_type": "other"}, "invalid_request"),
    ({"client_assertion": "no-jwt"}, "invalid_client"),
    ({"scope": ""}, "invalid_scope"),
    ({"scope": "user/Task.cu"}, "invalid_scope"),
    ({"scope": "system/Task.uc"}, "invalid_scope"),
    ({"scope": "system/Task."}, "invalid_scope"),
]


@pytest.mark.parametrize(("changed", "error"), FORMS)
async def test_a_wrong_form_says_its_oauth_error(
    outside: Any, client_key: Any, changed: dict[str, str], error: str
) -> None:
    assert (await asked(outside, signed(outside, client_key), **changed)).json()["error"] == error


async def test_a_new_key_of_the_client_is_fetched_when_its_kid_is_unknown(outside: Any, client_key: Any) -> None:
    assert (await asked(outside, signed(outside, client_key))).status_code == 200
    rotated = ec.generate_private_key(ec.SECP384R1())
    outside.carepod.jwks = {"keys": [public_jwk(rotated)]}
    assert (await asked(outside, signed(outside, rotated, jti="new"))).status_code == 200


@pytest.mark.parametrize("keys", [{"keys": []}, {}, []])
async def test_a_jwks_that_names_no_such_key_is_an_invalid_client(outside: Any, client_key: Any, keys: Any) -> None:
    outside.carepod.jwks = keys
    assert (await asked(outside, signed(outside, client_key))).json()["error"] == "invalid_client"


async def test_an_assertion_is_never_the_same_twice(outside: Any, client_key: Any) -> None:
    two = {assertion(TOKEN_URL, "carepod", client_key, outside.now()) for _ in range(2)}
    assert len(two) == 2

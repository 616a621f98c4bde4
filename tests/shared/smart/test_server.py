"""The authorization server over HTTP: discovery, token, and the gate before every FHIR route."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

import httpx
import jwt
import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse

from shared.settings import Settings
from shared.smart.clients import OURSELVES
from shared.smart.scopes import parse
from shared.smart.server import JWT_BEARER, LONGEST_FORM, Authority, authenticated, router
from shared.smart.tokens import Access

FORM = "application/x-www-form-urlencoded"


class Clock:
    def __init__(self, at):
        self.at = at

    def __call__(self):
        return self.at

    def forward(self, seconds):
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock(now):
    return Clock(now)


@pytest.fixture
def authority(tmp_path, store, clock):
    return Authority(Settings(base_url="https://carepod.example", secrets=tmp_path), store, clock)


@pytest.fixture
async def http(authority):
    app = FastAPI()
    app.include_router(router(authority))
    gate = authenticated(authority)

    @app.get("/fhir/Patient")
    async def patients(access: Annotated[Access, Depends(gate)]):
        return {"client": access.client_id, "scopes": [str(scope) for scope in access.scopes]}

    @app.exception_handler(HTTPException)
    async def refused(_, error):
        return JSONResponse(error.detail, error.status_code, headers=error.headers)

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://carepod.example") as http:
        yield http


@pytest.fixture
def ask(http, hand):
    """Asks for a token; None takes a field away."""

    async def send(assertion=None, **fields):
        form = {
            "grant_type": "client_credentials",
            "scope": "system/Patient.rs",
            "client_assertion_type": JWT_BEARER,
            "client_assertion": assertion or hand.assertion(),
        } | fields
        return await http.post("/token", data={name: value for name, value in form.items() if value is not None})

    return send


@pytest.fixture
async def token(ask):
    return (await ask()).json()["access_token"]


def refusal(response, status, error):
    """The response is this OAuth refusal and must not be stored; its description."""
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")
    description = response.json()["error_description"]
    assert description.isascii()
    assert '"' not in description
    assert "\\" not in description
    return description


@pytest.mark.parametrize("path", ["/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"])
@pytest.mark.parametrize("accept", ["application/json", "application/fhir+xml", "text/html", "*/*"])
async def test_the_smart_configuration_is_json_whatever_is_accepted(http, path, accept):
    response = await http.get(path, headers={"Accept": accept, "Host": "evil.example", "X-Forwarded-Host": "evil"})
    assert response.headers["content-type"] == "application/json"
    said = response.json()
    assert said["token_endpoint"] == "https://carepod.example/token"
    assert said["grant_types_supported"] == ["client_credentials"]
    assert said["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert set(said["token_endpoint_auth_signing_alg_values_supported"]) == {"RS384", "ES384"}
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert "client-confidential-asymmetric" in said["capabilities"]
    assert "evil" not in response.text


async def test_a_base_url_with_a_slash_gives_the_same_addresses(tmp_path, store, clock, authority):
    slashed = Authority(Settings(base_url="https://carepod.example/", secrets=tmp_path), store, clock)
    assert slashed.configuration() == authority.configuration()


async def test_our_jwks_holds_the_key_of_our_assertions_and_nothing_private(http):
    response = await http.get("/.well-known/jwks.json")
    (key,) = response.json()["keys"]
    assert (key["kty"], key["crv"], key["alg"], "d" in key) == ("EC", "P-384", "ES384", False)
    assert response.headers["cache-control"] == "max-age=300"


async def test_the_key_of_our_tokens_is_not_published_as_one_that_proves_us(http, token):
    (key,) = (await http.get("/.well-known/jwks.json")).json()["keys"]
    assert jwt.get_unverified_header(token)["kid"] != key["kid"]


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
async def test_a_proven_client_gets_a_token_for_five_minutes(ask, hand, http, alg):
    response = await ask(hand.assertion({"alg": alg}))
    assert response.status_code == 200
    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")
    answer = response.json()
    assert {name: answer[name] for name in answer if name != "access_token"} == {
        "token_type": "bearer",
        "expires_in": 300,
        "scope": "system/Patient.rs",
    }
    seen = await http.get("/fhir/Patient", headers={"Authorization": f"Bearer {answer['access_token']}"})
    assert seen.json() == {"client": "mercy-ehr", "scopes": ["system/Patient.rs"]}


@pytest.mark.parametrize(
    "asked,stated",
    [
        ("system/Patient.rs", "system/Patient.rs"),
        ("system/Patient.cruds", "system/Patient.rs"),
        ("system/*.cruds", "system/*.rs"),
        ("system/Patient.read system/Task.write", "system/Patient.rs"),
    ],
)
async def test_scopes_beyond_the_registration_are_narrowed_and_stated(ask, http, asked, stated):
    answer = (await ask(scope=asked)).json()
    assert answer["scope"] == stated
    seen = await http.get("/fhir/Patient", headers={"Authorization": f"Bearer {answer['access_token']}"})
    assert seen.json()["scopes"] == stated.split(" ")


@pytest.mark.parametrize(
    "scope",
    [None, "", "system/Patient.cud", "system/Patient.dus", "patient/Patient.rs", "system/Patient.rs?name=x", "launch"],
)
async def test_scopes_that_cannot_be_given_are_invalid(ask, scope):
    refusal(await ask(scope=scope), 400, "invalid_scope")


@pytest.mark.parametrize("grant", [None, "", "authorization_code", "refresh_token", "password"])
async def test_only_client_credentials_are_granted(ask, grant):
    refusal(await ask(grant_type=grant), 400, "unsupported_grant_type")


@pytest.mark.parametrize(
    "fields",
    [
        {"client_assertion": None},
        {"client_assertion": ""},
        {"client_assertion": "a.b.c"},
        {"client_assertion_type": None},
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_id": "prairie-pharmacy"},
    ],
)
async def test_who_does_not_prove_himself_is_an_invalid_client(ask, fields):
    response = await ask(**fields)
    refusal(response, 401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_client_secret_proves_nothing(http):
    form = {"grant_type": "client_credentials", "scope": "system/*.rs", "client_id": "mercy-ehr", "client_secret": "x"}
    refusal(await http.post("/token", data=form, auth=("mercy-ehr", "x")), 401, "invalid_client")


async def test_the_client_id_of_the_assertion_may_be_said_again(ask):
    assert (await ask(client_id="mercy-ehr")).status_code == 200


async def test_an_assertion_for_another_host_than_the_setting_is_refused(ask, http, hand):
    response = await http.post(
        "/token",
        data={
            "grant_type": "client_credentials",
            "scope": "system/*.rs",
            "client_assertion_type": JWT_BEARER,
            "client_assertion": hand.assertion(claims={"aud": "https://evil.example/token"}),
        },
        headers={"Host": "evil.example"},
    )
    assert "aud" in refusal(response, 401, "invalid_client")


async def test_a_refusal_repeats_nothing_that_was_sent(ask, hand):
    text = hand.assertion({"kid": "canary"}, {"jti": "canary"})
    assert "canary" not in refusal(await ask(text, scope="system/Canary.canary"), 401, "invalid_client")
    assert "canary" not in refusal(await ask(scope="system/Canary.canary"), 400, "invalid_scope").lower()


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_only_a_form_is_read(http, content_type):
    response = await http.post(
        "/token", content=b"grant_type=client_credentials", headers={"Content-Type": content_type}
    )
    refusal(response, 400, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b"grant_type=client_credentials&grant_type=client_credentials",
        b"grant_type",
        b"grant_type=\xff",
        b"grant_type=%ff",
        b"&".join(b"f%d=1" % n for n in range(17)),
    ],
)
async def test_a_form_that_says_a_field_twice_or_cannot_be_read_is_refused(http, body):
    response = await http.post("/token", content=body, headers={"Content-Type": f"{FORM}; charset=utf-8"})
    refusal(response, 400, "invalid_request")


async def test_a_form_of_the_longest_size_is_read_and_a_longer_one_is_not(http, hand):
    form = {
        "grant_type": "client_credentials",
        "scope": "system/*.rs",
        "client_assertion_type": JWT_BEARER,
        "client_assertion": hand.assertion(),
        "pad": "",
    }
    body = urlencode(form).encode()
    body += b"x" * (LONGEST_FORM - len(body))
    refusal(await http.post("/token", content=body + b"x", headers={"Content-Type": FORM}), 413, "invalid_request")
    assert (await http.post("/token", content=body, headers={"Content-Type": FORM})).status_code == 200


async def test_a_form_without_a_stated_length_is_counted_as_it_comes(http):
    taken = 0

    async def endless():
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 1024

    refusal(await http.post("/token", content=endless(), headers={"Content-Type": FORM}), 413, "invalid_request")
    assert taken <= LONGEST_FORM / 1024 + 2


async def test_of_fifty_uses_of_one_assertion_at_once_one_gets_a_token(ask):
    responses = await asyncio.gather(*(ask() for _ in range(50)))
    assert sorted(response.status_code for response in responses) == [200] + [401] * 49


async def test_a_token_request_by_get_is_not_allowed(http):
    assert (await http.get("/token")).status_code == 405


def unauthorized(response):
    """The challenge of a refusal that carries an OperationOutcome."""
    assert response.status_code == 401
    assert response.json()["resourceType"] == "OperationOutcome"
    assert response.json()["issue"][0]["severity"] == "error"
    return response.json()["issue"][0]["code"], response.headers["www-authenticate"]


@pytest.mark.parametrize("value", [None, "", "Basic bWVyY3k6eA==", "Bearer", "Bearer ", "Token x"])
async def test_a_request_without_bearer_token_is_challenged(http, value):
    response = await http.get("/fhir/Patient", headers={} if value is None else {"Authorization": value})
    assert unauthorized(response) == ("login", 'Bearer realm="carepod"')


@pytest.mark.parametrize("value", ["Bearer garbage", "Bearer a.b.c", "bearer \xff", "Bearer " + "x" * 20_000])
async def test_garbage_is_no_token(http, value):
    response = await http.get("/fhir/Patient", headers={"Authorization": value.encode("latin-1")})
    code, challenge = unauthorized(response)
    assert code == "login"
    assert 'error="invalid_token"' in challenge


async def test_a_token_in_the_query_is_ignored(http, token):
    response = await http.get("/fhir/Patient", params={"access_token": token})
    assert unauthorized(response)[0] == "login"


async def test_two_authorization_headers_are_none(http, token):
    headers = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    unauthorized(await http.get("/fhir/Patient", headers=headers))


async def test_the_scheme_is_read_in_any_case(http, token):
    assert (await http.get("/fhir/Patient", headers={"Authorization": f"bEARER  {token}"})).status_code == 200


async def test_an_assertion_is_no_access_token(http, hand):
    unauthorized(await http.get("/fhir/Patient", headers={"Authorization": f"Bearer {hand.assertion()}"}))


@pytest.mark.parametrize("seconds,status", [(299, 200), (300, 401), (301, 401)])
async def test_a_token_is_good_for_five_minutes(http, token, clock, seconds, status):
    clock.forward(seconds)
    response = await http.get("/fhir/Patient", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == status
    if status == 401:
        code, challenge = unauthorized(response)
        assert code == "expired"
        assert 'error="invalid_token"' in challenge


@pytest.mark.parametrize("seconds,status", [(29, 200), (30, 401), (31, 401)])
async def test_a_disabled_client_is_out_within_a_minute(http, token, clock, store, client, seconds, status):
    headers = {"Authorization": f"Bearer {token}"}
    assert (await http.get("/fhir/Patient", headers=headers)).status_code == 200
    store.clients[client.id] = replace(client, disabled=True)
    clock.forward(seconds)
    assert (await http.get("/fhir/Patient", headers=headers)).status_code == status


async def test_a_removed_client_is_out_and_an_enabled_one_comes_back(http, token, clock, store, client):
    headers = {"Authorization": f"Bearer {token}"}
    del store.clients[client.id]
    unauthorized(await http.get("/fhir/Patient", headers=headers))
    store.clients[client.id] = client
    clock.forward(30)
    assert (await http.get("/fhir/Patient", headers=headers)).status_code == 200


async def test_our_own_processes_need_no_registration(http, authority, store):
    token = authority.tokens.issued(OURSELVES, parse("system/*.cruds"), authority.now())
    response = await http.get("/fhir/Patient", headers={"Authorization": f"Bearer {token}"})
    assert response.json() == {"client": OURSELVES, "scopes": ["system/*.cruds"]}
    assert store.asked == []


async def test_nobody_outside_gets_a_token_as_one_of_our_processes(ask, store, client, hand):
    store.clients[OURSELVES] = replace(client, id=OURSELVES)
    text = hand.assertion(claims={"iss": OURSELVES, "sub": OURSELVES})
    refusal(await ask(text), 401, "invalid_client")


async def test_the_database_is_not_asked_for_each_request(http, token, store):
    store.asked.clear()
    for _ in range(20):
        await http.get("/fhir/Patient", headers={"Authorization": f"Bearer {token}"})
    assert store.asked == ["mercy-ehr"]


async def test_a_token_of_one_process_is_good_in_another_that_shares_the_secrets(tmp_path, store, clock, token):
    other = Authority(Settings(base_url="https://carepod.example", secrets=tmp_path), store, clock)
    assert other.tokens.verify(token, clock()).client_id == "mercy-ehr"


async def test_the_openapi_page_shows_the_token_form(http):
    paths = (await http.get("/openapi.json")).json()["paths"]
    assert FORM in paths["/token"]["post"]["requestBody"]["content"]

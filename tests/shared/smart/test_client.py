"""Our tokens at partners: asked for once, renewed in time, and every failure is for later."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import jwt
import orjson
import pytest

from shared.core import TryLater
from shared.settings import Partner, Settings
from shared.smart.client import LONGEST_ANSWER, TokenSource
from shared.smart.clients import registered
from shared.smart.keys import client_key, public_jwks
from shared.smart.server import Authority

MERCY = Partner("ehr-mercy", "https://mercy.example/fhir", "https://mercy.example/token", "carepod", "system/Task.cu")
LAB = Partner("lab", "https://lab.example/fhir", "https://lab.example/token", "carepod", "system/Observation.rs")


class Endpoint:
    """A partner's token endpoint: answers from a list (its last one again and again) and remembers the forms."""

    def __init__(self):
        self.forms = []
        self.answers = [httpx.Response(200, json={"access_token": "t-1", "token_type": "bearer", "expires_in": 300})]
        self.arrived = asyncio.Queue()
        self.open = asyncio.Event()
        self.open.set()

    def says(self, *answers):
        self.answers = list(answers)

    async def __call__(self, request):
        self.forms.append({name: value for name, (value,) in parse_qs((await request.aread()).decode()).items()})
        self.arrived.put_nowait(None)
        await self.open.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


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
def key(tmp_path):
    return client_key(tmp_path)


@pytest.fixture
async def endpoint():
    return Endpoint()


@pytest.fixture
async def source(endpoint, key, clock):
    async with httpx.AsyncClient(transport=httpx.MockTransport(endpoint)) as http:
        yield TokenSource(http, key, clock)


def given(**members):
    return httpx.Response(200, json={"access_token": "t", "token_type": "bearer", "expires_in": 300} | members)


async def test_a_token_is_asked_for_with_an_assertion_of_our_own_key(source, endpoint, key, now):
    assert await source.token(MERCY) == "t-1"
    (form,) = endpoint.forms
    assertion = form.pop("client_assertion")
    assert form == {
        "grant_type": "client_credentials",
        "scope": "system/Task.cu",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert jwt.get_unverified_header(assertion) == {"alg": "ES384", "typ": "JWT", "kid": key.kid}
    checks = {"verify_exp": False}
    claims = jwt.decode(assertion, key.public, ["ES384"], options=checks, audience=MERCY.token_url)
    assert len(claims.pop("jti")) >= 20
    exp = int(now.timestamp()) + 240
    assert claims == {"iss": "carepod", "sub": "carepod", "aud": MERCY.token_url, "exp": exp}


async def test_our_assertion_is_one_our_own_server_takes(tmp_path, key, clock, hand):
    partner = Partner("self", "https://carepod.example/fhir", "https://carepod.example/token", "us", "system/Task.cu")
    us = registered("us", "Ourselves", orjson.dumps(public_jwks(key)).decode(), "system/*.cruds")
    authority = Authority(Settings(base_url="https://carepod.example", secrets=tmp_path), hand.store(us), clock)

    async def token(request):
        form = {name: value for name, (value,) in parse_qs((await request.aread()).decode()).items()}
        return httpx.Response(200, json=await authority.granted(form))

    async with httpx.AsyncClient(transport=httpx.MockTransport(token)) as http:
        access = authority.tokens.verify(await TokenSource(http, key, clock).token(partner), clock())
    assert (access.client_id, [str(scope) for scope in access.scopes]) == ("us", ["system/Task.cu"])


async def test_no_two_assertions_are_the_same(source, endpoint, clock):
    for _ in range(3):
        await source.token(MERCY)
        clock.forward(300)
    assert len({form["client_assertion"] for form in endpoint.forms}) == 3
    assert (
        len({jwt.decode(f["client_assertion"], options={"verify_signature": False})["jti"] for f in endpoint.forms})
        == 3
    )


@pytest.mark.parametrize(
    "expires_in,kept,renewed", [(300, 239, 240), (100, 79, 80), (10, 7, 8), (86_400, 239, 240), (None, 47, 48)]
)
async def test_a_token_is_renewed_before_it_ends(source, endpoint, clock, expires_in, kept, renewed):
    answer = {"access_token": "t", "token_type": "Bearer"} | ({"expires_in": expires_in} if expires_in else {})
    endpoint.says(httpx.Response(200, json=answer))
    await source.token(MERCY)
    clock.forward(kept)
    await source.token(MERCY)
    assert len(endpoint.forms) == 1
    clock.forward(renewed - kept)
    await source.token(MERCY)
    assert len(endpoint.forms) == 2


async def test_each_partner_has_its_own_token(source, endpoint):
    endpoint.says(given(access_token="mercy"), given(access_token="lab"))
    assert [await source.token(MERCY), await source.token(LAB), await source.token(MERCY)] == ["mercy", "lab", "mercy"]


async def test_of_fifty_at_once_one_asks_and_all_get_the_token(source, endpoint):
    endpoint.open.clear()
    waiting = [asyncio.create_task(source.token(MERCY)) for _ in range(50)]
    await endpoint.arrived.get()
    endpoint.open.set()
    assert await asyncio.gather(*waiting) == ["t-1"] * 50
    assert len(endpoint.forms) == 1


async def test_of_fifty_at_once_one_asks_in_vain_and_all_try_later(source, endpoint):
    endpoint.says(httpx.Response(503))
    results = await asyncio.gather(*(source.token(MERCY) for _ in range(50)), return_exceptions=True)
    assert {type(result) for result in results} == {TryLater}
    assert len(endpoint.forms) == 1


async def test_one_who_stops_waiting_does_not_take_the_token_from_the_others(source, endpoint):
    endpoint.open.clear()
    first, second = (asyncio.create_task(source.token(MERCY)) for _ in range(2))
    await endpoint.arrived.get()
    first.cancel()
    endpoint.open.set()
    assert await second == "t-1"
    assert first.cancelled()
    assert len(endpoint.forms) == 1


async def test_one_slow_partner_does_not_hold_up_another(source, endpoint):
    endpoint.open.clear()
    slow = asyncio.create_task(source.token(MERCY))
    await endpoint.arrived.get()
    other = asyncio.create_task(source.token(LAB))
    await endpoint.arrived.get()
    endpoint.open.set()
    await asyncio.gather(slow, other)


@pytest.mark.parametrize(
    "answer,said",
    [
        (httpx.ConnectError("refused"), "ConnectError"),
        (httpx.ReadTimeout("slow"), "ReadTimeout"),
        (httpx.Response(401, json={"error": "invalid_client", "error_description": "canary"}), "401, invalid_client"),
        (httpx.Response(400, json={"error": "canary"}), "400, no OAuth error"),
        (httpx.Response(500, text="canary"), "500"),
        (httpx.Response(302, headers={"Location": "http://169.254.169.254/canary"}), "302"),
        (httpx.Response(200, text="canary"), "access_token"),
        (httpx.Response(200, json=["canary"]), "access_token"),
        (given(access_token=""), "access_token"),
        (given(access_token="a\r\nb"), "access_token"),
        (given(access_token={"canary": 1}), "access_token"),
        (given(token_type="mac"), "bearer"),
        (given(token_type=None), "bearer"),
        (given(expires_in=0), "expires_in"),
        (given(expires_in=-1), "expires_in"),
        (given(expires_in="300"), "expires_in"),
        (given(expires_in=True), "expires_in"),
        (httpx.Response(200, content=b" " * (LONGEST_ANSWER + 1)), "DecodingError"),
    ],
)
async def test_any_failure_is_for_later_and_repeats_nothing_the_partner_said(source, endpoint, answer, said):
    endpoint.says(answer)
    with pytest.raises(TryLater, match="ehr-mercy") as failure:
        await source.token(MERCY)
    assert said in str(failure.value)
    assert "canary" not in str(failure.value)


async def test_a_long_answer_of_the_bearable_size_is_read(source, endpoint):
    body = orjson.dumps({"access_token": "t", "token_type": "bearer", "expires_in": 300}).ljust(LONGEST_ANSWER)
    endpoint.says(httpx.Response(200, content=body))
    assert await source.token(MERCY) == "t"


@pytest.mark.parametrize("header,seconds", [("7", 7.0), ("soon", None), ("-1", None), (None, None)])
async def test_a_partner_says_when_to_come_again(source, endpoint, header, seconds):
    endpoint.says(httpx.Response(429, headers={"Retry-After": header} if header else {}))
    with pytest.raises(TryLater) as failure:
        await source.token(MERCY)
    assert failure.value.after_seconds == seconds


async def test_after_a_failure_the_next_asks_again(source, endpoint):
    endpoint.says(httpx.Response(503), given(access_token="late"))
    with pytest.raises(TryLater):
        await source.token(MERCY)
    assert await source.token(MERCY) == "late"


@pytest.mark.parametrize(
    "partner",
    [Partner("p", "https://p.example"), Partner("p", "https://p.example", token_url="https://p.example/token")],
)
async def test_a_partner_without_token_endpoint_or_client_id_is_named(source, endpoint, partner):
    with pytest.raises(TryLater, match="partner p: token_url and client_id"):
        await source.token(partner)
    assert endpoint.forms == []


async def test_an_address_that_is_none_is_for_later_too(source):
    with pytest.raises(TryLater, match="no token"):
        await source.token(Partner("p", "https://p.example", "https://p.example:port/token", "carepod"))

"""Every way an assertion fails (SMART Backend Services 2.2), and the two in which it holds."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.smart.assertions import LONGEST_JTI, MARGIN, SKEW, verified
from shared.smart.errors import InvalidClient
from shared.smart.jws import LONGEST

T = 1_795_262_400  # 2026-11-21T12:00:00Z, the `now` of these tests


@pytest.fixture
def check(store, now, hand):
    async def run(text, token_url=hand.token_url, at=now):
        return await verified(text, token_url, store, at)

    return run


@pytest.fixture
def refused(check, store):
    async def run(text, *words):
        with pytest.raises(InvalidClient) as refusal:
            await check(text)
        assert (refusal.value.error, refusal.value.status) == ("invalid_client", 401)
        assert all(word in str(refusal.value) for word in words), str(refusal.value)
        assert store.used == {}
        return str(refusal.value)

    return run


async def test_the_instant_of_these_tests_is_the_one_named(now):
    assert now.timestamp() == T


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
async def test_an_assertion_signed_with_a_registered_key_proves_its_client(check, hand, client, alg):
    assert await check(hand.assertion({"alg": alg})) == client


async def test_an_audience_of_one_in_a_list_is_the_same_audience(check, hand, client):
    assert await check(hand.assertion(claims={"aud": [hand.token_url]})) == client


@pytest.mark.parametrize(
    "header,word",
    [
        ({"alg": "none"}, "alg"),
        ({"alg": None}, "alg"),
        ({"alg": ["ES384"]}, "alg"),
        ({"alg": "RS256"}, "alg"),
        ({"alg": "ES256"}, "alg"),
        ({"alg": "PS384"}, "alg"),
        ({"alg": "HS384"}, "alg"),
        ({"typ": None}, "typ"),
        ({"typ": "at+jwt"}, "typ"),
        ({"kid": None}, "kid"),
        ({"kid": ""}, "kid"),
        ({"kid": 7}, "client_assertion"),
        ({"kid": "other"}, "kid"),
        ({"kid": "../../dev/null"}, "kid"),
        ({"kid": "key' OR '1'='1"}, "kid"),
        ({"jku": "https://evil.example/jwks"}, "jku"),
        ({"x5u": "https://evil.example/cert"}, "x5u"),
        ({"x5c": ["MII"]}, "x5c"),
        ({"crit": ["exp"], "exp": 1}, "client_assertion"),
        ({"crit": []}, "client_assertion"),
        ({"crit": ["b64"], "b64": True}, "crit, b64"),
        ({"crit": ["b64"], "b64": False}, "client_assertion"),
        ({"b64": False}, "client_assertion"),
        ({"b64": True}, "b64"),
    ],
)
async def test_a_header_that_is_not_ours_proves_nothing(refused, hand, header, word):
    await refused(hand.assertion(header), word)


async def test_a_key_brought_along_in_the_header_is_not_believed(refused, hand):
    await refused(hand.assertion({"jwk": hand.ec_jwk()}), "jwk")


@pytest.mark.parametrize("alg", ["HS256", "HS384"])
async def test_the_public_key_is_no_shared_secret(refused, hand, alg):
    secret = json.dumps(hand.rsa_jwk()).encode()
    text = hand.assertion({"alg": alg}, sign=lambda message: hmac.digest(secret, message, "sha384"))
    await refused(text, "alg")


async def test_a_token_without_signature_proves_nothing(refused, hand):
    await refused(hand.assertion(sign=lambda message: b""), "signature")


@pytest.mark.parametrize("alg,other", [("RS384", "es384"), ("ES384", "rs384")])
async def test_an_algorithm_with_the_other_kind_of_key_proves_nothing(refused, hand, alg, other):
    await refused(hand.assertion({"alg": alg}, sign=getattr(hand, other)), "signature")


async def test_a_key_of_another_type_is_not_found_by_its_kid(store, client, refused, hand):
    store.clients[client.id] = replace(client, jwks={"keys": [hand.rsa_jwk()]})
    await refused(hand.assertion({"alg": "ES384"}), "kid")


async def test_two_keys_of_one_name_and_type_prove_nothing(store, client, refused, hand):
    store.clients[client.id] = replace(client, jwks={"keys": [hand.ec_jwk(), hand.ec_jwk()]})
    await refused(hand.assertion(), "exactly one")


async def test_a_changed_claim_breaks_the_signature(refused, hand):
    header, _, signature = hand.assertion().split(".")
    claims = hand.assertion(claims={"jti": "j-2"}).split(".")[1]
    await refused(f"{header}.{claims}.{signature}", "signature")


@pytest.mark.parametrize(
    "claims,word",
    [
        ({"iss": None}, "iss"),
        ({"sub": None}, "sub"),
        ({"iss": "mercy-ehr/"}, "iss"),
        ({"iss": "mercy-ehr/", "sub": "mercy-ehr/"}, "iss"),
        ({"sub": "prairie-pharmacy"}, "iss and sub"),
        ({"iss": "nobody", "sub": "nobody"}, "registered"),
        ({"iss": "carepod", "sub": "carepod"}, "iss"),
        ({"iss": "a\x00b", "sub": "a\x00b"}, "iss"),
        ({"iss": ["mercy-ehr"], "sub": ["mercy-ehr"]}, "iss"),
        ({"aud": None}, "aud"),
        ({"aud": "https://carepod.example/fhir"}, "aud"),
        ({"aud": "https://carepod.example/token/"}, "aud"),
        ({"aud": "https://CAREPOD.example/token"}, "aud"),
        ({"aud": ["https://carepod.example/token", "https://other.example/token"]}, "aud"),
        ({"aud": []}, "aud"),
        ({"exp": None}, "exp"),
        ({"exp": str(T + 60)}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 10**400}, "exp"),
        ({"exp": -(10**400)}, "exp"),
        ({"nbf": "soon"}, "nbf"),
        ({"iat": True}, "iat"),
        ({"iat": 10**400}, "iat"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": 7}, "jti"),
    ],
)
async def test_claims_that_are_not_right_prove_nothing(refused, hand, claims, word):
    await refused(hand.assertion(claims=claims), word)


@pytest.mark.parametrize("exp", [T + 1, T + 0.5, T + 299, T + 300])
async def test_an_expiry_within_five_minutes_holds(check, hand, exp):
    await check(hand.assertion(claims={"exp": exp}))


@pytest.mark.parametrize("exp", [T - 1, T, T + 300.5, T + 301, T + 86_400])
async def test_an_expiry_passed_or_beyond_five_minutes_does_not(refused, hand, exp):
    said = await refused(hand.assertion(claims={"exp": exp}), "exp", "300")
    assert str(T) in said


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize("value", [T - 3600, T, T + 29, T + 30])
async def test_a_beginning_within_the_tolerance_holds(check, hand, claim, value):
    assert SKEW.seconds == 30
    await check(hand.assertion(claims={claim: value}))


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize("value", [T + 30.5, T + 31])
async def test_a_beginning_beyond_the_tolerance_does_not(refused, hand, claim, value):
    await refused(hand.assertion(claims={claim: value}), claim)


@pytest.mark.parametrize("length", [1, LONGEST_JTI])
async def test_a_jti_of_bearable_length_holds(check, hand, length):
    await check(hand.assertion(claims={"jti": "x" * length}))


async def test_a_longer_jti_does_not(refused, hand):
    await refused(hand.assertion(claims={"jti": "x" * (LONGEST_JTI + 1)}), "jti")


async def test_every_reason_is_said_at_once(refused, hand):
    await refused(hand.assertion({"typ": None}, {"jti": None, "exp": None, "aud": None}), "typ", "aud", "exp", "jti")


async def test_nothing_that_was_sent_is_said_again(refused, hand):
    text = hand.assertion(
        {"kid": "canary-1", "jku": "canary-2"}, {"iss": "canary-3", "aud": "canary-4", "jti": ["canary-5"]}
    )
    assert "canary" not in await refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "....",
        "not a token",
        "é.é.é",
        "\ud800.a.b",
        "e30.e30.e30.e30",
        "W10.e30.AA",
    ],
)
async def test_what_is_no_token_proves_nothing(refused, text):
    await refused(text, "client_assertion")


@pytest.mark.parametrize(
    "claims",
    [
        b"[]",
        b"null",
        b"{",
        b'{"iss":"mercy-ehr","iss":"mercy-ehr"}',
        b'{"exp":NaN}',
        b'{"exp":' + b"9" * 5000 + b"}",
        b"[" * 11_000,
        b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
        b"\xff\xfe{}",
    ],
)
async def test_claims_no_careful_parser_takes_prove_nothing(refused, hand, claims):
    await refused(hand.compact({"alg": "ES384", "kid": "key", "typ": "JWT"}, claims, hand.es384), "client_assertion")


async def test_a_header_nested_without_end_proves_nothing(refused, hand):
    await refused(hand.compact(b"[" * 10_000, {}, hand.es384), "client_assertion")


def padded_to(hand, length):
    """A right assertion of exactly this many characters (a claim is the ballast; base64 gives 4 for 3)."""
    for ballast in range(length * 3 // 4 - 400, length):
        for extra in ("", "x", "xx"):
            text = hand.assertion({"kid": "key", "cty": extra or None}, {"ballast": "x" * ballast})
            if len(text) == length:
                return text
        if len(text) > length + 4:
            break
    raise AssertionError("no ballast fits")


async def test_an_assertion_of_the_longest_size_holds_and_one_more_character_is_not_decoded(check, refused, hand):
    whole = padded_to(hand, LONGEST)
    await refused(whole + "A", "client_assertion", str(LONGEST))
    await check(whole)


async def test_an_unknown_client_is_asked_for_but_a_shapeless_one_never_reaches_the_database(refused, store, hand):
    await refused(hand.assertion(claims={"iss": "nobody", "sub": "nobody"}))
    await refused(hand.assertion(claims={"iss": "' OR 1=1 --", "sub": "' OR 1=1 --"}))
    assert store.asked == ["nobody"]


async def test_a_disabled_client_proves_nothing(refused, store, client, hand):
    store.clients[client.id] = replace(client, disabled=True)
    await refused(hand.assertion(), "enabled")


async def test_a_jti_is_taken_once(check, hand):
    await check(hand.assertion())
    with pytest.raises(InvalidClient, match="jti"):
        await check(hand.assertion())


async def test_a_used_jti_is_remembered_past_the_life_of_its_assertion(check, store, hand, now):
    await check(hand.assertion(claims={"exp": T + 240}))
    ((key, until),) = store.used.items()
    assert until == now + timedelta(seconds=240) + SKEW + MARGIN
    assert key == (hand.client_id, hashlib.sha256(b"j-1").hexdigest())


async def test_a_jti_no_database_text_could_hold_is_kept_as_its_digest(check, store, hand):
    await check(hand.assertion(claims={"jti": "\x00\ud800"}))
    ((_, digest),) = store.used
    assert len(digest) == 64


async def test_a_replay_just_before_and_after_the_expiry_is_refused(check, hand, now):
    await check(hand.assertion(claims={"exp": T + 240}))
    for seconds in (239, 240, 241, 270):
        with pytest.raises(InvalidClient):
            await check(hand.assertion(claims={"exp": T + 240}), at=now + timedelta(seconds=seconds))


async def test_a_jti_belongs_to_its_client(check, store, client, hand):
    store.clients["lab"] = replace(client, id="lab")
    await check(hand.assertion())
    assert (await check(hand.assertion(claims={"iss": "lab", "sub": "lab"}))).id == "lab"


async def test_of_fifty_replays_at_once_exactly_one_is_taken(check, hand):
    text = hand.assertion()
    results = await asyncio.gather(*(check(text) for _ in range(50)), return_exceptions=True)
    refusals = [result for result in results if isinstance(result, InvalidClient)]
    assert len(refusals) == 49
    assert len(results) - len(refusals) == 1


async def test_a_forged_assertion_does_not_use_up_a_jti(refused, check, hand):
    await refused(hand.assertion(sign=hand.rs384), "signature")
    await check(hand.assertion())

"""Our access tokens: five minutes, one key, one base, read again from memory."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest

from shared.smart import tokens as module
from shared.smart.keys import client_key, signing_key
from shared.smart.scopes import parse
from shared.smart.tokens import LIFETIME, Tokens, Unauthorized

ISSUER, BASE = "https://carepod.example", "https://carepod.example/fhir"
SCOPES = parse("system/Patient.rs system/Task.cu")


@pytest.fixture
def key(tmp_path):
    return signing_key(tmp_path)


@pytest.fixture
def tokens(key):
    return Tokens(key, ISSUER, BASE, capacity=3)


@pytest.fixture
def proofs(monkeypatch):
    """How often a signature was verified."""
    seen = []
    real = module.is_signed
    monkeypatch.setattr(module, "is_signed", lambda *asked: seen.append(1) or real(*asked))
    return seen


def test_a_token_says_whose_it_is_and_what_it_allows(tokens, now):
    access = tokens.verify(tokens.issued("mercy-ehr", SCOPES, now), now)
    assert (access.client_id, access.scopes, access.expires) == ("mercy-ehr", SCOPES, now + LIFETIME)


def test_any_reader_of_our_key_finds_the_claims(tokens, key, now):
    token = tokens.issued("mercy-ehr", SCOPES, now)
    claims = jwt.decode(
        token, key.public, algorithms=["ES384"], options={"verify_exp": False, "verify_aud": False, "verify_iat": False}
    )
    jti = claims.pop("jti")
    at = int(now.timestamp())
    assert claims == {
        "iss": ISSUER,
        "aud": BASE,
        "sub": "mercy-ehr",
        "client_id": "mercy-ehr",
        "scope": "system/Patient.rs system/Task.cu",
        "iat": at,
        "exp": at + 300,
    }
    assert len(jti) >= 20
    assert jwt.get_unverified_header(token) == {"alg": "ES384", "typ": "at+jwt", "kid": key.kid}


def test_no_two_tokens_are_the_same(tokens, now):
    assert len({tokens.issued("mercy-ehr", SCOPES, now) for _ in range(20)}) == 20


@pytest.mark.parametrize("warm", [True, False], ids=["remembered", "new"])
@pytest.mark.parametrize("seconds,valid", [(0, True), (299, True), (300, False), (301, False)])
def test_a_token_lives_five_minutes_remembered_or_not(tokens, now, warm, seconds, valid):
    token = tokens.issued("mercy-ehr", SCOPES, now)
    if warm:
        tokens.verify(token, now)
    at = now + timedelta(seconds=seconds)
    if valid:
        assert tokens.verify(token, at).client_id == "mercy-ehr"
    else:
        with pytest.raises(Unauthorized) as refusal:
            tokens.verify(token, at)
        assert refusal.value.expired


def test_a_token_is_verified_once_and_then_remembered(tokens, now, proofs):
    token = tokens.issued("mercy-ehr", SCOPES, now)
    for _ in range(100):
        tokens.verify(token, now)
    assert len(proofs) == 1


def test_memory_holds_the_latest_used_and_no_more(tokens, now, proofs):
    first, second, third, fourth = (tokens.issued("mercy-ehr", SCOPES, now) for _ in range(4))
    for token in (first, second, third, first, fourth):  # second is the longest unused when the fourth comes
        tokens.verify(token, now)
    proofs.clear()
    for token in (first, third, fourth):
        tokens.verify(token, now)
    assert proofs == []
    tokens.verify(second, now)
    assert len(proofs) == 1


def test_an_expired_token_leaves_memory(tokens, now):
    token = tokens.issued("mercy-ehr", SCOPES, now)
    tokens.verify(token, now)
    with pytest.raises(Unauthorized):
        tokens.verify(token, now + LIFETIME)
    assert len(tokens._read) == 0


def test_a_bad_token_is_not_remembered(tokens, now):
    for n in range(10):
        with pytest.raises(Unauthorized):
            tokens.verify(f"garbage-{n}", now)
    assert len(tokens._read) == 0


def forged(key, now, *, private=None, alg="ES384", header=None, **claims):
    at = int(now.timestamp())
    said = {"iss": ISSUER, "aud": BASE, "sub": "c", "client_id": "c", "scope": "system/*.cruds", "exp": at + 60}
    whole = {"typ": "at+jwt", "kid": key.kid} | (header or {})
    return jwt.encode(said | claims, private or key.private, alg, headers=whole)


def test_the_forgery_of_these_tests_would_pass_were_it_not_forged(tokens, key, now):
    assert tokens.verify(forged(key, now), now).client_id == "c"


def test_a_token_of_another_key_issuer_audience_or_kind_is_none(tokens, key, now, tmp_path):
    other = client_key(tmp_path)
    forgeries = [
        forged(key, now, private=other.private),
        forged(other, now),
        forged(key, now, iss="https://other.example"),
        forged(key, now, aud="https://other.example/fhir"),
        forged(key, now, aud=[BASE, "https://other.example/fhir"]),
        forged(key, now, header={"typ": "JWT"}),
        forged(key, now, header={"kid": "other"}),
        forged(key, now, private="x" * 64, alg="HS384"),
        jwt.encode(
            jwt.decode(forged(key, now), options={"verify_signature": False}),
            None,
            "none",
            {"typ": "at+jwt", "kid": key.kid},
        ),
        forged(key, now, scope="patient/*.rs"),
    ]
    for token in forgeries:
        with pytest.raises(Unauthorized, match="not an access token") as refusal:
            tokens.verify(token, now)
        assert not refusal.value.expired


@pytest.mark.parametrize("token", ["", "a.b.c", "é", "\ud800", "x" * 20_000, "." * 20_000])
def test_garbage_is_no_token(tokens, now, token):
    with pytest.raises(Unauthorized):
        tokens.verify(token, now)

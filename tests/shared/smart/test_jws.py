"""Opening a compact JWS: exactly the algorithm asked for, and numbers that are dates."""

from __future__ import annotations

import pytest

from shared.smart.jws import is_date, is_signed, read


def test_a_right_signature_is_one_only_under_the_algorithm_asked_for(hand):
    token, key = hand.assertion({"alg": "RS384"}), hand.rsa_key(2048).public_key()
    assert is_signed(token, key, "RS384")
    assert not is_signed(token, key, "ES384")


def test_header_and_claims_are_read_before_any_proof(hand):
    jws = read(hand.assertion(sign=lambda message: b"nothing"))
    assert (jws.header["alg"], jws.claims["sub"]) == ("ES384", hand.client_id)


@pytest.mark.parametrize("value,date", [(0, True), (1.5, True), (True, False), ("1", False), (None, False)])
def test_a_date_is_a_number(value, date):
    assert is_date(value) is date

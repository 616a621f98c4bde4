"""Which registrations are taken."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shared.smart.clients import LONGEST_JWKS, ClientError, checked_jwks, is_client_id, registered


def jwks(*keys):
    return json.dumps({"keys": list(keys)}).encode()


def test_a_client_is_registered_from_a_file_or_from_the_text(hand, tmp_path):
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(hand.rsa_jwk(), hand.ec_jwk()))
    inline = registered("mercy-ehr", "Mercy", " " + file.read_text(), "system/*.read")
    assert registered("mercy-ehr", "Mercy", file, "system/*.read") == inline
    assert registered("mercy-ehr", "Mercy", str(file), "system/*.read") == inline
    assert inline.scopes == "system/*.rs"
    assert not inline.disabled
    assert [key["kty"] for key in inline.jwks["keys"]] == ["RSA", "EC"]


def test_only_what_proves_a_signature_is_kept(hand):
    key = hand.ec_jwk() | {"alg": "ES384", "use": "sig", "key_ops": ["verify"], "ext": True, "x5c": ["MII"]}
    assert checked_jwks(jwks(key)) == {"keys": [hand.ec_jwk()]}


@pytest.mark.parametrize(
    "change,word",
    [
        ({"d": "AQAB"}, "private"),
        ({"k": "AQAB"}, "private"),
        ({"kid": None}, "kid"),
        ({"kid": ""}, "kid"),
        ({"kid": 7}, "kid"),
        ({"kid": "a\x00b"}, "kid"),
        ({"kty": "oct"}, "kty"),
        ({"kty": ["RSA"]}, "kty"),
        ({"alg": "RS256"}, "RS384"),
        ({"alg": "ES384"}, "RS384"),
        ({"alg": ["RS384"]}, "RS384"),
        ({"use": "enc"}, "use sig"),
        ({"key_ops": ["sign"]}, "verify"),
        ({"key_ops": 5}, "verify"),
        ({"n": ""}, "n"),
        ({"n": 5}, "n"),
        ({"n": "!!!"}, "numbers"),
        ({"e": "AA"}, "numbers"),
    ],
)
def test_a_key_that_will_not_do_is_named(hand, change, word):
    key = {name: value for name, value in (hand.rsa_jwk() | change).items() if value is not None}
    with pytest.raises(ClientError, match=rf"jwks\.keys\[1\]: .*{word}"):
        checked_jwks(jwks(hand.ec_jwk(), key))


@pytest.mark.parametrize("change", [{"crv": "P-256"}, {"crv": "secp256k1"}, {"x": "AQAB"}, {"y": "A" * 64}])
def test_an_ec_key_must_be_a_point_on_p_384(hand, change):
    with pytest.raises(ClientError, match=r"jwks\.keys\[0\]"):
        checked_jwks(jwks(hand.ec_jwk() | change))


def test_a_real_key_on_p_256_is_refused(hand):
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    x, y = (base64.urlsafe_b64encode(n.to_bytes(32)).rstrip(b"=").decode() for n in (numbers.x, numbers.y))
    with pytest.raises(ClientError, match="P-384"):
        checked_jwks(jwks({"kty": "EC", "kid": "key", "crv": "P-256", "x": x, "y": y}))


@pytest.mark.parametrize("bits,taken", [(1024, False), (2040, False), (2048, True), (2056, True)])
def test_an_rsa_key_has_at_least_2048_bits(hand, bits, taken):
    if taken:
        assert checked_jwks(jwks(hand.rsa_jwk(bits)))
    else:
        with pytest.raises(ClientError, match="2048"):
            checked_jwks(jwks(hand.rsa_jwk(bits)))


def test_one_kid_may_name_a_key_of_each_type_but_not_two_of_one(hand):
    assert checked_jwks(jwks(hand.rsa_jwk(), hand.ec_jwk()))
    with pytest.raises(ClientError, match="once per kty"):
        checked_jwks(jwks(hand.rsa_jwk(), hand.rsa_jwk()))


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"[]", b"null", b"{}", b'{"keys":[]}', b'{"keys":{}}', b'{"keys":[null]}', b"\xff", b"[" * 9000],
)
def test_what_is_no_key_set_is_refused(document):
    with pytest.raises(ClientError, match="jwks"):
        checked_jwks(document)


def test_a_key_set_of_the_longest_size_is_taken_and_a_longer_one_is_not(hand, tmp_path):
    text = jwks(hand.ec_jwk()).ljust(LONGEST_JWKS)
    assert checked_jwks(text)
    file = tmp_path / "jwks.json"
    file.write_bytes(text + b" ")
    for source in (file, file.read_text()):
        with pytest.raises(ClientError, match=str(LONGEST_JWKS)):
            registered("c", "C", source, "system/*.r")


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ClientError, match="readable file"):
        registered("c", "C", tmp_path / "none.json", "system/*.r")


@pytest.mark.parametrize(
    "client_id,right",
    [
        ("a", True),
        ("mercy-ehr", True),
        ("urn:uuid:1", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("carepod", False),
        ("carepod-2", True),
        ("", False),
        ("-a", False),
        ("a b", False),
        ("a/", False),
        ("a\n", False),
        ("é", False),
        (7, False),
        (None, False),
    ],
)
def test_a_client_id_has_one_shape(hand, client_id, right):
    assert is_client_id(client_id) is right
    if not right:
        with pytest.raises(ClientError, match="client id"):
            registered(client_id, "C", jwks(hand.ec_jwk()).decode(), "system/*.r")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[31m"])
def test_a_name_is_one_printable_line(hand, name):
    with pytest.raises(ClientError, match="name"):
        registered("c", name, jwks(hand.ec_jwk()).decode(), "system/*.r")


@pytest.mark.parametrize("scopes", ["", "system/Patient.dus", "patient/*.r"])
def test_scopes_are_read_at_registration(hand, scopes):
    with pytest.raises(ClientError, match="scope"):
        registered("c", "C", jwks(hand.ec_jwk()).decode(), scopes)

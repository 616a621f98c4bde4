"""A registered client with an RSA and an EC key, assertions signed by hand, and a store that lives in the test."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from shared.smart.clients import Client, registered

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TOKEN_URL = "https://carepod.example/token"
CLIENT = "mercy-ehr"


class Memory:
    """The ClientStore of a test; it yields before it decides, so simultaneous calls do meet."""

    def __init__(self, *clients: Client) -> None:
        self.clients = {client.id: client for client in clients}
        self.used: dict[tuple[str, str], datetime] = {}
        self.asked: list[str] = []

    async def client(self, client_id: str) -> Client | None:
        self.asked.append(client_id)
        await asyncio.sleep(0)
        return self.clients.get(client_id)

    async def add(self, client: Client) -> None:
        self.clients[client.id] = client

    async def use_jti(self, client_id: str, jti: str, until: datetime) -> bool:
        await asyncio.sleep(0)
        return self.used.setdefault((client_id, jti), until) is until


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def rsa_jwk(bits: int = 2048) -> dict[str, Any]:
    numbers = rsa_key(bits).public_key().public_numbers()
    return {"kty": "RSA", "kid": "key", "n": base64url(numbers.n.to_bytes(bits // 8)), "e": "AQAB"}


def ec_jwk() -> dict[str, Any]:
    numbers = ec_key().public_key().public_numbers()
    x, y = base64url(numbers.x.to_bytes(48)), base64url(numbers.y.to_bytes(48))
    return {"kty": "EC", "kid": "key", "crv": "P-384", "x": x, "y": y}


def rs384(message: bytes) -> bytes:
    return rsa_key(2048).sign(message, padding.PKCS1v15(), hashes.SHA384())


def es384(message: bytes) -> bytes:
    r, s = decode_dss_signature(ec_key().sign(message, ec.ECDSA(hashes.SHA384())))
    return r.to_bytes(48) + s.to_bytes(48)


SIGNATURES: dict[str, Callable[[bytes], bytes]] = {"RS384": rs384, "ES384": es384}


def compact(header: Any, claims: Any, sign: Callable[[bytes], bytes]) -> str:
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims))
    message = ".".join(map(base64url, parts))
    return f"{message}.{base64url(sign(message.encode()))}"


def assertion(
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | None = None,
    sign: Callable[[bytes], bytes] | None = None,
) -> str:
    """A right assertion of the client, but for these members; None takes a member away."""
    whole = {"alg": "ES384", "kid": "key", "typ": "JWT"} | (header or {})
    said = {"iss": CLIENT, "sub": CLIENT, "aud": TOKEN_URL, "exp": int(NOW.timestamp()) + 240, "jti": "j-1"}
    said |= claims or {}
    kept = [{name: value for name, value in part.items() if value is not None} for part in (whole, said)]
    return compact(*kept, sign or SIGNATURES.get(str(whole["alg"]), es384))


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def client() -> Client:
    return registered(CLIENT, "Mercy Clinic EHR", json.dumps({"keys": [rsa_jwk(), ec_jwk()]}), "system/*.rs")


@pytest.fixture
def store(client: Client) -> Memory:
    return Memory(client)


class Hand:
    """What tests make by hand."""

    assertion = staticmethod(assertion)
    compact = staticmethod(compact)
    rsa_key = staticmethod(rsa_key)
    rsa_jwk = staticmethod(rsa_jwk)
    ec_jwk = staticmethod(ec_jwk)
    rs384 = staticmethod(rs384)
    es384 = staticmethod(es384)
    token_url = TOKEN_URL
    client_id = CLIENT
    store = Memory


@pytest.fixture
def hand() -> type[Hand]:
    return Hand

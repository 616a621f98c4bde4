"""Who may ask for tokens: registered clients, the public keys they prove themselves with, and where both are kept."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from shared.smart import scopes as smart_scopes
from shared.smart.errors import InvalidScope

Jwks = Mapping[str, Any]

OURSELVES = "carepod"
"""The client id in the tokens our own processes show each other; nobody outside may have it."""

LONGEST_JWKS = 16 * 1024
"""Bytes of a key set."""

ALGORITHMS = {"RSA": "RS384", "EC": "ES384"}
"""The one signature algorithm of each key type (SMART: a server must take both)."""

_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,63}")
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_PUBLIC = {"RSA": ("kty", "kid", "n", "e"), "EC": ("kty", "kid", "crv", "x", "y")}
_RSA_BITS = range(2048, 8192 + 1)


class ClientError(Exception):
    """A registration that cannot be taken: where, and what would be right."""


@dataclass(frozen=True, slots=True)
class Client:
    """An outside program. `jwks` holds public keys only; `scopes` is the most it may have, in SMART v2 form."""

    id: str
    name: str
    jwks: Jwks
    scopes: str
    disabled: bool = False


class ClientStore(Protocol):
    """Clients and the assertions they have used: in the database, one for the whole deployment."""

    async def client(self, client_id: str) -> Client | None:
        """The client of this id, disabled or not."""

    async def add(self, client: Client) -> None:
        """Adds a client, or replaces the one of the same id."""

    async def use_jti(self, client_id: str, jti: str, until: datetime) -> bool:
        """Marks an assertion as used and keeps the mark until then; False when it was already used.

        `jti` is a digest of 64 hexadecimal characters. Of any number of simultaneous calls, in any number of
        processes, exactly one gets True.
        """


def is_client_id(text: object) -> bool:
    """Whether a text can be the id of an outside client: 1 to 64 unreserved URI characters or colons, and not ours."""
    return isinstance(text, str) and _CLIENT_ID.fullmatch(text) is not None and text != OURSELVES


def registered(client_id: str, name: str, jwks: str | Path, scopes: str) -> Client:
    """A client as an administrator registers it; `jwks` is a file, or the key set itself as JSON text.

    Raises ClientError.
    """
    if not is_client_id(client_id):
        raise ClientError(f"client id: 1 to 64 of A-Z a-z 0-9 . _ ~ : - would be right, and not {OURSELVES}")
    if not name.strip() or not name.isprintable():
        raise ClientError("name: one printable line would be right")
    try:
        allowed = smart_scopes.parse(scopes)
    except InvalidScope as error:
        raise ClientError(f"scopes: {error}") from None
    return Client(client_id, name.strip(), checked_jwks(_document(jwks)), smart_scopes.stated(allowed))


def checked_jwks(document: bytes) -> dict[str, Any]:
    """The key set reduced to what proves a signature. Raises ClientError naming each key that will not do.

    Every key must be public, have a kid, and be RSA of 2048 bits or more (RS384) or EC on P-384 (ES384).
    """
    if len(document) > LONGEST_JWKS:
        raise ClientError(f"jwks: at most {LONGEST_JWKS} bytes would be right")
    try:
        key_set = json.loads(document)
    except (ValueError, RecursionError):
        raise ClientError("jwks: JSON would be right") from None
    keys = key_set.get("keys") if isinstance(key_set, dict) else None
    if not isinstance(keys, list) or not keys:
        raise ClientError("jwks: an object with a non-empty array `keys` would be right")
    wrong = [f"jwks.keys[{n}]: {w}" for n, key in enumerate(keys) if (w := _wrong(key))] or _repeated(keys)
    if wrong:
        raise ClientError("; ".join(wrong))
    return {"keys": [{name: key[name] for name in _PUBLIC[key["kty"]]} for key in keys]}


def public_key(jwk: Mapping[str, Any]) -> Any:
    """The public key of a registered JWK, as `cryptography` has it."""
    return PyJWK(dict(jwk), algorithm=ALGORITHMS[jwk["kty"]]).key


def _document(jwks: str | Path) -> bytes:
    if isinstance(jwks, str) and jwks.lstrip().startswith("{"):
        return jwks.encode("utf-8", "surrogateescape")
    try:
        with Path(jwks).open("rb") as file:
            return file.read(LONGEST_JWKS + 1)
    except OSError as error:
        raise ClientError(f"jwks: {error.strerror}; a readable file, or the key set as JSON, would be right") from None


def _wrong(key: object) -> str | None:
    """What is wrong with one key, or None."""
    if not isinstance(key, dict) or key.get("kty") not in ("RSA", "EC"):
        return "an object with kty RSA or EC would be right"
    if any(part in key for part in _PRIVATE):
        return "this is a private key; only its public part would be right"
    if not all(_is_text(key.get(name)) for name in _PUBLIC[key["kty"]]):
        return f"{', '.join(_PUBLIC[key['kty']])} are required, each a printable text"
    if key.get("alg", ALGORITHMS[key["kty"]]) != ALGORITHMS[key["kty"]]:
        return f"alg {ALGORITHMS[key['kty']]} would be right for kty {key['kty']}"
    if key.get("use", "sig") != "sig" or key.get("key_ops", ["verify"]) != ["verify"]:
        return "a key for verifying signatures (use sig, key_ops only verify) would be right"
    return _weak(key)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _weak(key: Mapping[str, Any]) -> str | None:
    if key["kty"] == "EC" and key["crv"] != "P-384":
        return "crv P-384 would be right"
    try:
        public = public_key(key)
    except (PyJWTError, ValueError, TypeError):
        return "its numbers make no public key"
    if isinstance(public, rsa.RSAPublicKey) and public.key_size not in _RSA_BITS:
        return f"an RSA modulus of {_RSA_BITS.start} to {_RSA_BITS.stop - 1} bits would be right"
    return None


def _repeated(keys: list[dict[str, Any]]) -> list[str]:
    times = Counter((key["kid"], key["kty"]) for key in keys)
    return ["jwks.keys: each kid once per kty would be right"] if max(times.values()) > 1 else []

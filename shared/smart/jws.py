"""Opens a compact JWS: bounded and strict, first as claimed, then proven by its signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeGuard

from jwt import PyJWS
from jwt.exceptions import PyJWTError
from jwt.types import SigOptions

LONGEST = 16 * 1024
"""Bytes of a token or assertion; a longer one is refused before anything decodes it."""

_SIGNATURES = PyJWS(algorithms=["RS384", "ES384"])
_UNPROVEN: SigOptions = {"verify_signature": False}


class Malformed(Exception):
    """Not a compact JWS with a JSON object of claims; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Jws:
    """Header and claims as they stand in the token; nothing of it is proven yet."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]


def read(token: str) -> Jws:
    """Header and claims before any proof. Raises Malformed."""
    if len(token) > LONGEST or not token.isascii():
        raise Malformed(f"a compact JWS of at most {LONGEST} ASCII characters would be right")
    try:
        parts = _SIGNATURES.decode_complete(token, options=_UNPROVEN)
        claims = json.loads(parts["payload"].decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (PyJWTError, ValueError, RecursionError):
        raise Malformed("a compact JWS (RFC 7515) without extensions, over one JSON object, would be right") from None
    if not isinstance(claims, dict):
        raise Malformed("the claims must be one JSON object")
    return Jws(parts["header"], claims)


def is_signed(token: str, key: Any, algorithm: str) -> bool:
    """Whether this public key made the signature with exactly this algorithm."""
    try:
        _SIGNATURES.decode_complete(token, key=key, algorithms=[algorithm])
    except PyJWTError:
        return False
    return True


def is_date(value: object) -> TypeGuard[int | float]:
    """Whether a claim is a NumericDate: a JSON number, and true is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")

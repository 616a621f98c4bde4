"""Our access tokens: signed for five minutes, and read again at the cost of one hash."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from shared.smart import scopes as smart_scopes
from shared.smart.errors import InvalidScope
from shared.smart.jws import Malformed, is_signed, read
from shared.smart.keys import ALGORITHM, SigningKey
from shared.smart.scopes import Scope

LIFETIME = timedelta(seconds=300)
"""SMART Backend Services: expires_in should not exceed 300 seconds."""

_TYPE = "at+jwt"


class Unauthorized(Exception):
    """The token proves nothing now; `expired` when it once did."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Access:
    """Whom a request is from, and what it may do, until `expires`."""

    client_id: str
    scopes: tuple[Scope, ...]
    expires: datetime


class Tokens:
    """Issues and reads the tokens of one FHIR base; remembers the last `capacity` it read."""

    def __init__(self, key: SigningKey, issuer: str, audience: str, capacity: int = 4096) -> None:
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self._capacity = capacity
        self._read: OrderedDict[bytes, Access] = OrderedDict()

    def issued(self, client_id: str, scopes: tuple[Scope, ...], at: datetime) -> str:
        """A new token, valid from now for LIFETIME."""
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": client_id,
            "client_id": client_id,
            "scope": smart_scopes.stated(scopes),
            "jti": secrets.token_urlsafe(16),
            "iat": int(at.timestamp()),
            "exp": int((at + LIFETIME).timestamp()),
        }
        return jwt.encode(claims, self._key.private, ALGORITHM, headers={"typ": _TYPE, "kid": self._key.kid})

    def verify(self, token: str, now: datetime) -> Access:
        """What the token gives at this instant. Raises Unauthorized."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        access = self._read.get(digest) or self._proven(token)
        if now >= access.expires:
            self._read.pop(digest, None)
            raise Unauthorized("the token has expired", expired=True)
        self._remember(digest, access)
        return access

    def _remember(self, digest: bytes, access: Access) -> None:
        self._read[digest] = access
        self._read.move_to_end(digest)
        if len(self._read) > self._capacity:
            self._read.popitem(last=False)

    def _proven(self, token: str) -> Access:
        try:
            return self._access(self._claims(token))
        except (Malformed, InvalidScope):
            raise Unauthorized("not an access token of this server") from None

    def _claims(self, token: str) -> Mapping[str, Any]:
        """The claims our key signed as an access token of this base; other uses of the key are not one."""
        jws = read(token)
        named = (jws.header.get("typ"), jws.header.get("kid"), jws.claims.get("iss"), jws.claims.get("aud"))
        if named != (_TYPE, self._key.kid, self._issuer, self._audience):
            raise Malformed("a token of another kind, key, issuer or audience")
        if not is_signed(token, self._key.public, ALGORITHM):
            raise Malformed("not our signature")
        return jws.claims

    def _access(self, claims: Mapping[str, Any]) -> Access:
        expires = datetime.fromtimestamp(claims["exp"], UTC)
        return Access(claims["client_id"], smart_scopes.parse(claims["scope"]), expires)

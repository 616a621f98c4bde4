"""How a partner gets a token by SMART Backend Services: one signed assertion, used once."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import httpx
import jwt

from partners.clock import clock
from partners.keys import PrivateKey, algorithm, private_key, public_jwk

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIVES = timedelta(minutes=4)


class TokenRefused(Exception):
    """The token endpoint said no: its status and its OAuth error code."""


def assertion(token_url: str, client_id: str, key: PrivateKey, at: datetime, kid: str | None = None) -> str:
    """A private_key_jwt for one token request; `kid` is the key's thumbprint where none is given."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_url,
        "iat": int(at.timestamp()),
        "exp": int((at + ASSERTION_LIVES).timestamp()),
        "jti": secrets.token_urlsafe(24),
    }
    return jwt.encode(claims, key, algorithm(key), {"kid": kid or str(public_jwk(key)["kid"]), "typ": "JWT"})


async def backend_token(
    token_url: str,
    client_id: str,
    private: PrivateKey | bytes | str,
    scope: str,
    *,
    http: httpx.AsyncClient | None = None,
    at: datetime | None = None,
    kid: str | None = None,
) -> str:
    """A bearer token. `private` is a key or its PEM. Raises TokenRefused, or httpx.HTTPError when nobody answers."""
    key = private_key(private) if isinstance(private, bytes | str) else private
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(token_url, client_id, key, at or clock(), kid),
    }
    if http is not None:
        return _token(await http.post(token_url, data=form))
    async with httpx.AsyncClient(timeout=15) as own:
        return _token(await own.post(token_url, data=form))


def _token(response: httpx.Response) -> str:
    try:
        found = response.json()
    except ValueError:
        found = {}
    token = found.get("access_token") if isinstance(found, dict) else None
    if response.status_code != 200 or not isinstance(token, str):
        error = found.get("error", "no token") if isinstance(found, dict) else "no token"
        raise TokenRefused(f"{response.status_code} {error}")
    return token

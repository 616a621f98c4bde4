"""Who may have a token: a client whose assertion is signed by a registered key, fresh, for this endpoint, and new."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
from fastapi import Request
from starlette.responses import JSONResponse, Response

from partners.backend import ASSERTION_TYPE
from partners.clock import Clock
from partners.store import Store
from partners.wire import refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS jti (iss TEXT NOT NULL, jti TEXT NOT NULL, expires REAL NOT NULL, PRIMARY KEY (iss, jti));
CREATE TABLE IF NOT EXISTS token (
  digest TEXT PRIMARY KEY, client TEXT NOT NULL, scope TEXT NOT NULL, expires REAL NOT NULL);
"""
ALGORITHMS = ("ES384", "RS384")
KEY_TYPES = {"ES384": "EC", "RS384": "RSA"}
LONGEST = timedelta(minutes=5)
TOKEN_LIVES = timedelta(minutes=5)
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_SCOPE = re.compile(r"system/([A-Za-z]+|\*)\.(read|write|\*|(?=[cruds])c?r?u?d?s?)")

Keys = Callable[[str], Awaitable[list[Mapping[str, Any]]]]
"""kid -> the keys a client has registered, at least those of this kid."""


class OAuthError(Exception):
    """An OAuth error answer: its code and what would be right."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code)
        self.code, self.description = code, description


def invalid_client(description: str) -> OAuthError:
    return OAuthError("invalid_client", description)


class Tokens:
    """A partner's token endpoint. `clients`: client id -> its keys; `url` is the audience an assertion must name."""

    def __init__(self, store: Store, now: Clock, url: str, clients: Mapping[str, Keys]) -> None:
        self._store, self._now, self._url, self._clients = store, now, url, clients

    async def answered(self, form: bytes) -> Response:
        """The answer to a token request: a token, or why there is none."""
        try:
            return JSONResponse(await self.given(form), headers=_NO_STORE)
        except OAuthError as error:
            return JSONResponse({"error": error.code, "error_description": error.description}, 400, _NO_STORE)

    def require(self, request: Request, kind: str, *actions: str) -> None:
        """Raises Refused: 401 without a valid token, 403 where its scope allows none of these actions."""
        scope = self.scope_of(request.headers.get("authorization"), self._now())
        if scope is None:
            refuse(401, "login", "a valid bearer token is required")
        if not any(allows(scope, kind, action) for action in actions):
            refuse(403, "forbidden", f"the token's scope must allow system/{kind}.{actions[0]}")

    async def given(self, form: bytes) -> dict[str, Any]:
        """Answers a token request. Raises OAuthError."""
        fields = {k: v[0] for k, v in parse_qs(form.decode("utf-8", "replace")).items() if len(v) == 1}
        if fields.get("grant_type") != "client_credentials":
            raise OAuthError("unsupported_grant_type", "grant_type must be client_credentials")
        if fields.get("client_assertion_type") != ASSERTION_TYPE:
            raise OAuthError("invalid_request", f"client_assertion_type must be {ASSERTION_TYPE}")
        client = await self._authenticated(fields.get("client_assertion", ""))
        return self._made(client, _scope(fields.get("scope", "")))

    async def _authenticated(self, assertion: str) -> str:
        _, claims = _read(assertion)
        if claims.get("iss") != claims.get("sub"):
            raise invalid_client("iss and sub must both be a registered client")
        return await self.proven(assertion)

    async def proven(self, assertion: str) -> str:
        """The client that signed a JWT for this address, fresh and never seen before. Raises OAuthError."""
        header, claims = _read(assertion)
        client = claims.get("iss")
        if not isinstance(client, str) or client not in self._clients:
            raise invalid_client("iss must be a registered client")
        key = await self._key(client, header)
        try:
            jwt.decode(assertion, key, algorithms=[header["alg"]], options=_SIGNATURE_ONLY, audience=self._url)
        except jwt.InvalidAudienceError:
            raise invalid_client("aud must be the address of this endpoint") from None
        except jwt.PyJWTError:
            raise invalid_client("the signature must be made with the registered key of this kid") from None
        self._fresh(client, claims)
        return client

    async def _key(self, client: str, header: Mapping[str, Any]) -> Any:
        """The one registered key of this kid and key type."""
        try:
            keys = await self._clients[client](str(header.get("kid", "")))
        except (httpx.HTTPError, ValueError, AttributeError):
            raise invalid_client("the client's JWKS could not be read") from None
        kind = KEY_TYPES[header["alg"]]
        found = [k for k in keys if k.get("kid") == header.get("kid") and k.get("kty") == kind]
        if len(found) != 1:
            raise invalid_client("kid must name exactly one registered key of the algorithm's type")
        return jwt.PyJWK(dict(found[0]), header["alg"]).key

    def _fresh(self, client: str, claims: Mapping[str, Any]) -> None:
        at, expires, jti = self._now().timestamp(), claims.get("exp"), claims.get("jti")
        if not isinstance(expires, int | float) or not at < expires <= at + LONGEST.total_seconds():
            raise invalid_client("exp must be in the future and at most five minutes ahead")
        if not isinstance(jti, str) or not jti:
            raise invalid_client("jti is required")
        self._store.run("DELETE FROM jti WHERE expires < ?", at)
        if not self._store.run("INSERT OR IGNORE INTO jti VALUES (?, ?, ?)", client, jti, float(expires)):
            raise invalid_client("jti has been used before")

    def _made(self, client: str, scope: str) -> dict[str, Any]:
        token = secrets.token_urlsafe(32)
        ends = self._now() + TOKEN_LIVES
        self._store.run("DELETE FROM token WHERE expires < ?", self._now().timestamp())
        self._store.run("INSERT INTO token VALUES (?, ?, ?, ?)", _digest(token), client, scope, ends.timestamp())
        seconds = int(TOKEN_LIVES.total_seconds())
        return {"access_token": token, "token_type": "bearer", "expires_in": seconds, "scope": scope}

    def scope_of(self, authorization: str | None, at: datetime) -> str | None:
        """The scope of a bearer token in an Authorization header; None when it is absent, unknown or over."""
        kind, _, token = (authorization or "").partition(" ")
        row = self._store.row("SELECT * FROM token WHERE digest = ?", _digest(token.strip()))
        valid = kind.lower() == "bearer" and row is not None and row["expires"] > at.timestamp()
        return str(row["scope"]) if row is not None and valid else None


_SIGNATURE_ONLY: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
"""Times are judged by the partner's own clock, in `_fresh`."""


def _read(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise invalid_client("client_assertion must be a JWT") from None
    if header.get("alg") not in ALGORITHMS or header.get("typ", "JWT") != "JWT":
        raise invalid_client("alg must be ES384 or RS384, typ JWT")
    return header, claims


def _scope(asked: str) -> str:
    scopes = asked.split()
    if not scopes or not all(_SCOPE.fullmatch(s) for s in scopes):
        raise OAuthError("invalid_scope", "scope must name system scopes, for example system/Task.cu")
    return " ".join(scopes)


def allows(scope: str, resource_type: str, action: str) -> bool:
    """Whether a scope lets its bearer do `action` (one of c, r, u, d, s) with this resource type."""
    return any(_allowed(one, resource_type, action) for one in scope.split())


_FIRST_VERSION = {"read": "rs", "write": "cud", "*": "cruds"}


def _allowed(scope: str, resource_type: str, action: str) -> bool:
    kind, _, actions = scope.removeprefix("system/").partition(".")
    return kind in {resource_type, "*"} and action in _FIRST_VERSION.get(actions, actions)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

"""Our authorization server: says what it can do, turns a proven client into a token, and a token into access."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from shared.clock import Clock
from shared.fhir.outcomes import Issue, outcome
from shared.settings import Settings
from shared.smart import assertions
from shared.smart import scopes as smart_scopes
from shared.smart.clients import OURSELVES, Client, ClientStore
from shared.smart.errors import InvalidClient, OAuthError, TooLong, UnsupportedGrant
from shared.smart.keys import client_key, public_jwks, signing_key
from shared.smart.tokens import LIFETIME, Access, Tokens, Unauthorized

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

LONGEST_FORM = 32 * 1024
"""Bytes of a token request."""

STANDING = timedelta(seconds=30)
"""How long a client's standing is believed: a disabled client is out within a minute, its tokens with it."""

Gate = Callable[[Request], Awaitable[Access]]

_NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_FIELDS = ("grant_type", "scope", "client_assertion_type", "client_assertion")
_FORM_IN_OPENAPI = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": list(_FIELDS),
                    "properties": {name: {"type": "string"} for name in _FIELDS},
                }
            }
        },
    }
}


class Authority:
    """The authorization server of one deployment: its addresses (from the settings, never from a request) and keys."""

    def __init__(self, settings: Settings, clients: ClientStore, now: Clock) -> None:
        base = settings.base_url.rstrip("/")
        self.fhir_base = base + "/fhir"
        self.token_url = base + "/token"
        self.clients = clients
        self.now = now
        self.tokens = Tokens(signing_key(settings.secrets), issuer=base, audience=self.fhir_base)
        self._jwks = public_jwks(client_key(settings.secrets))

    def configuration(self) -> dict[str, Any]:
        """The SMART configuration (smart-app-launch 2.2, `.well-known/smart-configuration`)."""
        return {
            "token_endpoint": self.token_url,
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
            "grant_types_supported": ["client_credentials"],
            "scopes_supported": ["system/*.cruds", "system/*.rs"],
            "code_challenge_methods_supported": ["S256"],
            "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
        }

    def jwks(self) -> dict[str, Any]:
        """The key with which we prove ourselves to partners."""
        return self._jwks

    async def granted(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The token response to one request. Raises OAuthError."""
        if form.get("grant_type") != "client_credentials":
            raise UnsupportedGrant("grant_type: client_credentials would be right")
        client = await self._client(form)
        requested = smart_scopes.parse(form.get("scope", ""))
        scopes = smart_scopes.granted(requested, smart_scopes.parse(client.scopes))
        return {
            "access_token": self.tokens.issued(client.id, scopes, self.now()),
            "token_type": "bearer",
            "expires_in": int(LIFETIME.total_seconds()),
            "scope": smart_scopes.stated(scopes),
        }

    async def _client(self, form: Mapping[str, str]) -> Client:
        if form.get("client_assertion_type") != JWT_BEARER or "client_assertion" not in form:
            raise InvalidClient(f"client_assertion, and client_assertion_type {JWT_BEARER}, would be right")
        client = await assertions.verified(form["client_assertion"], self.token_url, self.clients, self.now())
        if form.get("client_id", client.id) != client.id:
            raise InvalidClient("client_id: none, or the one of the assertion, would be right")
        return client


def router(authority: Authority) -> APIRouter:
    """`/token`, the two SMART configurations and our JWKS."""
    routes = APIRouter(tags=["SMART"])

    @routes.get("/.well-known/smart-configuration", summary="What this authorization server can do")
    @routes.get("/fhir/.well-known/smart-configuration", summary="What this authorization server can do")
    async def smart_configuration() -> Response:
        return JSONResponse(authority.configuration(), headers={"Cache-Control": "max-age=300"})

    @routes.get("/.well-known/jwks.json", summary="The key that proves us to partners")
    async def jwks() -> Response:
        return JSONResponse(authority.jwks(), headers={"Cache-Control": "max-age=300"})

    @routes.post("/token", summary="A backend token for a signed assertion", openapi_extra=_FORM_IN_OPENAPI)
    async def token(request: Request) -> Response:
        try:
            return JSONResponse(await authority.granted(await _form(request)), headers=_NOT_STORED)
        except OAuthError as error:
            return _refusal(error)

    return routes


def authenticated(authority: Authority) -> Gate:
    """The dependency of every FHIR route: whom a request is from, by the bearer token in its header alone.

    It raises HTTPException 401 whose `detail` is an OperationOutcome, with WWW-Authenticate.
    """
    standing: dict[str, tuple[datetime, bool]] = {}

    async def is_enabled(client_id: str, now: datetime) -> bool:
        asked, enabled = standing.get(client_id, (None, False))
        if asked is None or now - asked >= STANDING:
            client = await authority.clients.client(client_id)
            enabled = client is not None and not client.disabled
            standing[client_id] = (now, enabled)
        return enabled

    async def gate(request: Request) -> Access:
        now = authority.now()
        try:
            access = authority.tokens.verify(_bearer(request), now)
        except Unauthorized as error:
            raise _unauthorized("expired" if error.expired else "login", str(error)) from None
        if access.client_id != OURSELVES and not await is_enabled(access.client_id, now):
            raise _unauthorized("login", "the client of this token is disabled")
        return access

    return gate


async def _form(request: Request) -> dict[str, str]:
    """The fields of the form, those without a value left out. Raises OAuthError."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise OAuthError("Content-Type: application/x-www-form-urlencoded would be right")
    try:
        fields = parse_qsl((await _body(request)).decode(), strict_parsing=True, errors="strict", max_num_fields=16)
    except ValueError:
        raise OAuthError("the body: a form of at most 16 fields in UTF-8 would be right") from None
    form = dict(fields)
    if len(form) != len(fields):
        raise OAuthError("the body: each field once would be right")
    return form


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            raise TooLong(f"the body: at most {LONGEST_FORM} bytes would be right")
    return bytes(body)


def _refusal(error: OAuthError) -> Response:
    challenge = {"WWW-Authenticate": 'Bearer realm="carepod"'} if error.status == 401 else {}
    return JSONResponse(
        {"error": error.error, "error_description": str(error)}, error.status, headers={**_NOT_STORED, **challenge}
    )


def _bearer(request: Request) -> str:
    """The one bearer token of the Authorization header; the query never counts. Raises HTTPException."""
    headers = request.headers.getlist("authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized(None, "one header `Authorization: Bearer <access token>` would be right")
    return token.strip()


def _unauthorized(code: str | None, diagnostics: str) -> HTTPException:
    # RFC 6750 section 3.1: a request without any token gets the challenge without an error code.
    error = f', error="invalid_token", error_description="{diagnostics}"' if code else ""
    return HTTPException(
        401,
        outcome([Issue(code or "login", "", diagnostics)]),
        {"WWW-Authenticate": 'Bearer realm="carepod"' + error},
    )

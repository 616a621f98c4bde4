"""Our side of SMART Backend Services: a token for each partner, proven with our own key and renewed in time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt
import orjson

from shared.clock import Clock
from shared.core import TryLater
from shared.posting import retry_after
from shared.settings import Partner
from shared.smart.jws import is_date
from shared.smart.keys import ALGORITHM, SigningKey

ASSERTED = timedelta(seconds=240)
"""Life of our assertion: under the five minutes partners allow, whatever their clocks say."""

LONGEST_HELD = timedelta(seconds=300)
"""A token is renewed after this long even where the partner says it lives longer: it may have been revoked."""

UNSTATED = 60
"""Seconds a token is taken to live when the partner does not say."""

LONGEST_ANSWER = 64 * 1024
"""Bytes of a token response."""

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ERRORS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"}
    | {"invalid_scope", "temporarily_unavailable", "server_error"}
)


PROVEN = timedelta(seconds=60)
"""Life of the proof that comes with one call."""


def proof(key: SigningKey, issuer: str, audience: str, at: datetime) -> str:
    """The JWT of one call to a CDS service: who calls, which service, where our key is found (CDS Hooks 2.0)."""
    claims = {
        "iss": issuer,
        "aud": audience,
        "iat": int(at.timestamp()),
        "exp": int((at + PROVEN).timestamp()),
        "jti": secrets.token_urlsafe(24),
    }
    headers = {"kid": key.kid, "typ": "JWT", "jku": f"{issuer}/.well-known/jwks.json"}
    return jwt.encode(claims, key.private, ALGORITHM, headers=headers)


@dataclass(frozen=True, slots=True)
class _Held:
    token: str
    until: datetime


class TokenSource:
    """Fetches and keeps partners' tokens; for one partner only one request is ever under way."""

    def __init__(self, http: httpx.AsyncClient, key: SigningKey, now: Clock) -> None:
        self._http = http
        self._key = key
        self._now = now
        self._held: dict[Partner, _Held] = {}
        self._whose: dict[str, Partner] = {}
        """The current token of each partner and the one before it."""
        self._fetching: dict[Partner, asyncio.Task[_Held]] = {}

    async def token(self, partner: Partner) -> str:
        """A bearer token this partner takes now. Raises TryLater naming the partner and what it lacked."""
        held = self._held.get(partner)
        if held is None or self._now() >= held.until:
            # Shielded: whoever stops waiting does not take the answer from the others who wait for it.
            held = await asyncio.shield(self._fetching.get(partner) or self._started(partner))
        return held.token

    async def instead_of(self, token: str) -> str | None:
        """Another token of the partner that refuses this one, where it has another. Raises as `token` does."""
        partner = self._whose.get(token)
        if partner is None:
            return None
        held = self._held.get(partner)
        if held is not None and held.token == token:
            del self._held[partner]
        fresh = await self.token(partner)
        return fresh if fresh != token else None

    def _started(self, partner: Partner) -> asyncio.Task[_Held]:
        fetch = asyncio.create_task(self._fetched(partner), name=f"token {partner.id}")
        self._fetching[partner] = fetch
        fetch.add_done_callback(lambda done: self._settled(partner, done))
        return fetch

    def _settled(self, partner: Partner, done: asyncio.Task[_Held]) -> None:
        del self._fetching[partner]
        if not done.cancelled() and done.exception() is None:
            others = [(t, p) for t, p in self._whose.items() if p != partner]
            before = [(t, p) for t, p in self._whose.items() if p == partner][-1:]
            self._held[partner] = done.result()
            self._whose = dict([*others, *before, (done.result().token, partner)])

    async def _fetched(self, partner: Partner) -> _Held:
        if not partner.token_url or not partner.client_id:
            raise TryLater(f"partner {partner.id}: token_url and client_id in the site file would be right")
        asked = self._now()
        try:
            response = await self._answered(partner.token_url, self._form(partner, asked))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TryLater(f"partner {partner.id}: no token ({type(error).__name__})") from None
        answer = _answer(response)
        if response.status_code != httpx.codes.OK:
            named = answer.get("error") if answer.get("error") in _ERRORS else "no OAuth error named"
            after = retry_after(response, self._now())
            raise TryLater(f"partner {partner.id}: no token ({response.status_code}, {named})", after)
        return _held(partner, answer, asked)

    async def _answered(self, url: str, form: Mapping[str, str]) -> httpx.Response:
        """The response with its body, at most LONGEST_ANSWER of it."""
        headers = {"Accept": "application/json"}
        async with self._http.stream("POST", url, data=form, headers=headers, follow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LONGEST_ANSWER:
                    raise httpx.DecodingError("the token response is too long")
            return httpx.Response(response.status_code, headers=_plain(response), content=bytes(body))

    def _form(self, partner: Partner, at: datetime) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "scope": partner.scope,
            "client_assertion_type": _JWT_BEARER,
            "client_assertion": self._assertion(partner, at),
        }

    def _assertion(self, partner: Partner, at: datetime) -> str:
        claims = {
            "iss": partner.client_id,
            "sub": partner.client_id,
            "aud": partner.token_url,
            "exp": int((at + ASSERTED).timestamp()),
            "jti": secrets.token_urlsafe(24),
        }
        return jwt.encode(claims, self._key.private, ALGORITHM, headers={"kid": self._key.kid})


def _plain(response: httpx.Response) -> dict[str, str]:
    """The headers that still hold for a body already decoded."""
    return {name: response.headers[name] for name in ("retry-after",) if name in response.headers}


def _answer(response: httpx.Response) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _held(partner: Partner, answer: Mapping[str, Any], asked: datetime) -> _Held:
    token, kind = answer.get("access_token"), answer.get("token_type")
    seconds = answer.get("expires_in", UNSTATED)
    if not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
        raise TryLater(f"partner {partner.id}: its token response holds no access_token")
    if not (isinstance(kind, str) and kind.lower() == "bearer"):
        raise TryLater(f"partner {partner.id}: its token is no bearer token")
    if not is_date(seconds) or seconds <= 0:
        raise TryLater(f"partner {partner.id}: expires_in, a number of seconds above 0, would be right")
    life = timedelta(seconds=min(seconds, LONGEST_HELD.total_seconds()))
    # A request that takes the token now must arrive before it ends: a fifth of its life is left for the way.
    return _Held(token, asked + life * 4 / 5)

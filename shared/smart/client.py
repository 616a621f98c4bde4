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
        self._fetching: dict[Partner, asyncio.Task[_Held]] = {}

    async def token(self, partner: Partner) -> str:
        """A bearer token this partner takes now. Raises TryLater naming the partner and what it lacked."""
        held = self._held.get(partner)
        if held is None or self._now() >= held.until:
            # Shielded: whoever stops waiting does not take the answer from the others who wait for it.
            held = await asyncio.shield(self._fetching.get(partner) or self._started(partner))
        return held.token

    def _started(self, partner: Partner) -> asyncio.Task[_Held]:
        fetch = asyncio.create_task(self._fetched(partner), name=f"token {partner.id}")
        self._fetching[partner] = fetch
        fetch.add_done_callback(lambda done: self._settled(partner, done))
        return fetch

    def _settled(self, partner: Partner, done: asyncio.Task[_Held]) -> None:
        del self._fetching[partner]
        if not done.cancelled() and done.exception() is None:
            self._held[partner] = done.result()

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
            raise TryLater(f"partner {partner.id}: no token ({response.status_code}, {named})", _retry_after(response))
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


def _retry_after(response: httpx.Response) -> float | None:
    seconds = response.headers.get("retry-after", "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() else None


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

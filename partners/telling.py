"""Tells the practice what a partner has written, with a token of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from partners.backend import backend_token
from partners.clock import Clock
from partners.keys import PrivateKey
from partners.wire import FHIR_JSON

TRY_AGAIN = {401, 408, 425, 429}
"""Refusals that may be over by the next attempt: the token was too old, or too much was asked at once."""
TOKEN_KEPT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Customer:
    """The practice as a partner knows it: the FHIR base, the token endpoint, its own client id there."""

    fhir: str
    token_url: str
    client_id: str


class Telling:
    """Writes resources at one customer; a token is kept a minute, and dropped once it did not do."""

    def __init__(self, customer: Customer, key: PrivateKey, http: httpx.AsyncClient, now: Clock, scope: str) -> None:
        self._customer, self._key, self._http, self._now, self._scope = customer, key, http, now, scope
        self._token: tuple[str, datetime] | None = None

    async def post(self, kind: str, text: str, known_as: str | None = None) -> httpx.Response:
        """`known_as` (`system|value`): nothing happens where the practice knows it already.

        Raises httpx.HTTPError and TokenRefused.
        """
        return await self._sent("POST", kind, text, {"If-None-Exist": f"identifier={known_as}"} if known_as else {})

    async def put(self, place: str, text: str) -> httpx.Response:
        """Updates `Type/id`. Raises as `post` does."""
        return await self._sent("PUT", place, text, {})

    async def _sent(self, method: str, place: str, text: str, headers: dict[str, str]) -> httpx.Response:
        own = {"Authorization": f"Bearer {await self._bearer()}", "Content-Type": FHIR_JSON, **headers}
        response = await self._http.request(
            method, f"{self._customer.fhir}/{place}", content=text.encode(), headers=own
        )
        if response.status_code in TRY_AGAIN:
            self._token = None
        return response

    async def _bearer(self) -> str:
        at, to = self._now(), self._customer
        if self._token is None or self._token[1] <= at:
            token = await backend_token(to.token_url, to.client_id, self._key, self._scope, http=self._http, at=at)
            self._token = (token, at + TOKEN_KEPT)
        return self._token[0]


def settled(response: httpx.Response) -> bool:
    """Whether an answer ends the telling: taken, or refused for good."""
    return response.is_success or (response.is_client_error and response.status_code not in TRY_AGAIN)

"""How deliveries reach partners: one HTTP client that goes to configured addresses only, with tokens where asked."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from email.message import EmailMessage

import httpx

from shared.clock import Clock
from shared.core import Resource, TryLater
from shared.mail import sent
from shared.ports import Unavailable
from shared.settings import Site
from shared.smart.client import TokenSource, proof
from shared.smart.keys import SigningKey

if importlib.util.find_spec("sniffio") is None:
    # httpcore asks for this optional module several times a request, and Python looks for it everywhere each time.
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]


Documents = Callable[[str, str], Awaitable[Resource | None]]
"""The Binary of this id and lane, from whichever of our services holds it. Raises Unavailable while that is silent."""


class NotAllowed(httpx.RequestError):
    """An address that the site's configuration does not name."""


class _AllowList(httpx.AsyncBaseTransport):
    """Sends only to the origins of the configured partners: no address from a message is ever followed."""

    def __init__(
        self, allowed: frozenset[tuple[str, str, int | None]], transport: httpx.AsyncBaseTransport | None
    ) -> None:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
        self._allowed, self._by = allowed, transport or httpx.AsyncHTTPTransport(retries=0, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if _origin(request.url) not in self._allowed:
            raise NotAllowed("the address is not one of a configured partner", request=request)
        return await self._by.handle_async_request(request)

    async def aclose(self) -> None:
        await self._by.aclose()


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


class _Renewing(httpx.Auth):
    """Where a partner refuses our token (401), asks again once with a fresh one: tokens end with a partner's restart.

    A refused token says nothing about what was sent, and nothing of it was taken (RFC 6750, 3.1).
    """

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        response = yield request
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        refused = response.status_code == httpx.codes.UNAUTHORIZED and kind == "Bearer"
        if refused and (fresh := await self._tokens.instead_of(token)):
            request.headers["Authorization"] = f"Bearer {fresh}"
            yield request


class PartnerOutside:
    """See `ports.Outside`."""

    def __init__(
        self,
        site: Site,
        key: SigningKey,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
        documents: Documents | None = None,
    ) -> None:
        self.site, self._clock, self._key, self._documents = site, clock, key, documents
        addresses = [a for p in site.partners.values() for a in (p.base, p.token_url) if a]
        allowed = frozenset(_origin(httpx.URL(a)) for a in addresses)
        self._http = httpx.AsyncClient(
            transport=_AllowList(allowed, transport),
            timeout=httpx.Timeout(15.0, connect=3.0),
            follow_redirects=False,
            trust_env=False,
        )
        self._tokens = TokenSource(self._http, key, clock)
        self._http.auth = _Renewing(self._tokens)

    @property
    def http(self) -> httpx.AsyncClient:
        return self._http

    async def token(self, partner: str) -> str:
        return await self._tokens.token(self.site.partners[partner])

    async def document(self, resource_id: str, lane: str) -> Resource | None:
        if self._documents is None:
            return None
        try:
            return await self._documents(resource_id, lane)
        except Unavailable as silent:
            raise TryLater(str(silent)) from silent

    def proof(self, audience: str) -> str:
        return proof(self._key, self.site.address, audience, self._clock())

    async def mail(self, message: EmailMessage) -> None:
        server = self.site.messaging.server if self.site.messaging else None
        if server is None:
            raise TryLater("no mail server is configured")
        await sent(server, message)

    def now(self) -> datetime:
        return self._clock()

    async def close(self) -> None:
        await self._http.aclose()

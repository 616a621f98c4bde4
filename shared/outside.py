"""How deliveries reach partners: one HTTP client that goes to configured addresses only, with tokens where asked."""

from __future__ import annotations

from datetime import datetime

import httpx

from shared.clock import Clock
from shared.settings import Site
from shared.smart.client import TokenSource
from shared.smart.keys import SigningKey


class NotAllowed(httpx.RequestError):
    """An address that the site's configuration does not name."""


class _AllowList(httpx.AsyncHTTPTransport):
    """Sends only to the origins of the configured partners: no address from a message is ever followed."""

    def __init__(self, allowed: frozenset[tuple[str, str, int | None]]) -> None:
        super().__init__(retries=0, limits=httpx.Limits(max_connections=64, max_keepalive_connections=16))
        self._allowed = allowed

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if _origin(request.url) not in self._allowed:
            raise NotAllowed("the address is not one of a configured partner", request=request)
        return await super().handle_async_request(request)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


class PartnerOutside:
    """See `ports.Outside`."""

    def __init__(self, site: Site, key: SigningKey, clock: Clock) -> None:
        self.site, self._clock = site, clock
        addresses = [a for p in site.partners.values() for a in (p.base, p.token_url) if a]
        allowed = frozenset(_origin(httpx.URL(a)) for a in addresses)
        self._http = httpx.AsyncClient(
            transport=_AllowList(allowed),
            timeout=httpx.Timeout(15.0, connect=3.0),
            follow_redirects=False,
            trust_env=False,
        )
        self._tokens = TokenSource(self._http, key, clock)

    @property
    def http(self) -> httpx.AsyncClient:
        return self._http

    async def token(self, partner: str) -> str:
        return await self._tokens.token(self.site.partners[partner])

    def now(self) -> datetime:
        return self._clock()

    async def close(self) -> None:
        await self._http.aclose()

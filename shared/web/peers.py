"""One FHIR base over many processes: what another process owns is asked of it, under this deployment's own name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from fastapi import Request
from fastapi.responses import Response

from shared.app import Application
from shared.core import Resource, Service
from shared.fhir.json import GateError, decode
from shared.smart.clients import OURSELVES
from shared.smart.scopes import parse
from shared.web.calls import Call
from shared.web.requests import Refused, refused
from shared.web.search import AFTER, Query

ON_BEHALF = "carepod-client"
"""Header in which one of our processes tells another whose command it hands on."""

_LONGEST_ANSWER = 256 * 1024 * 1024
_OF_A_CALL = {"content-type", "if-match", "prefer"}
_OF_ONE_HOP = {
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect",
    "content-length", "accept-encoding", "host", "date", "server", ON_BEHALF,
}  # fmt: skip


class Peers:
    """The other processes of this deployment (`CAREPOD_PEERS`)."""

    def __init__(self, app: Application, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._app = app
        timeout = httpx.Timeout(15.0, connect=2.0)
        self._http = httpx.AsyncClient(timeout=timeout, trust_env=False, transport=transport)
        self._addresses = {name: address for name, address in app.settings.peers.items() if name not in app.handles}

    def owner_of(self, resource_id: str) -> str | None:
        """The address of the process that owns this id, when it is not this one."""
        prefix = resource_id.partition("-")[0]
        return next((a for s, a in self._others() if s.prefix == prefix), None)

    def owning(self, kind: str) -> list[str]:
        """Addresses of other processes whose services own resources of this type."""
        return [address for service, address in self._others() if kind in service.owns]

    def answering(self, path: str) -> str | None:
        """The address of the process whose own operations begin with this path."""
        return next((a for s, a in self._others() if any(path.startswith(p) for p in s.paths)), None)

    def running(self, name: str) -> str | None:
        """The address of the process that runs this service."""
        return self._addresses.get(name)

    @property
    def door(self) -> str | None:
        """The address of the process that takes in what outside clients send."""
        return next((a for s, a in self._others() if s.door is not None), None)

    def _others(self) -> list[tuple[Service, str]]:
        services = self._app.catalogue.services
        return [(s, self._addresses[s.name]) for s in services if s.name in self._addresses]

    async def read(self, address: str, path: str) -> Resource | None:
        """One resource of another process, or None where it has none."""
        response = await self._asked(address + path)
        return None if response.status_code == 404 else _resource(response)

    async def search(
        self, address: str, query: Query, most: int, after: str | None = None
    ) -> tuple[list[Resource], int]:
        """At most so many of what matches there, by id from behind `after`, and how many match there in all."""
        begins = [] if after is None else [(AFTER, after)]
        params = [*query.criteria, *begins, ("_count", str(most))]
        bundle = _resource(await self._asked(f"{address}/fhir/{query.kind}", params))
        return [e["resource"] for e in bundle.get("entry", ())], int(bundle["total"])

    async def forwarded(self, request: Request, address: str, body: bytes) -> Response:
        """Hands a request on with its own headers."""
        path = request.scope.get("raw_path", b"").decode("ascii") or request.url.path
        query = request.url.query
        url = f"{address}{path}" + (f"?{query}" if query else "")
        return await self._answer(request.method, url, body, _handed_on(request.headers))

    async def handed_on(self, address: str, call: Call, client: str) -> Response:
        """Hands a call on to the owner of what it is about, as ourselves for a client this process has checked."""
        kept = {name: value for name, value in call.headers.items() if name in _OF_A_CALL}
        return await self._answer(
            call.method, address + call.path, call.body, kept | self._ours() | {ON_BEHALF: client}
        )  # fmt: skip

    async def _answer(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        response = await self._sent(method, url, content=body, headers=headers)
        # What httpx read is no longer encoded.
        kept = {k: v for k, v in _handed_on(response.headers).items() if k.lower() != "content-encoding"}
        return Response(response.content, response.status_code, kept)

    async def close(self) -> None:
        await self._http.aclose()

    async def _asked(self, url: str, params: list[tuple[str, str]] | None = None) -> httpx.Response:
        return await self._sent("GET", url, params=params, headers=self._ours())

    async def _sent(self, method: str, url: str, **how: Any) -> httpx.Response:
        try:
            return await self._http.request(method, url, **how)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise _silent() from None

    def _ours(self) -> dict[str, str]:
        token = self._app.authority.tokens.issued(OURSELVES, parse("system/*.cruds"), self._app.clock())
        return {"Authorization": f"Bearer {token}"}


def _handed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OF_ONE_HOP}


def _resource(response: httpx.Response) -> dict[str, Any]:
    """The resource of a good answer. Anything else is no answer: to leave it out would be to say there is none."""
    if response.status_code != 200:
        raise _silent()
    try:
        return decode(response.content, limit=_LONGEST_ANSWER, parts=None)
    except GateError:
        raise _silent() from None


def _silent() -> Refused:
    refusal = refused(503, "transient", "the part of the system that owns this is not answering")
    refusal.headers = {"Retry-After": "2"}
    return refusal

"""Requests between applications of one loop: to the process that answers, late, twice, or with the answer lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx

from benchmarks.simulation.loop import Life, SimulatedLoop
from benchmarks.simulation.weather import Weather
from benchmarks.simulation.wrongly import Wrongly

TRAVEL = 0.005
"""Most seconds a request or an answer is under way."""
LONG = 40.0
"""Most seconds one is under way that is late."""
LATE = 12.0
"""Most seconds of most that are late: the answer still comes in time."""
PREPARED = ("/MedicationDispense", "/SupplyDelivery")
FAILURES = ("refused", "lost", "unanswered", "late", "twice", "busy", "gateway")


@dataclass(eq=False, slots=True)
class Server:
    """An application and the process it runs in (None: an outside party, which does not die)."""

    app: Any
    life: Life | None
    waiting: dict[asyncio.Future[httpx.Response], None] = field(default_factory=dict)

    def gone(self) -> None:
        """Its process died: whoever waits for an answer gets none."""
        for future in list(self.waiting):
            if not future.done():
                future.set_exception(httpx.ReadError("the connection was reset"))


class Network(httpx.AsyncBaseTransport):
    """Every address of the simulated world. `outside` are hosts whose answers fail as a partner's do."""

    def __init__(self, loop: SimulatedLoop, weather: Weather, outside: frozenset[str]) -> None:
        self._loop, self.weather, self._outside = loop, weather, outside
        self._servers: dict[str, list[Server]] = {}
        self.wrongly = Wrongly(weather)
        self.silent = False
        """Whether the pharmacy tells nobody of what it has prepared."""
        self.requests = 0

    def serve(self, host: str, app: Any, life: Life | None) -> None:
        """Lets an application answer for a host, beside those that do."""
        server, beside = Server(app, life), self._servers.setdefault(host, [])
        beside.append(server)
        if life is not None:
            life.ends.append(server.gone)
            life.ends.append(lambda: beside.remove(server))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeout = request.extensions.get("timeout", {}).get("read") or 15.0
        try:
            async with asyncio.timeout(timeout):
                response = await self._answered(request, await request.aread())
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None
        response.request = request
        return response

    async def _answered(self, request: httpx.Request, body: bytes) -> httpx.Response:
        chance, failure = self.weather.chance, ""
        if request.url.host in self._outside and self.weather.happens(self.weather.network):
            failure = chance.choice(FAILURES)
        if failure == "refused":
            raise httpx.ConnectError("nobody listens")
        if failure == "busy":
            return httpx.Response(429, headers={"Retry-After": "3"})
        await asyncio.sleep(chance.random() * (chance.choice((LONG, LATE, LATE)) if failure == "late" else TRAVEL))
        for wrong in self.wrongly.unsolicited(request, body):
            await self._handed(request, wrong)
        if failure == "twice":
            await self._handed(request, body)
        response = await self._handed(request, body)
        if request.url.host in self._outside:
            response = self.wrongly.answer(request, response)
        await asyncio.sleep(chance.random() * TRAVEL)
        if failure == "lost":
            raise httpx.ReadError("the connection was reset")
        if failure == "unanswered":
            await asyncio.sleep(3600)
        return httpx.Response(504) if failure == "gateway" else response

    async def _handed(self, request: httpx.Request, body: bytes) -> httpx.Response:
        """What an application of this host says."""
        servers = self._servers.get(request.url.host)
        if not servers:
            raise httpx.ConnectError("nobody listens", request=request)
        server = servers[0] if len(servers) == 1 else self.weather.chance.choice(servers)
        if self.silent and request.method == "POST" and request.url.path.endswith(PREPARED):
            raise httpx.ConnectError("nobody listens", request=request)
        self.requests += 1
        future: asyncio.Future[httpx.Response] = self._loop.create_future()
        server.waiting[future] = None
        self._loop.spawn(_served(server.app, _scope(request), body, future), server.life, "request")
        try:
            return await future
        finally:
            server.waiting.pop(future, None)


def _scope(request: httpx.Request) -> dict[str, Any]:
    path = request.url.raw_path.partition(b"?")[0]
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method,
        "headers": [(k.lower(), v) for k, v in request.headers.raw], "scheme": request.url.scheme,
        "path": unquote(path.decode()), "raw_path": path, "query_string": request.url.query,
        "server": (request.url.host, request.url.port), "client": ("192.0.2.1", 40000), "root_path": "",
    }  # fmt: skip


async def _served(app: Any, scope: dict[str, Any], body: bytes, answer: asyncio.Future[httpx.Response]) -> None:
    """One request, to its end, whether or not somebody still waits for the answer."""
    said: dict[str, Any] = {"status": 0, "headers": [], "body": b"", "ended": False}
    given = False

    async def receive() -> dict[str, Any]:
        nonlocal given
        if given:
            await asyncio.sleep(86_400)
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            said["status"], said["headers"] = message["status"], message.get("headers", [])
        else:
            said["body"] += message.get("body", b"")
            said["ended"] = not message.get("more_body", False)

    with suppress(Exception):
        # The application has answered 500 before it raises what it could not deal with.
        await app(scope, receive, send)
    if answer.done():
        return
    if not said["ended"]:
        answer.set_exception(httpx.RemoteProtocolError("the answer broke off"))
    else:
        answer.set_result(httpx.Response(said["status"], headers=said["headers"], content=said["body"]))

"""Failures a test orders in advance: which operation misbehaves next, how, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from partners.store import Store
from partners.wire import refuse

Handler = Callable[[], Awaitable[Response]]
Kind = Literal[
    "401",
    "404",
    "429",
    "500",
    "503",
    "malformed",
    "504-before-store",
    "504-after-store",
    "disconnect-before-store",
    "disconnect-after-store",
    "timeout",
    "slow",
    "duplicate-notification",
    "lost-notification",
]
WITHHELD_SECONDS = 20.0
SLOW_SECONDS = 2.0


_TOLD = {"duplicate-notification": "notify", "lost-notification": "lose"}
"""Failure of a notification -> the operation it is ordered for."""


class Ordered(BaseModel):
    """The body of `POST debug/fail`."""

    operation: str
    kind: Kind
    times: int = Field(1, ge=1)
    retry_after: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure about to happen."""

    kind: str
    retry_after: float | None
    seconds: float | None


class Faults:
    """The ordered failures of one partner, kept through a restart.

    `operations` are those it answers; `notifies`: it also sends notifications, which can be ordered to go twice.
    """

    def __init__(self, store: Store, operations: frozenset[str], *, notifies: bool = False) -> None:
        self._store, self._operations, self._notifies = store, operations, notifies

    def order(self, ordered: Ordered) -> None:
        """Stores one order. Raises Refused (400) for an operation this partner does not have."""
        told = _TOLD.get(ordered.kind)
        known = self._operations if told is None else frozenset({told}) if self._notifies else frozenset()
        if ordered.operation not in known:
            refuse(400, "value", f"operation must be one of {sorted(known)} for this kind", "operation")
        sql = "INSERT INTO fault (operation, kind, times, retry_after, seconds) VALUES (?, ?, ?, ?, ?)"
        self._store.run(sql, ordered.operation, ordered.kind, ordered.times, ordered.retry_after, ordered.seconds)

    def take(self, operation: str) -> Fault | None:
        """Uses up one ordered failure of an operation, the oldest first."""
        sql = "SELECT * FROM fault WHERE operation = ? AND times > 0 ORDER BY id"
        row = self._store.row(sql, operation)
        if row is None:
            return None
        self._store.run("UPDATE fault SET times = times - 1 WHERE id = ?", row["id"])
        return Fault(row["kind"], row["retry_after"], row["seconds"])

    def repair(self) -> None:
        """Takes back every failure ordered and not used up."""
        self._store.run("UPDATE fault SET times = 0")

    async def around(self, operation: str, handle: Handler) -> Response:
        """Answers a request, or fails it as ordered."""
        fault = self.take(operation)
        return await handle() if fault is None else await _FAILING[fault.kind](fault, handle)


class Disconnected(Response):
    """Begins an answer and closes the connection in the middle of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1000"), (b"content-type", b"application/fhir+json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


async def _gateway(fault: Fault, _handle: Handler) -> Response:
    return PlainTextResponse("gateway timeout", 504)


async def _gateway_after(fault: Fault, handle: Handler) -> Response:
    await handle()
    return await _gateway(fault, handle)


async def _cut(_fault: Fault, _handle: Handler) -> Response:
    return Disconnected()


async def _cut_after(fault: Fault, handle: Handler) -> Response:
    await handle()
    return await _cut(fault, handle)


async def _withheld(fault: Fault, handle: Handler) -> Response:
    await handle()
    await asyncio.sleep(WITHHELD_SECONDS if fault.seconds is None else fault.seconds)
    return await _gateway(fault, handle)


async def _slow(fault: Fault, handle: Handler) -> Response:
    await asyncio.sleep(SLOW_SECONDS if fault.seconds is None else fault.seconds)
    return await handle()


async def _broken(_fault: Fault, _handle: Handler) -> Response:
    return PlainTextResponse("internal error", 500)


async def _too_many(fault: Fault, _handle: Handler) -> Response:
    seconds = 1 if fault.retry_after is None else fault.retry_after
    return PlainTextResponse("too many requests", 429, {"Retry-After": f"{seconds:g}"})


async def _unavailable(fault: Fault, _handle: Handler) -> Response:
    seconds = 1 if fault.retry_after is None else fault.retry_after
    return PlainTextResponse("unavailable", 503, {"Retry-After": f"{seconds:g}"})


async def _unknown_token(_fault: Fault, _handle: Handler) -> Response:
    return PlainTextResponse("unauthorized", 401, {"WWW-Authenticate": "Bearer"})


async def _not_there(_fault: Fault, _handle: Handler) -> Response:
    return PlainTextResponse("not found", 404)


async def _malformed(_fault: Fault, _handle: Handler) -> Response:
    return PlainTextResponse('{"resourceType": "ServiceRequest", "status": ', 200, media_type="application/fhir+json")


_FAILING: Mapping[str, Callable[[Fault, Handler], Awaitable[Response]]] = {
    "401": _unknown_token,
    "404": _not_there,
    "malformed": _malformed,
    "429": _too_many,
    "500": _broken,
    "503": _unavailable,
    "504-before-store": _gateway,
    "504-after-store": _gateway_after,
    "disconnect-before-store": _cut,
    "disconnect-after-store": _cut_after,
    "timeout": _withheld,
    "slow": _slow,
}

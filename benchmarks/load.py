"""Referrals sent as fast as they are taken, or at a steady rate, by a client that costs almost nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

CONNECTIONS = 64
_BROKEN = (OSError, asyncio.IncompleteReadError, LookupError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: HTTP status (0: none), seconds since the request was due, its body, and its Retry-After."""

    status: int
    seconds: float
    body: bytes = b""
    retry_after: str | None = None


@dataclass(slots=True)
class Tally:
    """What a run of requests came to."""

    seconds: float = 0.0
    answers: list[Answer] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return sum(200 <= a.status < 300 for a in self.answers)

    @property
    def per_second(self) -> float:
        return self.accepted / self.seconds if self.seconds else 0.0

    def latency(self, share: float) -> float:
        """Milliseconds within which this share of the accepted requests was answered."""
        return 1000 * percentile([a.seconds for a in self.answers if 200 <= a.status < 300], share)

    @property
    def refused(self) -> dict[str, int]:
        """How many were not accepted, by status."""
        statuses = [str(a.status) for a in self.answers if not 200 <= a.status < 300]
        return {s: statuses.count(s) for s in sorted(set(statuses))}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed; NaN of none."""
    if not values:
        return float("nan")
    return sorted(values)[max(0, -(-round(share * 1000) * len(values) // 1000) - 1)]


class Connection:
    """One kept-alive HTTP/1.1 connection; for a server we trust to send Content-Length."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 80, parts.path
        self.token = token
        self.retry_after: str | None = None
        """What the last answer said of it."""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; status 0 when the connection breaks."""
        try:
            reader, writer = await self._opened()
            writer.write(self._head(len(body)) + body)
            await writer.drain()
            status, headers, answer = await _answer(reader)
        except _BROKEN:
            self.close()
            self.retry_after = None
            return 0, b""
        self.retry_after = headers.get("retry-after")
        return status, answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=1 << 20)
        return self._streams

    def _head(self, length: int) -> bytes:
        lines = (
            f"POST {self._path} HTTP/1.1", f"Host: {self._host}:{self._port}", f"Authorization: Bearer {self.token}",
            "Content-Type: application/fhir+json", f"Content-Length: {length}", "", "",
        )  # fmt: skip
        return "\r\n".join(lines).encode()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    return int(head[0].split(" ")[1]), headers, await reader.readexactly(int(headers["content-length"]))


Post = Callable[[int], Awaitable[Answer]]
"""Sends the request of this number."""


async def burst(send: Post, seconds: float, *, at_once: int = CONNECTIONS) -> Tally:
    """So many requests at once, each followed by the next, until the time is over."""
    loop, tally, number = asyncio.get_running_loop(), Tally(), iter(range(10**6))
    begun = loop.time()

    async def one_after_another() -> None:
        while loop.time() - begun < seconds:
            tally.answers.append(await send(next(number)))

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    tally.seconds = loop.time() - begun
    return tally


async def steady(send: Post, per_second: float, seconds: float) -> Tally:
    """Requests at this rate, whatever becomes of the ones before; each counts from the instant it was due."""
    loop, tally = asyncio.get_running_loop(), Tally()
    begun = loop.time()

    async def due(number: int) -> None:
        late = loop.time() - begun - number / per_second
        answer = await send(number)
        tally.answers.append(replace(answer, seconds=answer.seconds + max(0.0, late)))

    async with asyncio.TaskGroup() as tasks:
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, begun + number / per_second - loop.time()))
            tasks.create_task(due(number))
    tally.seconds = loop.time() - begun
    return tally


class Pool:
    """Connections shared by many requests, each used by one at a time; `token` gives one that is valid now."""

    def __init__(
        self, url: str, token: Callable[[], Awaitable[str]], body: Callable[[int], bytes], size: int = CONNECTIONS
    ) -> None:
        self._body, self._token, self._free = body, token, asyncio.Queue[Connection]()
        self._all = [Connection(url, "") for _ in range(size)]
        for connection in self._all:
            self._free.put_nowait(connection)

    async def send(self, number: int) -> Answer:
        """Sends the body of this number on the next free connection."""
        loop = asyncio.get_running_loop()
        body, token, begun = self._body(number), await self._token(), loop.time()
        connection = await self._free.get()
        connection.token = token
        try:
            status, answer = await connection.post(body)
        finally:
            self._free.put_nowait(connection)
        return Answer(status, loop.time() - begun, answer, connection.retry_after)

    def close(self) -> None:
        for connection in self._all:
            connection.close()

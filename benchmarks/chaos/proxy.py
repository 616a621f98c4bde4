"""A TCP proxy that a run makes slow, breaks, or lets swallow what goes one way, as a bad net does."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

CHUNK = 65_536

Way = Literal["out", "back"]
"""`out`: from our client to the server; `back`: from the server to our client."""


@dataclass(slots=True)
class Trouble:
    """What the proxy does to bytes: seconds each chunk is late, share of chunks at which the connection is reset.

    A connection of which bytes were swallowed carries nothing any more, also when the trouble is over: like a link
    whose other end is gone without a word, it is left to its owners to notice.
    """

    late: float = 0.0
    resets: float = 0.0
    swallows: frozenset[Way] = frozenset()


@dataclass(slots=True, eq=False)
class _Link:
    """One client's connection and its own to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    dead: bool = False

    def abort(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


@dataclass(slots=True)
class Proxy:
    """Listens on a port of its own and carries every connection to one server; `trouble` may change at any time."""

    host: str
    port: int
    trouble: Trouble = field(default_factory=Trouble)
    draw: random.Random = field(default_factory=lambda: random.Random(5))
    listening: int = 0
    _server: asyncio.Server | None = None
    _links: set[_Link] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._joined, "127.0.0.1", self.listening, limit=CHUNK)
        self.listening = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Resets every connection."""
        for link in list(self._links):
            link.abort()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, server = await asyncio.open_connection(self.host, self.port, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server)
        self._links.add(link)
        tasks = {
            asyncio.create_task(self._carried(link, reader, server, "out")),
            asyncio.create_task(self._carried(link, back, writer, "back")),
        }
        self._tasks |= tasks
        await asyncio.wait(tasks)
        self._tasks -= tasks
        self._links.discard(link)
        link.abort()

    async def _carried(self, link: _Link, reader: asyncio.StreamReader, to: asyncio.StreamWriter, way: Way) -> None:
        """Carries one way until it ends; bytes stay in order, however late."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        written = asyncio.create_task(_written(queue, to))
        try:
            with suppress(OSError):
                while data := await reader.read(CHUNK):
                    trouble = self.trouble
                    if trouble.resets and self.draw.random() < trouble.resets:
                        link.abort()
                        return
                    link.dead = link.dead or way in trouble.swallows
                    if not link.dead:
                        await queue.put((loop.time() + trouble.late, data))
            await queue.put((loop.time(), b""))
            await written
        finally:
            written.cancel()


async def _written(queue: asyncio.Queue[tuple[float, bytes]], to: asyncio.StreamWriter) -> None:
    """Writes each chunk when it is due; an empty one ends this way."""
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                to.write_eof()
                return
            to.write(data)
            await to.drain()

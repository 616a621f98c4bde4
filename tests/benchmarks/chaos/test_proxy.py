"""The proxy carries bytes in order, late, not at all one way, or resets: over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from benchmarks.chaos.proxy import Proxy, Trouble


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before a server that says back what it hears."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    made = Proxy("127.0.0.1", int(server.sockets[0].getsockname()[1]))
    await made.start()
    yield made
    await made.stop()
    server.close()


class Client:
    """One connection through a proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, proxy: Proxy) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.listening))

    async def said_back(self, data: bytes, seconds: float = 5.0) -> bytes:
        """What comes back of this; nothing when it does not come in time, or the connection is reset."""
        with suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(seconds):
                self.writer.write(data)
                await self.writer.drain()
                return await self.reader.readexactly(len(data))
        return b""


async def test_bytes_come_back_whole_and_in_order(proxy: Proxy) -> None:
    data = bytes(range(256)) * 4096
    client = await Client.of(proxy)
    assert await client.said_back(data) == data


async def test_late_bytes_are_late_and_in_order(proxy: Proxy) -> None:
    proxy.trouble = Trouble(late=0.1)
    client, loop = await Client.of(proxy), asyncio.get_running_loop()
    begun = loop.time()
    assert await client.said_back(b"one, two, three") == b"one, two, three"
    assert loop.time() - begun >= 0.2


@pytest.mark.parametrize("way", ["out", "back"])
async def test_a_link_of_which_bytes_were_swallowed_stays_dead_and_a_new_one_lives(proxy: Proxy, way: str) -> None:
    client = await Client.of(proxy)
    assert await client.said_back(b"before") == b"before"
    proxy.trouble = Trouble(swallows=frozenset({way}))  # type: ignore[arg-type]
    assert await client.said_back(b"during", 0.1) == b""
    proxy.trouble = Trouble()
    assert await client.said_back(b"after", 0.1) == b""
    assert await (await Client.of(proxy)).said_back(b"anew") == b"anew"


async def test_a_reset_ends_the_connection_at_both_ends(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    proxy.trouble = Trouble(resets=1.0)
    assert await client.said_back(b"x") == b""
    with suppress(OSError):
        assert await client.reader.read(1) == b""


async def test_cut_resets_every_connection_and_new_ones_are_carried(proxy: Proxy) -> None:
    clients = [await Client.of(proxy) for _ in range(3)]
    assert [await c.said_back(b"x") for c in clients] == [b"x"] * 3
    proxy.cut()
    assert [await c.said_back(b"y") for c in clients] == [b""] * 3
    assert await (await Client.of(proxy)).said_back(b"z") == b"z"


async def test_a_server_that_is_away_ends_the_connection(proxy: Proxy) -> None:
    proxy.port = 1
    assert await (await Client.of(proxy)).said_back(b"x") == b""

from __future__ import annotations

import asyncio

import pytest

from shared.adapters import amqp
from shared.adapters.amqp import BROKEN, TIMEOUT, Link


async def test_a_connection_of_which_nothing_comes_back_is_given_up_long_before_the_usual_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert amqp.CONNECTING < TIMEOUT
    monkeypatch.setattr(amqp, "CONNECTING", 0.2)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    link = Link(f"amqp://127.0.0.1:{server.sockets[0].getsockname()[1]}/", "test")
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(BROKEN):
        await link.connection()
    assert loop.time() - began < 5
    server.close()

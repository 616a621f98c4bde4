"""Keeps what a repair puts into an outbox small, so that what is said meanwhile does not wait behind it."""

from __future__ import annotations

import asyncio

from shared import store
from shared.ports import Database

PAGE = 500
"""How many messages a repair lets wait in an outbox at a time."""
LOOK = 0.1
PATIENCE = 10.0
"""Seconds without a message sent after which no relay is taken to be running: the rest is left for when one is."""


class Pace:
    """Waits, after each page, until the relay has sent most of it. `is_relayed` turns False when nobody sends."""

    def __init__(self, database: Database, patience: float = PATIENCE) -> None:
        self._database, self._patience = database, patience
        self.is_relayed = patience > 0

    async def kept(self) -> None:
        """Returns when less than a page is unsent, or when nothing has moved for a while; then it never waits again."""
        loop = asyncio.get_running_loop()
        fewest, since = await self._unsent(), loop.time()
        while self.is_relayed and fewest >= PAGE:
            await asyncio.sleep(LOOK)
            if (unsent := await self._unsent()) < fewest:
                fewest, since = unsent, loop.time()
            self.is_relayed = loop.time() - since < self._patience

    async def _unsent(self) -> int:
        async with self._database.reading() as tx:
            return await store.count_unsent(tx)

"""Fetches a missed message from its producer: out of its outbox in this process, else from the process that runs it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import httpx

from shared import store
from shared.fhir.json import GateError, decode
from shared.ports import Database, Incoming

log = logging.getLogger("carepod.fetching")

LONGEST = 256 * 1024 * 1024
PATH = "/messages"


class Fetching:
    """See `workers.Fetch`. `own` gives the database of a service of this process; `token` says who we are elsewhere."""

    def __init__(
        self,
        own: Callable[[str], Database | None],
        peers: Mapping[str, str],
        token: Callable[[], str],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._own, self._peers, self._token, self._transport = own, peers, token, transport

    async def __call__(self, producer: str, message_id: str) -> Incoming | None:
        """The message, or None while nobody who answers has it: it is asked for again."""
        database = self._own(producer)
        if database is not None:
            async with database.reading() as tx:
                return await store.said(tx, message_id)
        address = self._peers.get(producer)
        return await self._elsewhere(f"{address}{PATH}/{producer}/{message_id}", message_id) if address else None

    async def _elsewhere(self, url: str, message_id: str) -> Incoming | None:
        headers = {"Authorization": f"Bearer {self._token()}"}
        try:
            async with httpx.AsyncClient(timeout=10.0, trust_env=False, transport=self._transport) as http:
                response = await http.get(url, headers=headers)
            found = decode(response.content, limit=LONGEST) if response.status_code == 200 else None
        except (httpx.HTTPError, GateError) as error:
            log.warning("a message could not be fetched: %s", type(error).__name__)
            return None
        if found is None:
            return None
        return Incoming(message_id, found["reason"], found["headers"], found["body"].encode())

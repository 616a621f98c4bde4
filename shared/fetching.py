"""What is asked of the process that runs another service: a missed message, a document's bytes, a digest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from ssl import SSLContext
from typing import Any

import httpx

from shared import store
from shared.core import Resource
from shared.fhir.json import GateError, decode
from shared.ports import Database, Incoming, Unavailable

log = logging.getLogger("carepod.fetching")

LONGEST = 256 * 1024 * 1024
PATH = "/messages"
DIGESTS = "/digests"
DOCUMENTS = "/documents"


class Fetching:
    """See `workers.Fetch`. `own` gives the database of a service of this process; `token` says who we are elsewhere.

    owners  prefix of ids -> the service that owns them.
    """

    def __init__(
        self,
        own: Callable[[str], Database | None],
        peers: Mapping[str, str],
        token: Callable[[], str],
        transport: httpx.AsyncBaseTransport | None = None,
        owners: Mapping[str, str] | None = None,
    ) -> None:
        self.own, self._peers, self._token, self._transport = own, peers, token, transport
        self._owners = owners or {}

    @cached_property
    def _certificates(self) -> SSLContext:
        """Read once: it takes longer than a message does."""
        return httpx.create_ssl_context()

    async def __call__(self, producer: str, message_id: str) -> Incoming | None:
        """The message, or None while nobody who answers has it: it is asked for again."""
        database = self.own(producer)
        if database is not None:
            async with database.reading() as tx:
                return await store.said(tx, message_id)
        address = self._peers.get(producer)
        return await self._elsewhere(f"{address}{PATH}/{producer}/{message_id}", message_id) if address else None

    async def document(self, resource_id: str, lane: str) -> Resource | None:
        """A Binary of one lane, from the service that owns it; one of another lane is none.

        Raises Unavailable while that service does not answer.
        """
        owner = self._owners.get(resource_id.partition("-")[0], "")
        database, address = self.own(owner), self._peers.get(owner)
        if database is not None:
            async with database.reading() as tx:
                return await store.document(tx, resource_id, lane)
        if address is None:
            return None
        try:
            response = await self._response(f"{address}{DOCUMENTS}/{resource_id}", {"lane": lane})
            if response.status_code == 200:
                return decode(response.content, limit=LONGEST, parts=None).get("document")
        except (httpx.HTTPError, GateError) as error:
            raise Unavailable(f"a document could not be read: {type(error).__name__}") from None
        raise Unavailable(f"a document could not be read: {response.status_code}")

    async def digest(self, owner: str, hearer: str, places: Sequence[str]) -> Mapping[str, Any] | None:
        """See `digests.Elsewhere`."""
        address = self._peers.get(owner)
        return await self._got(f"{address}{DIGESTS}/{owner}/{hearer}", {"place": list(places)}) if address else None

    async def _elsewhere(self, url: str, message_id: str) -> Incoming | None:
        found = await self._got(url)
        if found is None:
            return None
        return Incoming(message_id, found["reason"], found["headers"], found["body"].encode())

    async def _got(self, url: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON at an address of ours; None where nobody gives it."""
        try:
            response = await self._response(url, query)
            return decode(response.content, limit=LONGEST, parts=None) if response.status_code == 200 else None
        except (httpx.HTTPError, GateError) as error:
            log.warning("another process could not be asked: %s", type(error).__name__)
            return None

    async def _response(self, url: str, query: Mapping[str, Any] | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token()}", "Accept": "*/*"}
        async with httpx.AsyncClient(
            timeout=10.0, trust_env=False, transport=self._transport, verify=self._certificates
        ) as http:
            return await http.get(url, headers=headers, params=query)

"""The registered clients and their spent assertions, in a service's own database."""

from __future__ import annotations

import json
from datetime import datetime

from shared.clock import Clock, stamp
from shared.ports import Database
from shared.smart.clients import Client


class SqlClientStore:
    """See `smart.clients.ClientStore`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def client(self, client_id: str) -> Client | None:
        async with self._database.reading() as tx:
            rows = await tx.fetch("select id, name, jwks, scopes, disabled from client where id = $1", client_id)
        if not rows:
            return None
        row = rows[0]
        return Client(row[0], row[1], json.loads(row[2]), row[3], disabled=bool(row[4]))

    async def add(self, client: Client) -> None:
        row = (
            client.id, client.name, json.dumps(client.jwks), client.scopes, "yes" if client.disabled else "",
            stamp(self._clock()),
        )  # fmt: skip
        async with self._database.writing() as tx:
            await tx.insert(
                "client",
                ("id", "name", "jwks", "scopes", "disabled", "added_at"),
                [row],
                "on conflict (id) do update set name = excluded.name, jwks = excluded.jwks, "
                "scopes = excluded.scopes, disabled = excluded.disabled",
            )

    async def use_jti(self, client_id: str, jti: str, until: datetime) -> bool:
        async with self._database.writing() as tx:
            await tx.execute(
                "delete from jti where jti in (select jti from jti where until < $1 for update skip locked)",
                stamp(self._clock()),
            )
            row = (client_id, jti, stamp(until))
            return await tx.insert("jti", ("client", "jti", "until"), [row], "on conflict do nothing") == 1

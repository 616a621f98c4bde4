"""Every queue of a service is deleted with all that waits in it, on RabbitMQ, and the outbox gives it back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from benchmarks.engines import Engines
from shared.adapters.postgres import PostgresDatabase
from shared.adapters.rabbitmq import declare_topology
from shared.clock import system_clock
from shared.messages import Catalogue
from shared.repair.pacing import PATIENCE
from shared.repair.resending import Resent, Wanted, resend
from tests.shared import toys
from tests.shared.test_kill import NAMES, deployed, one_effect_each, postgres, settled, until

pytestmark = [pytest.mark.slow, pytest.mark.engines]

LANES = 60


def queues_deleted(engines: Engines, amqp_url: str, service: str) -> int:
    """Deletes a service's queues; how many messages were in them."""
    vhost, lost = urlsplit(amqp_url).path.removeprefix("/"), 0
    with httpx.Client(base_url=engines.management_url, timeout=30) as management:
        for partition in range(toys.PARTITIONS):
            answer = management.delete(f"/api/queues/{vhost}/{service}.p{partition}")
            assert answer.status_code in (204, 404)
            lost += answer.status_code == 204
    return lost


async def resent(folder: Path, database_url: str) -> list[Resent]:
    """`carepod resend` for the toys."""
    declared = toys.services(toys.Payer(folder / "payer.db"))
    databases = {name: await PostgresDatabase.open(database_url, name, connections=2) for name in NAMES}
    now = system_clock()
    wanted = Wanted(now - timedelta(days=30), now)
    found = [await resend(s, databases[s.name], databases, Catalogue(declared), wanted, PATIENCE) for s in declared]
    for database in databases.values():
        await database.close()
    return found


def test_lost_queues_are_refilled_and_every_order_ends_once(
    tmp_path: Path, database_url: str, amqp_url: str, engines: Engines
) -> None:
    start, query = deployed(tmp_path, database_url, amqp_url, LANES), postgres(database_url)
    running = {"alpha": start("alpha", "")}
    try:
        said = "select count(*) from outbox where sent_at is not null"
        until(lambda: query("alpha", said) == [(LANES * toys.SAID,)], 60, "every order said and sent")
        assert queues_deleted(engines, amqp_url, "beta") == toys.PARTITIONS
        listens = {s.name: s.listens for s in toys.services(toys.Payer(tmp_path / "payer.db"))}
        asyncio.run(declare_topology(amqp_url, listens, toys.PARTITIONS))
        running |= {name: start(name, "") for name in ("beta", "gamma")}
        alpha, *_ = asyncio.run(resent(tmp_path, database_url))
        assert alpha.lacking["beta"] == LANES * toys.SAID
        assert alpha.is_relayed
        until(lambda: settled(query, LANES), 120, "every order completed")
        # What is on its way at a look is sent again and ignored; soon nothing is.
        until(lambda: not any(r.messages for r in asyncio.run(resent(tmp_path, database_url))), 60, "nothing lacking")
    finally:
        ended = {name: process.end() for name, process in running.items()}
    assert set(ended.values()) == {0}
    one_effect_each(query, tmp_path, LANES)

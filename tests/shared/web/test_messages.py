"""A process that missed a message fetches it from the one that has it; nobody else gets one."""

from __future__ import annotations

import httpx

from shared.app import Application
from shared.fetching import Fetching
from shared.smart.clients import OURSELVES
from shared.smart.scopes import parse
from shared.web.app import create_app
from tests.shared.web.stack import Carepod, Client, referral


def elsewhere(app: Application) -> Fetching:
    """As another process would: intake is not its own."""
    token = app.authority.tokens.issued(OURSELVES, parse("system/*.rs"), app.clock())
    peers = {"intake": "http://intake.internal"}
    return Fetching(lambda _: None, peers, lambda: token, httpx.ASGITransport(create_app(app)))


async def said(carepod: Carepod) -> str:
    """The id of a message of intake."""
    async with carepod.app.handles["intake"].database.reading() as tx:
        return str((await tx.fetch("select id from outbox order by id limit 1"))[0][0])


async def test_a_missed_message_is_fetched_whole_from_the_process_that_said_it(
    client: Client, carepod: Carepod
) -> None:
    assert (await client.push(referral())).status_code == 200
    message_id = await said(carepod)
    found = await elsewhere(carepod.app)("intake", message_id)
    async with carepod.app.handles["intake"].database.reading() as tx:
        rows = await tx.fetch("select reason, body from outbox where id = $1", message_id)
    assert found is not None
    assert (found.id, found.reason, found.body.decode()) == (message_id, *rows[0])
    assert found.headers["producer"] == "intake"


async def test_what_nobody_said_or_nobody_answers_for_is_not_found_yet(client: Client, carepod: Carepod) -> None:
    fetching = elsewhere(carepod.app)
    assert await fetching("intake", "01a20078-0000-7000-8000-000000000000") is None
    assert await fetching("auth", "01a20078-0000-7000-8000-000000000000") is None


async def test_a_client_gets_no_message_and_learns_nothing(client: Client, carepod: Carepod) -> None:
    assert (await client.push(referral())).status_code == 200
    known = await client.get(f"/messages/intake/{await said(carepod)}")
    unknown = await client.get("/messages/intake/01a20078-0000-7000-8000-000000000000")
    assert (known.status_code, unknown.status_code) == (404, 404)
    assert known.content == unknown.content
    assert (await carepod.http.get(f"/messages/intake/{await said(carepod)}")).status_code == 401

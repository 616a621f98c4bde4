"""What one process gets of another: a message it missed, a digest of what that one owns; nobody else gets either."""

from __future__ import annotations

import httpx
import pytest

from shared.app import Application
from shared.fetching import Fetching
from shared.ports import Unavailable
from shared.repair.digests import Owners, digest_of, entries_of
from shared.smart.clients import OURSELVES
from shared.smart.scopes import parse
from shared.web.app import create_app
from tests.shared.web.stack import Carepod, Client, referral


def elsewhere(app: Application) -> Fetching:
    """As another process would: intake is not its own."""
    token = app.authority.tokens.issued(OURSELVES, parse("system/*.rs"), app.clock())
    peers = {"intake": "http://intake.internal"}
    return Fetching(lambda _: None, peers, lambda: token, httpx.ASGITransport(create_app(app)), {"in": "intake"})


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


async def test_another_process_compares_its_copies_by_digest_and_then_by_ids(client: Client, carepod: Carepod) -> None:
    assert (await client.push(referral())).status_code == 200
    services, database = carepod.app.catalogue, carepod.app.handles["intake"].database
    intake, auth = services.of("intake"), services.of("auth")
    assert intake is not None
    assert auth is not None
    owners = Owners(lambda _: None, elsewhere(carepod.app).digest)
    found = await owners.digest(intake, auth)
    assert found == await digest_of(database, intake, auth) != {}
    places = sorted(found)[:2]
    assert await owners.entries(intake, auth, places) == await entries_of(database, intake, auth, places) != {}
    assert await owners.digest(auth, intake) is None, "nobody answers for auth"


async def test_a_client_gets_no_digest(client: Client, carepod: Carepod) -> None:
    assert [(await client.get(f"/digests/{path}")).status_code for path in ("intake/auth", "x/auth", "intake/x")] == [
        404, 404, 404
    ]  # fmt: skip
    assert (await carepod.http.get("/digests/intake/auth")).status_code == 401


async def test_a_client_gets_no_message_and_learns_nothing(client: Client, carepod: Carepod) -> None:
    assert (await client.push(referral())).status_code == 200
    known = await client.get(f"/messages/intake/{await said(carepod)}")
    unknown = await client.get("/messages/intake/01a20078-0000-7000-8000-000000000000")
    assert (known.status_code, unknown.status_code) == (404, 404)
    assert known.content == unknown.content
    assert (await carepod.http.get(f"/messages/intake/{await said(carepod)}")).status_code == 401


async def test_the_bytes_of_a_document_are_fetched_from_the_process_that_holds_them(
    client: Client, carepod: Carepod
) -> None:
    note = {"resourceType": "Binary", "contentType": "text/plain", "data": "Tm90ZQ=="}
    answer = await client.send("POST", "/fhir/Binary", note)
    assert answer.status_code == 201, answer.text
    fetching, binary = elsewhere(carepod.app), answer.json()["id"]
    async with carepod.app.handles["intake"].database.reading() as tx:
        lane = (await tx.fetch("select lane from resource where id = $1", binary))[0][0]
    found = await fetching.document(binary, lane)
    assert found is not None
    assert (found["contentType"], found["data"]) == ("text/plain", "Tm90ZQ==")
    assert await fetching.document(binary, "patient/in-somebody-else") is None
    assert await fetching.document("in-00000000-0000-5000-8000-000000000000", lane) is None
    assert await fetching.document("au-00000000-0000-5000-8000-000000000000", lane) is None, "nobody answers for auth"
    own = Fetching(lambda name: carepod.app.handles[name].database, {}, lambda: "", owners={"in": "intake"})
    assert await own.document(binary, lane) is not None
    assert await own.document(binary, "patient/in-somebody-else") is None


async def test_bytes_nobody_gives_now_are_waited_for(carepod: Carepod) -> None:
    peers, owners = {"intake": "http://intake.internal"}, {"in": "intake"}

    def broken(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    silent = Fetching(lambda _: None, peers, lambda: "token", httpx.MockTransport(broken), owners)
    with pytest.raises(Unavailable):
        await silent.document("in-00000000-0000-5000-8000-000000000000", "patient/in-p")

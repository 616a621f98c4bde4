"""What a referral costs does not grow with what is stored: every statement on its way finds its rows by an index."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

from shared.adapters.sqlite import SqliteDatabase
from shared.settings import Settings
from tests.shared.web.stack import Carepod, Client, referral

GROW = {
    "capacity", "decision", "delivery", "history", "identity", "inbox", "jti", "lane", "outbox", "resource", "search",
}  # fmt: skip
"""Tables that grow with what is stored."""
_LOOKS = re.compile(r"^\s*(select|update|delete|with)\b", re.IGNORECASE)
_WHOLE = re.compile(
    # every row, but not every row of an index of what is unfinished
    r"SCAN (\w+)(?! USING (?:COVERING )?INDEX (?:inbox_open|inbox_due|outbox_unsent)\b)"
    # every row of one client, one type or one search parameter
    r"|SEARCH (\w+) .*\((?:client=\?|type=\?(?: AND parameter=\?)?)\)"
)
_NAMED = re.compile(r"\b(?:from|join|update|into)\s+(\w+)\s+(?:as\s+)?(\w)\b")
_VALUE = re.compile(r"'(?:[^']|'')*'|\b\d+\b")


def said(carepod: Carepod) -> Mapping[str, set[str]]:
    """Every statement the services' databases are given from now on, by service, with its values."""
    found: dict[str, set[str]] = {}
    for name, handle in carepod.app.handles.items():
        assert isinstance(handle.database, SqliteDatabase)
        for connection in (handle.database._writer, handle.database._reader):
            connection.set_trace_callback(found.setdefault(name, set()).add)
    return found


async def looked_through(folder: Path, service: str, statement: str) -> set[str]:
    """The growing tables of which a statement reads every row, or all that is alike."""
    database = await SqliteDatabase.open(folder / f"{service}.db")
    try:
        async with database.reading() as tx:
            steps = [str(row[3]) for row in await tx.fetch(f"explain query plan {statement}")]
    finally:
        await database.close()
    names = {alias: table for table, alias in _NAMED.findall(statement)}
    whole = {str(found[1] or found[2]) for step in steps if (found := _WHOLE.match(step))}
    return {names.get(table, table) for table in whole} & GROW


async def test_no_statement_on_the_way_of_a_referral_reads_a_whole_table(
    carepod: Carepod, client: Client, settings: Settings
) -> None:
    statements = said(carepod)
    await carepod.app.start()
    for _ in range(2):
        assert (await client.push(referral())).status_code == 200
    async with asyncio.timeout(30):
        while not any("insert into decision" in text for text in statements["scheduling"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)  # and every look of the workers once
    slow = set()
    for service, texts in statements.items():
        kinds = {_VALUE.sub("?", text): text for text in list(texts) if _LOOKS.search(text)}
        for kind, text in kinds.items():
            slow |= {(service, table, kind) for table in await looked_through(settings.folder, service, text)}
    assert sorted(slow) == []

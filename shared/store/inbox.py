"""The inbox: what was received, what waits for what, what is parked and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.clock import instant, stamp
from shared.messages import BACKFILLED, LARGE, Causes, Letter, causes_of, ids_of
from shared.ports import Incoming, Row, Transaction
from shared.store.resources import version_of, versions

# new: not tried yet; waiting: for a cause, or for the rest of a large message; retry: failed, tried again at next_at.


SWEPT_AFTER = timedelta(seconds=2)
"""Whoever takes a message decides it at once; only when that did not come about, the sweep does."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An inbox row that is not done; `failed`: it was tried, or even parked, before."""

    id: str
    producer: str
    lane: str
    seq: int
    status: str
    attempt: int
    next_at: str
    received_at: datetime
    reason: str
    headers: Mapping[str, Any]
    failed: bool = False

    @property
    def causes(self) -> Causes:
        """What the message rests on."""
        return causes_of(str(self.headers.get("causes", "{}")))

    def previous(self, service: str) -> str | None:
        """The message of the same producer this service was to hear before in this lane."""
        return ids_of(self.headers.get("previous", "{}")).get(service)

    @property
    def whole(self) -> bool:
        """Whether its resources are here."""
        return LARGE not in self.headers


async def known(tx: Transaction, ids: Sequence[str]) -> dict[str, str]:
    """Which of these messages the inbox has already, with their status."""
    return {r[0]: r[1] for r in await tx.fetch("select id, status from inbox where id = any($1)", list(ids))}


async def message_of(tx: Transaction, row: Unfinished) -> Incoming:
    """The message of an inbox row, as it came."""
    rows = await tx.fetch("select body from inbox where id = $1", row.id)
    return Incoming(row.id, row.reason, row.headers, rows[0][0].encode())


def inbox_row(letter: Letter, message: Incoming, at: datetime) -> Row:
    """The row of an opened message, taken at this instant, with its envelope as it came: it is opened again."""
    return (
        letter.id, letter.producer, letter.lane, letter.seq, message.reason, "new", stamp(at + SWEPT_AFTER), "",
        stamp(at), _about(letter), json.dumps(dict(message.headers), default=str), message.body.decode(),
    )  # fmt: skip


_COLUMNS = (
    "id", "producer", "lane", "seq", "reason", "status", "next_at", "problem", "received_at", "about", "headers",
    "body",
)  # fmt: skip


async def put(tx: Transaction, rows: Sequence[Row]) -> None:
    """Puts rows of `inbox_row` into the inbox; one already there stays as it is."""
    if rows:
        await tx.insert("inbox", _COLUMNS, rows, "on conflict (id) do nothing")


def _about(letter: Letter) -> str:
    return json.dumps([[r["id"], *version_of(r)] for r in letter.resources])


async def fill(tx: Transaction, letter: Letter, message: Incoming) -> None:
    """Completes the header of a large message with the rest, fetched from its producer."""
    await tx.execute(
        "update inbox set headers = $2, body = $3, about = $4, next_at = '' where id = $1 and status = 'waiting'",
        letter.id,
        json.dumps(dict(message.headers), default=str),
        message.body.decode(),
        _about(letter),
    )


async def put_unopened(tx: Transaction, message: Incoming, message_id: str, reason: str, at: datetime) -> None:
    """Parks a message that cannot be opened with its reason, also in the place of one that waits for its rest."""
    producer = str(message.headers.get("producer", ""))[:200]
    texts = (
        producer,
        reason,
        stamp(at),
        json.dumps(dict(message.headers), default=str),
        message.body.decode(errors="replace"),
    )
    producer, reason, taken, headers, body = (storable(t) for t in texts)
    row = (message_id, producer, "", 0, "", "parked", "", reason, taken, "[]", headers, body)
    conflict = (
        "on conflict (id) do update set status = 'parked', problem = excluded.problem, next_at = '' "
        "where inbox.status = 'waiting'"
    )
    await tx.insert("inbox", _COLUMNS, [row], conflict)


def storable(text: str) -> str:
    """The text without what a database refuses: NUL and lone surrogates."""
    return text.replace("\0", "�").encode(errors="replace").decode()


async def unfinished(tx: Transaction, lanes: Sequence[str]) -> list[Unfinished]:
    """Messages of these lanes that are not done, each producer's in its own order."""
    rows = await tx.fetch(
        "select id, producer, lane, seq, status, attempt, next_at, received_at, reason, headers, problem from inbox "
        "where lane = any($1) and status in ('new', 'waiting', 'retry') order by lane, producer, seq, received_at",
        list(lanes),
    )
    return [_unfinished(row) for row in rows]


def _unfinished(row: Row) -> Unfinished:
    values = (*row[:7], instant(row[7]), row[8], json.loads(row[9]), bool(row[10]))
    return Unfinished(*values)


async def arrived(tx: Transaction, ids: Iterable[str]) -> set[str]:
    """Which of these messages are done, parked or superseded: nothing needs to wait for them."""
    wanted = sorted(set(ids))
    if not wanted:
        return set()
    sql = "select id from inbox where id = any($1) and status not in ('new', 'waiting', 'retry')"
    return {r[0] for r in await tx.fetch(sql, wanted)}


async def backfilled(tx: Transaction, lanes: Sequence[str]) -> dict[tuple[str, str], int]:
    """(lane, producer) -> the sequence of the latest backfill that was taken."""
    rows = await tx.fetch(
        f"select lane, producer, max(seq) from inbox where lane = any($1) and reason = '{BACKFILLED}' "  # noqa: S608
        "and status in ('done', 'superseded') group by lane, producer",
        list(lanes),
    )
    return {(r[0], r[1]): int(r[2]) for r in rows}


async def close(tx: Transaction, ids: Sequence[str], status: str) -> None:
    """Marks messages `done` or `superseded`."""
    if ids:
        await tx.execute(
            "update inbox set status = $2, problem = '', next_at = '' where id = any($1)", list(ids), status
        )


async def close_superseded(tx: Transaction, lanes: Sequence[str]) -> list[str]:
    """Closes parked messages of these lanes whose every resource has since come in a newer version; their ids."""
    rows = await tx.fetch("select id, about from inbox where lane = any($1) and status = 'parked'", list(lanes))
    about = {r[0]: {a[0]: (a[1], a[2]) for a in json.loads(r[1])} for r in rows}
    held = await versions(tx, [i for named in about.values() for i in named]) if about else {}
    late = [m for m, named in about.items() if named and all(i in held and held[i] > v for i, v in named.items())]
    await close(tx, late, "superseded")
    return late


async def wait(tx: Transaction, message_id: str, looks: int, until: datetime) -> None:
    """A message waits for something that has not come; at `until` somebody should look why, not for the first time."""
    sql = "update inbox set status = 'waiting', attempt = $2, next_at = $3 where id = $1"
    await tx.execute(sql, message_id, looks, stamp(until))


_OPEN = "status in ('new', 'waiting', 'retry')"


async def postpone(tx: Transaction, message_id: str, attempt: int, next_at: datetime, problem: str) -> None:
    """A failed message waits for its next attempt."""
    sql = f"update inbox set status = 'retry', attempt = $2, next_at = $3, problem = $4 where id = $1 and {_OPEN}"  # noqa: S608
    await tx.execute(sql, message_id, attempt, stamp(next_at), storable(problem))


async def park(tx: Transaction, message_id: str, attempt: int, problem: str) -> bool:
    """A message that cannot be decided stays, with its reason, where a person sees it; later ones go on.

    False where it is not open any more.
    """
    sql = f"update inbox set status = 'parked', attempt = $2, next_at = '', problem = $3 where id = $1 and {_OPEN}"  # noqa: S608
    return bool(await tx.execute(sql, message_id, attempt, storable(problem)))


async def put_back(tx: Transaction, message_id: str, at: datetime) -> int:
    """A parked message that can be read will be taken again, its attempts counted anew; how many there were."""
    return await tx.execute(
        "update inbox set status = 'retry', attempt = 0, next_at = $2 "
        "where id = $1 and status = 'parked' and lane <> ''",
        message_id,
        stamp(at),
    )


async def due_lanes(tx: Transaction, now: datetime, most: int = 200) -> list[str]:
    """Lanes where a producer's first unfinished message may be looked at now, the longest waiting first."""
    rows = await tx.fetch(
        "select i.lane, min(i.received_at) from inbox i "
        "where i.status in ('new', 'waiting', 'retry') and i.next_at <= $1 and not exists ("
        "select 1 from inbox e where e.lane = i.lane and e.producer = i.producer and e.seq < i.seq "
        "and e.status in ('new', 'waiting', 'retry') and e.next_at > $1) group by i.lane order by 2 limit $2",
        stamp(now),
        most,
    )
    return [r[0] for r in rows]


async def waiting_since(tx: Transaction, before: datetime) -> int:
    """How many messages taken before this instant still wait for something that has not come."""
    sql = f"select count(*) from inbox where {_OPEN} and status = 'waiting' and received_at <= $1"  # noqa: S608
    rows = await tx.fetch(sql, stamp(before))
    return int(rows[0][0])

"""`carepod undelivered`, `parked`: what has not reached whom and why, and having it tried again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer

from shared import store
from shared.cli.common import NOT_RIGHT, Context, failed, opened, rows, run, say
from shared.cli.repair import databases, moment
from shared.clock import stamp, system_clock
from shared.core import Service
from shared.messages import Catalogue
from shared.ports import Row
from shared.repair.undelivered import Undelivered, undelivered
from shared.settings import Settings

parked = typer.Typer(invoke_without_command=True)

_PARKED = (
    "select 'message', id, producer, attempt, problem, received_at from inbox where status = 'parked'",
    "select 'delivery', id, channel, attempt, problem, created_at from delivery where state = 'parked'",
    "select 'unsent', id, reason, 0, problem, created_at from outbox where sent_at is null and problem <> ''",
)

Replayed = Annotated[str | None, typer.Option(metavar="ID", help="The same as `parked replay ID`.")]


def undelivered_(
    context: typer.Context,
    over: Annotated[str, typer.Option(help="Only what is older than this (30s, 15m, 2h, 3d).")] = "0s",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """What has not reached whom: messages not sent or not decided, deliveries not answered, what was refused; and why.

    Exit 0 when everything has arrived, 1 when something has not.
    """
    given: Context = context.obj
    settings, _, services = given.settled()
    now = system_clock()
    found = run(_undelivered(settings, services, moment(over, now), now), "looking")
    for item in found:
        say(json.dumps({**asdict(item), "since": stamp(item.since)})) if as_json else _told(item, now)
    if found:
        raise typer.Exit(NOT_RIGHT)
    if not as_json:
        say("everything has arrived")


def _told(item: Undelivered, now: datetime) -> None:
    say(f"{age(now - item.since):>6}  {item.service}: {item.what} {item.id}")
    say(f"{item.reason} to {item.to}: {item.why}" + (f" ({item.attempts} attempts)" if item.attempts else ""), 8)


def age(passed: timedelta) -> str:
    """About how long: 42s, 17m, 5h, 12d."""
    seconds = max(0, int(passed.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


async def _undelivered(
    settings: Settings, services: Sequence[Service], before: datetime, now: datetime
) -> list[Undelivered]:
    catalogue = Catalogue(tuple(services))
    async with databases(settings, services) as opened_:
        found = [await undelivered(s, opened_[s.name], catalogue, before, now) for s in services]
    return sorted((item for items in found for item in items), key=lambda u: u.since)


@parked.callback()
def parked_(context: typer.Context, retry: Replayed = None) -> None:
    """Messages and deliveries that wait for a person, with their reasons. Exit 0 none, 1 when there are any."""
    if context.invoked_subcommand is not None:
        return
    if retry is not None:
        replay(context, retry)
        return
    given: Context = context.obj
    settings, _, services = given.settled()
    waiting = run(_parked(settings, services), "reading what is parked")
    for service, (what, item, party, attempts, problem, since) in waiting:
        say(f"{since}  {service}: {what} {item}")
        say(f"{problem} ({party}, {attempts} attempts)", 4)
    if waiting:
        raise typer.Exit(NOT_RIGHT)
    say("nothing is parked")


@parked.command()
def replay(
    context: typer.Context,
    item: Annotated[str, typer.Argument(metavar="ID", help="Id of a parked message or delivery.")],
) -> None:
    """Has a parked message decided again, or a parked delivery tried again, by the running services.

    Safe to repeat: a message is decided once, and of a delivery the partner is asked first where it can be. Exit 0 when
    it will be tried, 1 where nothing of this id is parked or it cannot even be read.
    """
    given: Context = context.obj
    settings, _, services = given.settled()
    if not run(_replayed(settings, services, item), "putting it back"):
        raise failed(NOT_RIGHT, "no readable message and no delivery of this id is parked")
    say("it will be taken again")


async def _replayed(settings: Settings, services: Sequence[Service], item: str) -> int:
    put_back = 0
    for service in services:
        async with opened(settings, service.name) as database, database.writing() as tx:
            put_back += await store.put_back(tx, item, system_clock())
            put_back += await store.replay_delivery(tx, item, system_clock())
    return put_back


async def _parked(settings: Settings, services: Sequence[Service]) -> list[tuple[str, Row]]:
    return [(s.name, row) for s in services for sql in _PARKED for row in await rows(settings, s, sql)]

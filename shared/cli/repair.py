"""`carepod digest`, `resend`, `backfill`, `restored`: whether something is lost, and what mends it; safe to repeat."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer

from contracts.upcasts import UPCASTS
from shared.borders import checking
from shared.cli.common import NOT_RIGHT, NOT_TRIED, Context, failed, opened, run, say
from shared.clock import instant, system_clock
from shared.core import Service
from shared.failpoints import Failpoints
from shared.fhir.profiles import carepod
from shared.footing import folder_lock
from shared.messages import Catalogue
from shared.ports import Database
from shared.repair.backfilling import Backfill, Backfilled
from shared.repair.digests import Compared, Drift, Owners, compared
from shared.repair.pacing import PATIENCE
from shared.repair.resending import Resent, Wanted, resend
from shared.repair.restoring import Recovered, recovered
from shared.run import Runner
from shared.settings import Settings, SettingsError

_AGE = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Producers = Annotated[list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Whose; none: everybody's.")]
Patience = Annotated[
    float, typer.Option(help="Seconds without a message sent after which nobody is taken to send; 0: never waits.")
]


def moment(text: str, now: datetime) -> datetime:
    """`90s`, `15m`, `2h`, `30d` ago, or an instant (local where it names no zone). Ends the command at all else."""
    if age := _AGE.fullmatch(text):
        return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        at = instant(text)
        return at if at.tzinfo is not None else at.astimezone()
    except ValueError:
        raise failed(NOT_TRIED, "90s, 15m, 2h, 30d, or an instant would be right") from None


def named(services: Sequence[Service], names: Collection[str]) -> list[Service]:
    """The services of these names, all where none is given. Ends the command where there is no such service."""
    known = [s.name for s in services]
    if unknown := set(names) - set(known):
        raise failed(NOT_TRIED, f"service {', '.join(sorted(unknown))}: one of {', '.join(known)} would be right")
    return [s for s in services if not names or s.name in names]


@asynccontextmanager
async def databases(settings: Settings, services: Sequence[Service]) -> AsyncIterator[Mapping[str, Database]]:
    """The databases of all services."""
    async with AsyncExitStack() as stack:
        yield {s.name: await stack.enter_async_context(opened(settings, s.name)) for s in services}


def resend_(
    context: typer.Context,
    services: Producers = None,
    since: Annotated[str, typer.Option(help="Sent since: an age (15m, 2h, 3d) or an instant.")] = "30d",
    until: Annotated[str, typer.Option(help="Sent until: an age or an instant.")] = "0s",
    to: Annotated[list[str] | None, typer.Option(help="Only what this service was to hear; may be repeated.")] = None,
    partition: Annotated[list[int] | None, typer.Option(help="Only this partition; may be repeated.")] = None,
    lane: Annotated[str | None, typer.Option(help="Only this lane, as `patient/<id>`.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also what every inbox has already.")] = False,
    patience: Patience = PATIENCE,
) -> None:
    """Sends again what services were to hear and their inboxes lack: a queue was lost with what was in it.

    The same messages under the same ids, in lane order, by the running services; safe to repeat, and while all work.
    Messages are kept 30 days. Exit 0, also when nothing was lost.
    """
    given: Context = context.obj
    settings, _, declared = given.settled()
    now = system_clock()
    wanted = Wanted(moment(since, now), moment(until, now), frozenset(partition or ()), lane, every)
    producers, hearers = named(declared, services or ()), named(declared, to or ())
    for name, resent in run(_resent(settings, declared, producers, hearers, wanted, patience), "sending again"):
        told = ", ".join(f"{count} for {hearer}" for hearer, count in sorted(resent.lacking.items()))
        say(f"{name}: {resent.messages} messages sent again" + (f" ({told})" if told else ""))
        if resent.messages and not resent.is_relayed:
            say("no relay sends them now: they go when the service runs", 4)


async def _resent(
    settings: Settings, declared: Sequence[Service], producers: Sequence[Service], hearers: Sequence[Service],
    wanted: Wanted, patience: float,
) -> list[tuple[str, Resent]]:  # fmt: skip
    async with databases(settings, declared) as opened_:
        inboxes = {s.name: opened_[s.name] for s in hearers}
        catalogue = Catalogue(tuple(declared))
        return [(p.name, await resend(p, opened_[p.name], inboxes, catalogue, wanted, patience)) for p in producers]


def backfill(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Who is told: a new service, or one whose database was restored.")],
    of: Annotated[list[str] | None, typer.Option("--from", help="Only this owner's; may be repeated.")] = None,
    lane: Annotated[list[str] | None, typer.Option(help="Only this lane, as `patient/<id>`; may be repeated.")] = None,
    patience: Patience = PATIENCE,
) -> None:
    """Tells a service the current version of everything it reads: one message of each owner for each lane.

    By the running services, in order with what they say meanwhile; safe to repeat: what it knows already it decides
    nothing on, and it never goes back to an older version. Exit 0.
    """
    given: Context = context.obj
    settings, _, declared = given.settled()
    (hearer,) = named(declared, (service,))
    owners = [s for s in named(declared, of or ()) if s.name != service and s.owns & hearer.listens]
    for name, told in run(_backfilled(settings, hearer, owners, lane, patience), "telling"):
        say(f"{name}: {told.messages} messages to {service}, {told.resources} resources")
        if told.messages and not told.is_relayed:
            say("no relay sends them now: they go when the service runs", 4)


async def _backfilled(
    settings: Settings, hearer: Service, owners: Sequence[Service], lanes: Sequence[str] | None, patience: float
) -> list[tuple[str, Backfilled]]:
    async with databases(settings, owners) as opened_:
        works = [(o.name, Backfill(o, hearer, opened_[o.name], system_clock, settings.partitions)) for o in owners]
        return [(name, await work.said(patience, lanes)) for name, work in works]


def digest(
    context: typer.Context,
    services: Annotated[list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Whose copies.")] = None,
    settle: Annotated[float, typer.Option(help="Seconds after which a difference is not on its way.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one line a difference.")] = False,
) -> None:
    """Compares the copies services hold with what their owners have; the running services do so every night.

    Differences are named by id, with the command that mends each. Exit 0 no drift, 1 drift.
    """
    given: Context = context.obj
    settings, _, declared = given.settled()
    drift: list[Drift] = []
    for hearer, found in run(_digest(settings, declared, named(declared, services or ()), settle), "comparing"):
        drift += found.drift
        if not as_json:
            say(f"{hearer}: {found.count} copies of {found.owner}, {len(found.drift)} drift")
    for d in drift:
        versions = f"{d.owner} has {d.owned or 'none'}, {d.hearer} {d.held or 'none'}"
        say(json.dumps({**asdict(d), "repair": d.repair}) if as_json else f"{d.kind} {d.id}: {versions}: {d.repair}", 0)
    if drift:
        raise typer.Exit(NOT_RIGHT)


async def _digest(
    settings: Settings, declared: Sequence[Service], hearers: Sequence[Service], settle: float
) -> list[tuple[str, Compared]]:
    async with databases(settings, declared) as opened_:
        owners = Owners(opened_.get)
        pairs = [(o, h) for h in hearers for o in declared if o is not h and o.owns & h.listens]
        return [(h.name, await compared(o, h, opened_[h.name], owners, settle)) for o, h in pairs]


def restored(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Whose database was restored; it must not be running.")],
    epoch: Annotated[
        int | None, typer.Option(min=1, help="At least this epoch: a copy was restored twice, and nobody had heard.")
    ] = None,
    patience: Patience = PATIENCE,
) -> None:
    """Begins a new epoch for a service whose database is an earlier copy, and has it take back what others hold.

    The others run meanwhile, and have taken what was in their queues. Deliveries under way are put in doubt: partners
    are asked. Then everybody backfills the service, which has it before it starts, and it backfills everybody; start it
    afterwards. Exit 0 when nothing is known to be lost, 1 when something is: it is listed, and its senders may send it
    again.
    """
    given: Context = context.obj
    settings, _, declared = given.settled()
    (restored_,) = named(declared, (service,))
    result = run(_restored(settings, declared, restored_, epoch, patience), "recovering")
    found = result.restored
    say(f"{service}: epoch {found.epoch}; {found.versions} versions, {found.messages} messages came back")
    say(f"{found.doubtful} deliveries are in doubt: partners are asked", 4)
    for owner, hearer, backfilled in result.told:
        say(f"{owner} to {hearer}: {backfilled.messages} messages, {backfilled.resources} resources", 4)
    for lane, message in found.lost_messages:
        say(f"lost: message {message} of {lane}", 4)
    for place in found.lost:
        say(f"lost: {place}", 4)
    if found.lost or found.lost_messages:
        raise typer.Exit(NOT_RIGHT)


async def _restored(
    settings: Settings, declared: Sequence[Service], service: Service, epoch: int | None, patience: float
) -> Recovered:
    """Recovers under the rights a running service would have."""
    async with AsyncExitStack() as stack:
        if not settings.database_url:
            stack.enter_context(folder_lock(settings.folder))
            patience = 0
        opened_ = await stack.enter_async_context(databases(settings, declared))
        if not all([await opened_[service.name].hold(n) for n in range(settings.partitions)]):
            raise SettingsError(f"{service.name} is running: stop it first")
        runner = Runner(
            service, opened_[service.name], Catalogue(tuple(declared)), checking(carepod()), system_clock,
            settings.partitions, Failpoints(None), UPCASTS,
        )  # fmt: skip
        return await recovered(runner, opened_, settings.partitions, epoch, patience)

"""`carepod demo`: the main job on the embedded engines, watched while it moves."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI
from rich.live import Live
from rich.table import Table

from shared.app import Application, build
from shared.cli.admin import add_client
from shared.cli.common import NOT_RIGHT, NOT_TRIED, Context, failed, out, quiet_logs, run
from shared.cli.journeys import Journey, followed, report_of
from shared.cli.push import Sender, shifted
from shared.cli.serve import listening, server_of
from shared.cli.simulate import simulated
from shared.core import Service
from shared.footing import folder_lock
from shared.ports import Unavailable
from shared.settings import ROOT, Settings, SettingsError, Site
from shared.smart.clients import registered
from shared.smart.keys import SigningKey, key_file, public_jwks
from shared.web.app import create_app

REFERRALS = ROOT / "contracts" / "examples" / "referrals"
WRITTEN_ON = date(2026, 11, 21)
"""The day the demo's referrals were written for: their dates are moved to today."""
CASES = (
    "iron-meets-criteria", "iron-criteria-not-met", "infliximab-pended", "denied", "incomplete", "duplicate", "broken",
    "opat-vancomycin-home", "ivig-pidd-medicare-home",
)  # fmt: skip
PHARMACY = "system/MedicationDispense.c system/SupplyDelivery.c"
"""What the pharmacy may do: tell of what it has dispensed and delivered."""
LONGEST = 55.0
"""Seconds after which `--once` gives up waiting for a journey to settle."""


def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="End when the journeys have settled.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the results as JSON to this file.")] = None,
    port: Annotated[int, typer.Option(help="Port to listen on; taken: another one.")] = 8000,
    days: Annotated[int, typer.Option(help="So many days on a simulated clock instead: weeks in seconds.")] = 0,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its data; emptied at the start.")] = ROOT
    / "var"
    / "demo",
) -> None:
    """Starts everything in this process, pushes nine referrals over HTTP, and shows each journey as it moves."""
    if days > 0:
        raise typer.Exit(simulated("benchmarks.simulation.days", str(days)))
    quiet_logs()
    given: Context = context.obj
    try:
        _emptied(folder)
        listener = _listening(port)
    except SettingsError as error:
        raise failed(NOT_TRIED, str(error)) from None
    settings, site, services = given.settled(**_embedded(folder, listener))
    journeys = run(_demo(given, settings, site, services, listener, once, report))
    if once and any(j.outcome is None for j in journeys):
        text = f"a journey did not settle in time: `CAREPOD_FOLDER={folder} carepod trace ID` shows where it stands"
        raise failed(NOT_RIGHT, text)


def _embedded(folder: Path, listener: socket.socket) -> dict[str, Any]:
    """The settings of a demo: nothing of the environment's engines and processes."""
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    engines = dict.fromkeys(("database_url", "amqp_url", "redis_url"))
    places = {"folder": folder, "secrets": folder / "secrets", "base_url": base, "partners_url": f"{base}/partners"}
    return {**engines, **places, "peers": {}}


def _emptied(folder: Path) -> None:
    """Empties the folder of an earlier demo. Raises SettingsError where it is in use, or holds anything else."""
    if not folder.exists():
        return
    if any(folder.iterdir()) and not (folder / "intake.db").is_file():
        raise SettingsError(f"--folder {folder}: an empty folder, or an earlier demo's, would be right")
    folder_lock(folder).close()
    shutil.rmtree(folder)


def _listening(port: int) -> socket.socket:
    """On the port, or on another one when it is taken."""
    try:
        return listening("127.0.0.1", port)
    except SettingsError:
        return listening("127.0.0.1", 0)


async def _demo(
    given: Context, settings: Settings, site: Site, services: Sequence[Service], listener: socket.socket, once: bool,
    report: Path | None,
) -> list[Journey]:  # fmt: skip
    partners = given.partners(settings.folder / "partners", settings.base_url, address=settings.partners_url)
    sender_key = await _registered(settings, services)
    application = await build(services, settings, site)
    api = create_app(application)
    api.mount("/partners", partners)
    server, serving = await _serving(api, listener)
    partners.state.partners.start()
    sender = Sender(settings.base_url, "mercy-ehr", sender_key)
    try:
        journeys = await _watched(application, sender, report)
        if not once:
            out.print(f"\nCarepod stays up: {settings.base_url} (API: {settings.base_url}/docs). Ctrl-C ends it.")
            with suppress(asyncio.CancelledError):
                await serving
    finally:
        await sender.close()
        await partners.state.partners.stop()
        server.should_exit = True
        await serving
    return journeys


async def _registered(settings: Settings, services: Sequence[Service]) -> SigningKey:
    """Registers the two programs that reach the FHIR base; the EHR's key."""
    sender = key_file(settings.secrets / "mercy-ehr.pem")
    pharmacy = key_file(settings.folder / "partners" / "pharmacy.key.pem")
    programs = (("mercy-ehr", sender, "system/*.cruds"), ("prairie-pharmacy", pharmacy, PHARMACY))
    agencies = ("valley-home", "plains-visiting")
    keys = ((a, key_file(settings.folder / "partners" / f"agency-{a}.key.pem"), "system/Task.ru") for a in agencies)
    for client, key, scopes in (*programs, *keys):
        await add_client(settings, services, registered(client, client, json.dumps(public_jwks(key)), scopes))
    return sender


async def _serving(api: FastAPI, listener: socket.socket) -> tuple[uvicorn.Server, asyncio.Task[None]]:
    server = server_of(api)
    serving = asyncio.create_task(server.serve([listener]), name="http")
    while not server.started:
        if serving.done():
            await serving
            raise Unavailable("the services did not start")
        await asyncio.sleep(0.02)
    return server, serving


async def _watched(application: Application, sender: Sender, report: Path | None) -> list[Journey]:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    today = application.clock().date()
    journeys: list[Journey] = []
    with Live(_table(journeys), console=out, refresh_per_second=8, transient=True) as live:
        for case in CASES:
            body = (REFERRALS / f"{case}.json").read_bytes()
            sent = body if case == "broken" else shifted(body, WRITTEN_ON, today)
            journeys.append(Journey(await sender.post(f"{case}.json", sent), loop.time()))
            live.update(_table(journeys))
        await followed(sender, journeys, LONGEST, lambda: live.update(_table(journeys)))
    document = report_of(journeys, await _messages(application), loop.time() - begun)
    out.print(_table(journeys))
    for journey in journeys:
        _explained(journey, application.settings.folder)
    counts, seconds = document["messages"], document["seconds"]
    told = f"{counts['sent']} messages sent, {counts['delivered']} delivered, {counts['parked']} parked"
    out.print(f"{told}; {seconds} s in all")
    if report is not None:
        await asyncio.to_thread(report.write_text, json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return journeys


async def _messages(application: Application) -> dict[str, int]:
    """Messages sent (outboxes), delivered and parked (inboxes)."""
    counts = {"sent": 0, "delivered": 0, "parked": 0}
    for handle in application.handles.values():
        async with handle.database.reading() as tx:
            for name, sql in (
                ("sent", "select count(*) from outbox where sent_at is not null"),
                ("delivered", "select count(*) from inbox where status = 'done'"),
                ("parked", "select count(*) from inbox where status = 'parked'"),
            ):
                counts[name] += int((await tx.fetch(sql))[0][0])
    return counts


def _table(journeys: Sequence[Journey]) -> Table:
    table = Table(title="Referral in, infusion out")
    for name in ("referral", "HTTP", "now", "authorization", "visits", "s"):
        table.add_column(name, overflow="fold")
    for j in journeys:
        visits = [_when(v["start"]) if v.get("start") else v["status"] for v in j.appointments]
        style = {"scheduled": "green", None: "yellow"}.get(j.outcome, "cyan")
        table.add_row(
            j.pushed.file.removesuffix(".json"),
            str(j.pushed.status),
            f"[{style}]{j.outcome or j.stage}[/]",
            _authorization(j.authorization),
            "\n".join(visits),
            f"{j.seconds:.1f}",
        )
    return table


def _authorization(authorization: dict[str, Any]) -> str:
    if "number" not in authorization:
        return str(authorization.get("status", ""))
    period = authorization.get("period", {})
    units = "\n".join(f"{u['value']} units {u['code']}" for u in authorization.get("units", ()))
    return f"{authorization['number']}\n{period.get('start', '')} to {period.get('end', '')}\n{units}"


def _explained(journey: Journey, folder: Path) -> None:
    """Under the table: why it ended so, what each visit still needs, and who is asked."""
    out.print(f"\n[bold]{journey.pushed.file}[/]: {journey.outcome or 'not settled'}")
    if journey.task:
        out.print(f"  CAREPOD_FOLDER={folder} carepod trace {journey.task.partition('/')[2]}", markup=False)
    for reason in journey.reasons:
        out.print(f"  - {reason}", markup=False)
    for visit in journey.appointments:
        out.print(f"  {_said(visit)}", markup=False)
    for task in journey.open_tasks:
        until = f", by {task['until']}" if "until" in task else ""
        out.print(f"  open: {task['code']}, asked of the {task['owner']}: {task['question']}{until}", markup=False)


def _said(visit: dict[str, Any]) -> str:
    """One visit: when, and what it still waits for."""
    waits = [name for name, status in visit["readiness"].items() if status == "unmet"]
    when = _when(visit["start"]) if visit.get("start") else "without a time yet"
    return f"visit {visit['status']} {when}: " + (f"waits for {', '.join(waits)}" if waits else "ready")


def _when(start: str) -> str:
    return start[:16].replace("T", " ")

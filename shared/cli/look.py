"""`carepod trace`, `quarantine`: what happened to one referral, and what was refused at the door."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from shared.cli.common import NOT_RIGHT, Context, failed, rows, run, say
from shared.core import Service
from shared.ports import Row
from shared.settings import Settings

_LANES = (
    "select lane from resource where id = $1 union select r.lane from search s join resource r on r.id = s.id "
    "where s.parameter = 'identifier' and s.value = $1"
)
_STEP = ("at", "kind", "source", "event", "focus", "reason", "message", "trace", "refusals", "evidence", "saves")


def trace(
    context: typer.Context,
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a referral Task, an order, a patient, ...; or its identifier.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one line a decision.")] = False,
) -> None:
    """The journey of one referral: each decision of each service, its reason, evidence and message.

    Exit 0 found, 1 nothing is known of it.
    """
    given: Context = context.obj
    settings, _, services = given.settled()
    resource_id = identifier.partition("/_history/")[0].rpartition("/")[2]
    steps = run(traced(settings, services, resource_id), "reading the decisions")
    if not steps:
        raise failed(NOT_RIGHT, "nothing is known of this id")
    for step in steps:
        say(json.dumps(step)) if as_json else _told(step)


def _told(step: dict[str, Any]) -> None:
    """One decision, for a reader."""
    say(f"{step['at']}  {step['service']}: {step['reason']}")
    say(f"because   {step['kind']} {step['event']} from {step['source'] or 'itself'}", 4)
    for name in ("refusals", "evidence", "saves"):
        for value in step[name]:
            say(f"{name:<9} {value}", 4)
    if step["message"]:
        say(f"message   {step['message']}", 4)


async def traced(settings: Settings, services: Sequence[Service], identifier: str) -> list[dict[str, Any]]:
    """Every decision on the lane of this resource, in order of time, as {service, at, kind, event, reason, ...}."""
    lanes: set[str] = set()
    steps: list[dict[str, Any]] = []
    for service in services:
        lanes |= {row[0] for row in await rows(settings, service, _LANES, identifier)}
    sql = f"select {', '.join(_STEP)} from decision where lane = any($1) order by at, id"  # noqa: S608 (our own names)
    for service in services:
        for row in await rows(settings, service, sql, sorted(lanes)):
            step = dict(zip(_STEP, row, strict=True))
            steps.append({"service": service.name, **step} | {k: json.loads(step[k]) for k in _STEP[-3:]})
    return sorted(steps, key=lambda s: str(s["at"]))


def quarantine(
    context: typer.Context,
    body: Annotated[
        str | None, typer.Option(metavar="ID", help="Print the body of this item alone, as it was received.")
    ] = None,
) -> None:
    """What was refused at the door, with every issue. Exit 0; 1 where there is no item of this id."""
    given: Context = context.obj
    settings, _, services = given.settled()
    if body is not None:
        found = run(_body(settings, services, body), "reading the body")
        if found is None:
            raise failed(NOT_RIGHT, "nothing in quarantine has this id")
        if not found:
            raise failed(NOT_RIGHT, "its body was kept 180 days and is gone; its issues are listed without --body")
        say(found)
        return
    for item, at, client, place, issues in run(_refused(settings, services), "reading the quarantine"):
        say(f"{item}  {at}  {client}  {place}")
        for issue in json.loads(issues)["issue"]:
            say(told(issue), 4)


def told(issue: dict[str, Any]) -> str:
    """An issue of an OperationOutcome as one line."""
    return f"{', '.join(issue.get('expression', ['(body)']))}: {issue['code']}: {issue.get('diagnostics', '')}"


async def _refused(settings: Settings, services: Sequence[Service]) -> list[Row]:
    sql = "select id, at, client, place, issues from quarantine"
    found = [row for s in services for row in await rows(settings, s, sql)]
    return sorted(found, key=lambda row: str(row[1]))


async def _body(settings: Settings, services: Sequence[Service], item: str) -> str | None:
    for service in services:
        for row in await rows(settings, service, "select body from quarantine where id = $1", item):
            return str(row[0])
    return None

"""What became of a pushed referral, read over HTTP as its sender sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.cli.push import Pushed, Sender
from shared.core import CANONICAL, Resource

POLL = 0.2
QUIET = 2.0
"""Seconds without a change after which a journey that has an outcome counts as settled."""
_FINAL = {"denied": "not-authorized", "not-covered": "not-authorized"}


@dataclass(slots=True)
class Journey:
    """One referral and what is known of it; `outcome` is None until it has one."""

    pushed: Pushed
    begun: float
    outcome: str | None = None
    stage: str = "received"
    seconds: float = 0.0
    reasons: list[str] = field(default_factory=list)
    authorization: dict[str, Any] = field(default_factory=dict)
    appointments: list[dict[str, Any]] = field(default_factory=list)
    open_tasks: list[dict[str, str]] = field(default_factory=list)
    seen: int = 0

    @property
    def patient(self) -> str | None:
        """The patient it is about."""
        return next((p for p in self.pushed.locations if p.startswith("Patient/")), None)

    @property
    def task(self) -> str | None:
        """The referral Task."""
        return next((p for p in self.pushed.locations if p.startswith("Task/")), None)


async def followed(sender: Sender, journeys: Sequence[Journey], longest: float, changed: Callable[[], None]) -> None:
    """Reads until every journey has an outcome and nothing has moved for a moment, or the time is over."""
    loop = asyncio.get_running_loop()
    begun = moved = loop.time()
    for journey in journeys:
        if journey.pushed.status >= 400:
            _refused(journey)
        elif not journey.pushed.created:
            journey.outcome, journey.stage = "duplicate", "same case as before"
            journey.reasons = ["the placer identifier is known: the case goes on under it"]
    while loop.time() - begun < longest:
        for journey in journeys:
            if journey.outcome not in ("invalid", "rejected", "duplicate") and await _looked(sender, journey):
                moved = loop.time()
                journey.seconds = moved - journey.begun
        changed()
        if all(j.outcome for j in journeys) and loop.time() - moved > QUIET:
            return
        await asyncio.sleep(POLL)


def _refused(journey: Journey) -> None:
    journey.outcome = "invalid" if journey.pushed.status in (400, 422) else "rejected"
    journey.stage = "refused"
    journey.seconds = journey.pushed.seconds
    for issue in journey.pushed.answer.get("issue", ()):
        place = ", ".join(issue.get("expression", ["(body)"]))
        journey.reasons.append(f"{place}: {issue['code']}: {issue.get('diagnostics', '')}")


async def _looked(sender: Sender, journey: Journey) -> bool:
    """Reads the case again; says whether it moved."""
    patient = journey.patient or ""
    bundles = [await sender.get(kind, patient=patient) for kind in ("Task", "Appointment")]
    tasks, appointments = ([e["resource"] for e in b.get("entry", ())] for b in bundles)
    seen = hash(tuple(sorted((r["id"], r["meta"]["versionId"]) for r in [*tasks, *appointments])))
    if seen == journey.seen:
        return False
    journey.seen = seen
    judged(journey, tasks, appointments)
    return True


def judged(journey: Journey, tasks: Sequence[Resource], appointments: Sequence[Resource]) -> None:
    """Reads outcome, reasons, authorization, visits and open questions off the case's resources."""
    by_code: dict[str, Resource] = {}
    for task in tasks:
        by_code.setdefault(_code(task), task)
    referral, asked = by_code.get("referral", {}), by_code.get("preauthorization", {})
    visits = by_code.get("chair") or by_code.get("home-nursing", {})
    status = _business(asked)
    journey.stage = " / ".join(s for s in (referral.get("status", ""), status, _business(visits)) if s)
    journey.authorization = {"status": status, **_authorized(asked)} if status else {}
    journey.appointments = [_visit(a) for a in sorted(appointments, key=lambda a: a.get("start", "~"))]
    journey.open_tasks = [_question(t) for t in tasks if t["status"] == "requested"]
    missing = _missing(referral) or _missing(asked)
    journey.reasons = list(missing) or [r for r in (_reason(referral), _reason(asked)) if r]
    if visits.get("status") == "completed" or _business(visits) == "booked":
        journey.outcome = "scheduled"
    elif status in _FINAL:
        journey.outcome = _FINAL[status]
        journey.reasons = _denials(asked) or journey.reasons
    elif referral.get("status") == "on-hold" and missing:
        journey.outcome = "needs-information"
    elif referral.get("status") in ("rejected", "cancelled"):
        journey.outcome = "rejected"
    else:
        journey.outcome = None


def report_of(journeys: Sequence[Journey], messages: dict[str, int], seconds: float) -> dict[str, Any]:
    """The demo's report as JSON."""
    referrals = [
        {
            "file": j.pushed.file,
            "http_status": j.pushed.status,
            "outcome": j.outcome,
            "reasons": j.reasons,
            "authorization": j.authorization,
            "appointments": j.appointments,
            "open_tasks": j.open_tasks,
            "seconds": round(j.seconds, 2),
        }
        for j in journeys
    ]
    return {"referrals": referrals, "messages": messages, "seconds": round(seconds, 1)}


def _code(task: Resource) -> str:
    return str(task.get("code", {}).get("coding", [{}])[0].get("code", ""))


def _business(task: Resource) -> str:
    return str(task.get("businessStatus", {}).get("coding", [{}])[0].get("code", ""))


def _reason(task: Resource) -> str:
    return str(task.get("statusReason", {}).get("text", ""))


def _outputs(task: Resource, name: str) -> list[Resource]:
    return [o for o in task.get("output", ()) if o["type"].get("coding", [{}])[0].get("code") == name]


def _missing(task: Resource) -> list[str]:
    concepts = [o["valueCodeableConcept"] for o in _outputs(task, "missing")]
    return [f"{c['coding'][0]['code']}: {c.get('text', '')}" for c in concepts]


def _denials(task: Resource) -> list[str]:
    concepts = [o["valueCodeableConcept"] for o in _outputs(task, "denial-reason")]
    return [str(c.get("text") or c.get("coding", [{}])[0].get("display", "denied")) for c in concepts]


def _authorized(task: Resource) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number in _outputs(task, "number"):
        found["number"] = number["valueString"]
    for period in _outputs(task, "period"):
        found.setdefault("period", dict(period["valuePeriod"]))
    units = [o["valueQuantity"] for o in _outputs(task, "units")]
    if units:
        found["units"] = [{"code": u["code"], "value": str(u["value"])} for u in units]
    return found


def _visit(appointment: Resource) -> dict[str, Any]:
    found = {k: appointment[k] for k in ("status", "start", "end") if k in appointment}
    readiness = {}
    for extension in appointment.get("extension", ()):
        if extension["url"] == CANONICAL + "StructureDefinition/visit-readiness":
            parts = {p["url"]: p.get("valueCode") for p in extension["extension"]}
            if parts.get("status") != "not-needed":
                readiness[parts["requirement"]] = parts["status"]
    return {"id": appointment["id"], **found, "readiness": readiness}


def _question(task: Resource) -> dict[str, str]:
    asked = [i["type"].get("coding", [{}])[0].get("code", "") for i in task.get("input", ())]
    owner = task.get("owner", {})
    who = owner.get("display") or owner.get("identifier", {}).get("value") or owner.get("reference", "")
    until = task.get("restriction", {}).get("period", {}).get("end")
    question = {"code": _code(task), "owner": str(who), "question": ", ".join(asked) or _reason(task)}
    return question | ({"until": str(until)} if until else {})

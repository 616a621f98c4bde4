"""What an agency takes on: where it goes, what its nurses can do, how many visits a day, and how soon it can come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

FOLDER = Path(__file__).with_name("rules")
CODES = "https://carepod.example/fhir/CodeSystem/"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one agency; `territory` are beginnings of ZIP codes."""

    name: str
    territory: tuple[str, ...]
    skills: frozenset[str]
    visits_a_day: int
    begins: time
    ends: time
    time_zone: ZoneInfo
    notice: timedelta


@dataclass(frozen=True, slots=True)
class Verdict:
    """Taken on at a time, or the code of why not."""

    begins: datetime | None = None
    ends: datetime | None = None
    reason: str = ""


def rules(agency: str) -> Rules:
    """The rules of one agency's file."""
    row = yaml.safe_load((FOLDER / f"{agency}.yaml").read_text(encoding="utf-8"))
    return Rules(
        name=row["name"],
        territory=tuple(row["territory"]),
        skills=frozenset(row["skills"]),
        visits_a_day=int(row["visits_a_day"]),
        begins=time.fromisoformat(row["begins"]),
        ends=time.fromisoformat(row["ends"]),
        time_zone=ZoneInfo(row["time_zone"]),
        notice=timedelta(minutes=row["notice_minutes"]),
    )


def decided(request: Json, own: Rules, taken: Iterable[tuple[datetime, datetime]], at: datetime) -> Verdict:
    """What an agency says to a request, given the visits it has already taken on."""
    task, patient = resource(request, "Task"), resource(request, "Patient")
    if not any(code.startswith(own.territory) for code in _zip_codes(patient)):
        return Verdict(reason="territory")
    if not frozenset(_skills(task)) <= own.skills:
        return Verdict(reason="competency")
    return _first_free(task, own, sorted(taken), at)


def resource(request: Json, kind: str) -> Json:
    """The resource of one kind in a request; empty where there is none."""
    return next((e["resource"] for e in request["entry"] if e["resource"]["resourceType"] == kind), {})


def _first_free(task: Json, own: Rules, taken: list[tuple[datetime, datetime]], at: datetime) -> Verdict:
    """The first time on a day asked for: after the notice it needs, within its hours, after what it has that day."""
    length = timedelta(minutes=int(next(_inputs(task, "minutes"))["valuePositiveInt"]))
    for on in _days(task):
        opens, closes = (datetime.combine(on, t, own.time_zone) for t in (own.begins, own.ends))
        same_day = [visit for visit in taken if visit[0].astimezone(own.time_zone).date() == on]
        begins = max([opens, at + own.notice, *(ends for _, ends in same_day)])
        if len(same_day) < own.visits_a_day and begins + length <= closes:
            return Verdict(begins, begins + length)
    return Verdict(reason="capacity")


def _days(task: Json) -> Iterator[date]:
    period = task["restriction"]["period"]
    first, last = (date.fromisoformat(period[k][:10]) for k in ("start", "end"))
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _skills(task: Json) -> Iterator[str]:
    found = (i["valueCodeableConcept"]["coding"] for i in _inputs(task, "competency"))
    return (str(coding["code"]) for codings in found for coding in codings)


def _inputs(task: Json, code: str) -> Iterator[Mapping[str, Any]]:
    for given in task.get("input", ()):
        if any(c.get("system") == f"{CODES}agency-visit-input" and c["code"] == code for c in given["type"]["coding"]):
            yield given


def _zip_codes(patient: Json) -> Iterator[str]:
    return (str(a.get("postalCode", "")) for a in patient.get("address", ()))

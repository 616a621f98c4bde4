"""Asks outside agencies, one after another, for a home visit nobody of the practice can make, and reads their answers.

Law of this file: pure. A Task that has ended stays as it ended, whatever comes later; at most one agency is asked at a
time, and at most one has taken a visit on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from shared.core import Event, Resource, derived_id
from shared.home import Agency, HomeNursing
from shared.visits.elements import code_of, concept, identified, identifier, instant, is_task, moment, to

ENDED = frozenset({"rejected", "completed", "cancelled"})
REASON, INPUT, OUTPUT = "agency-visit-reason", "agency-visit-input", "agency-visit-output"
OWN_REASONS = frozenset({"capacity", "territory", "competency"})
"""What an agency may say for not making a visit."""
TAKEN_BACK = frozenset({"withdrawn"})
"""Ends that are ours: the same agency may be asked for the same days again."""


@dataclass(frozen=True, slots=True)
class Sought:
    """The visit asked for: its order and Appointment, the Task of the order (`Type/id`), the days, kinds and skills."""

    order: Resource
    appointment: str
    parent: str
    days: tuple[date, date]
    kinds: tuple[str, ...]
    competencies: frozenset[str]
    minutes: int
    state: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """A visit an agency has taken on, or has made."""

    agency: str
    start: datetime
    end: datetime
    task: str
    completed: bool


@dataclass(frozen=True, slots=True)
class Round:
    """Where the asking stands.

    tasks      every Task about this visit as it now stands, the unchanged too.
    wakes      when the agency asked falls silent.
    agreed     who comes when, once somebody has said so.
    waiting    an agency has been asked and has time to answer.
    exhausted  nobody is left to ask.
    refusals   why an answer that this event brought was not taken.
    """

    tasks: tuple[Resource, ...] = ()
    wakes: Mapping[str, datetime | None] = field(default_factory=dict)
    agreed: Agreed | None = None
    waiting: bool = False
    exhausted: bool = False
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asking:
    """With whom and how it is asked: the practice's agencies, how long each may take, and the event decided on."""

    region: HomeNursing
    answers_within: timedelta
    event: Event


def is_agency_visit(resource: Resource) -> bool:
    return is_task(resource, "agency-visit")


def tasks_about(appointment: str, resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """The Tasks that ask agencies for one visit, oldest first."""
    target = f"Appointment/{appointment}"
    return tuple(r for r in resources if is_agency_visit(r) and r["focus"]["reference"] == target)


def agency_round(sought: Sought, resources: Iterable[Resource], asking: Asking, *, wanted: bool = True) -> Round:
    """The Tasks about one visit after an event; the next agency is asked where nobody is being asked.

    Not `wanted`: the visit is called off, or a nurse of the practice makes it; what is open is withdrawn.
    """
    stored = tasks_about(sought.appointment, resources)
    tasks = [_kept(settled(task, asking), sought, asking, wanted=wanted) for task in stored]
    agreed = next((a for t in tasks if (a := agreed_of(t)) is not None), None)
    idle = wanted and agreed is None and not any(t["status"] == "requested" for t in tasks)
    if idle and (agency := _next(sought, tasks, asking.region)) is not None:
        tasks.append(_asked(sought, agency, len(tasks) + 1, asking))
    waiting = any(t["status"] == "requested" for t in tasks)
    return Round(
        tasks=tuple(tasks),
        wakes={f"agency/{t['id']}": answer_by(t) if t["status"] == "requested" else None for t in tasks},
        agreed=agreed,
        waiting=waiting,
        exhausted=wanted and agreed is None and not waiting,
        refusals=tuple(code for t in stored if (code := refusal(t, asking)) is not None),
    )


def agreed_of(task: Resource) -> Agreed | None:
    """Who has taken a visit on, or made it; None where nobody has."""
    if task["status"] not in ("accepted", "completed"):
        return None
    begins, ends = _time(task) or (None, None)
    if begins is None or ends is None:
        return None
    agency = identified(task["owner"], "agency") or ""
    return Agreed(agency, begins, ends, task["id"], task["status"] == "completed")


def answer_by(task: Resource) -> datetime | None:
    """Until when the agency has time to answer."""
    found = (i for i in task["input"] if code_of(i["type"], INPUT) == "answer-by")
    return next((instant(i["valueDateTime"]) for i in found), None)


def refusal(task: Resource, asking: Asking) -> str | None:
    """Why the answer an event brings for a Task is not taken; None where it is, or where it brings none."""
    answer = _brought(task, asking.event)
    if answer is None:
        return None
    agency = asking.region.agency(identified(task["owner"], "agency") or "")
    if agency is None or asking.event.source != agency.client:
        return "agency-not-asked"
    if task["status"] in ENDED:
        return None if _same(task, answer) else "agency-visit-ended"
    return _time_refusal(task, answer, asking.region)


def _time_refusal(task: Resource, answer: Resource, region: HomeNursing) -> str | None:
    """An accepted or made visit has a time; an accepted one lies in the days asked for."""
    if (task["status"], answer["status"]) not in _STEPS:
        return "agency-answer-unexpected"
    if answer["status"] not in ("accepted", "completed"):
        return None
    time = _time(answer)
    if time is None or time[0] >= time[1]:
        return "agency-time-missing"
    inside = answer["status"] == "completed" or _within(time[0], _days_of(task), region)
    return None if inside else "agency-time-outside-days"


_STEPS = {
    ("requested", "accepted"),
    ("requested", "rejected"),
    ("requested", "requested"),
    ("accepted", "accepted"),
    ("accepted", "completed"),
    ("accepted", "rejected"),
    ("accepted", "cancelled"),
}
"""From which status an agency may go to which."""


# What becomes of a Task


def settled(task: Resource, asking: Asking) -> Resource:
    """A Task after what this event says of it."""
    event = asking.event
    answer = _brought(task, event)
    if task["status"] in ENDED:
        return task
    if answer is not None and refusal(task, asking) is None:
        return _answered(task, answer)
    if event.kind == "answer" and event.reason == "agency-refused" and event.focus == f"Task/{task['id']}":
        return _ended(task, "rejected", "refused")
    due = answer_by(task)
    silent = task["status"] == "requested" and due is not None and due <= event.at
    return _ended(task, "cancelled", "silent") if silent else task


def _answered(task: Resource, answer: Resource) -> Resource:
    """A Task with the agency's word: a time, or a reason by its code; nothing else of it is taken over."""
    match answer["status"]:
        case "accepted" | "completed":
            time = next(o["valuePeriod"] for o in answer["output"] if _is_time(o))
            period = {"start": time["start"], "end": time["end"]}
            output = [{"type": concept("agency-visit-output", "visit-time"), "valuePeriod": period}]
            return {**task, "status": answer["status"], "output": output}
        case "rejected" | "cancelled" if task["status"] == "accepted":
            return _ended(task, "cancelled", "called-off")
        case "rejected":
            said = code_of(answer.get("statusReason"), REASON)
            return _ended(task, "rejected", said if said in OWN_REASONS else "unstated")
    return task


def _kept(task: Resource, sought: Sought, asking: Asking, *, wanted: bool) -> Resource:
    """A Task as it is still wanted: for these days, or with a time that lies in them; else withdrawn."""
    if task["status"] not in ("requested", "accepted"):
        return task
    agreed = agreed_of(task)
    fits = _within(agreed.start, sought.days, asking.region) if agreed is not None else _days_of(task) == sought.days
    return task if wanted and fits else _ended(task, "cancelled", "withdrawn")


def _ended(task: Resource, status: str, code: str) -> Resource:
    rest = {k: v for k, v in task.items() if k != "output"}
    return {**rest, "status": status, "statusReason": concept(REASON, code)}


# Whom to ask


def _next(sought: Sought, tasks: Sequence[Resource], region: HomeNursing) -> Agency | None:
    """The first agency that goes to that state, can do it, and has not answered for these days."""
    asked = {
        identified(t["owner"], "agency")
        for t in tasks
        if _days_of(t) == sought.days and code_of(t.get("statusReason"), REASON) not in TAKEN_BACK
    }
    return next((a for a in able(region, sought.state, sought.competencies) if a.id not in asked), None)


def able(region: HomeNursing, state: str, competencies: frozenset[str]) -> Iterator[Agency]:
    """The agencies that go to a state and can do everything a visit needs, in the order in which they are asked."""
    return (a for a in region.agencies if state in a.states and competencies <= a.competencies)


def _asked(sought: Sought, agency: Agency, ordinal: int, asking: Asking) -> Resource:
    id_ = derived_id("nu", "agency-visit", sought.appointment, str(ordinal))
    at = asking.event.at
    return {
        "resourceType": "Task",
        "id": id_,
        "identifier": [identifier("agency-visit", id_)],
        "basedOn": [to(sought.order)],
        "partOf": [{"reference": sought.parent}],
        "status": "requested",
        "intent": "order",
        "code": concept("task-code", "agency-visit"),
        "focus": {"reference": f"Appointment/{sought.appointment}"},
        "for": sought.order["subject"],
        "authoredOn": at.isoformat(),
        "owner": {
            "type": "Organization",
            "identifier": identifier("agency", agency.id),
            "display": agency.name,
        },
        "restriction": {"period": {"start": sought.days[0].isoformat(), "end": sought.days[1].isoformat()}},
        "input": [*_inputs(sought, (at + asking.answers_within).isoformat())],
    }


def _inputs(sought: Sought, due: str) -> Iterator[Resource]:
    yield _input("minutes", "valuePositiveInt", sought.minutes)
    yield _input("answer-by", "valueDateTime", due)
    for kind in sought.kinds:
        yield _input("visit-kind", "valueCodeableConcept", concept("home-visit-kind", kind))
    for skill in sorted(sought.competencies):
        yield _input("competency", "valueCodeableConcept", concept("nurse-competency", skill))


def _input(code: str, kind: str, value: object) -> Resource:
    return {"type": concept(INPUT, code), kind: value}


# Reading


def _brought(task: Resource, event: Event) -> Resource | None:
    """The Task as a command of this event says it."""
    brought = (r for r in event.resources if event.kind == "command" and is_agency_visit(r))
    return next((r for r in brought if r["id"] == task["id"]), None)


def _same(task: Resource, answer: Resource) -> bool:
    """Whether a repeated answer says what the Task already says."""
    if code_of(task.get("statusReason"), REASON) == "called-off":
        return answer["status"] in ("rejected", "cancelled")
    return answer["status"] == task["status"] and _time(answer) == _time(task)


def _is_time(output: Mapping[str, object]) -> bool:
    return "valuePeriod" in output and code_of(output.get("type"), OUTPUT) == "visit-time"  # type: ignore[arg-type]


def _time(task: Resource) -> tuple[datetime, datetime] | None:
    """When the agency's nurse comes, or came; None where the answer has no readable time."""
    period: Mapping[str, str] = next((o["valuePeriod"] for o in task.get("output", ()) if _is_time(o)), {})
    begins, ends = period.get("start", ""), period.get("end", "")
    if "T" not in begins or "T" not in ends:
        return None
    first, last = moment(begins, UTC), moment(ends, UTC)
    return (first, last) if first is not None and last is not None else None


def _days_of(task: Resource) -> tuple[date, date]:
    period = task["restriction"]["period"]
    return date.fromisoformat(period["start"]), date.fromisoformat(period["end"])


def _within(at: datetime, days: tuple[date, date], region: HomeNursing) -> bool:
    return days[0] <= at.astimezone(region.time_zone).date() <= days[1]

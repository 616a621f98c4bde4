"""Keeps the talk of the prescriber with a physician of the payer as an Appointment, beside the Task that asks for it.

Law of this file: the Appointment follows from its Task alone. It holds no chair and no nurse, and the patient, whom
every Appointment names, does not attend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from typing import Any

from services.auth.case import Case
from services.auth.policy import AuthPolicy
from services.auth.questions import OPEN
from services.auth.words import (
    ANSWER,
    APPOINTMENT_ID,
    APPOINTMENT_KIND,
    PEER,
    PREFIX,
    code_of,
    concept,
    instant,
    question_code,
    target,
    unversioned,
)
from shared.core import Resource, derived_id, reference
from shared.visits.appointments import cancelled

TALK_AT = "talk-at"
"""When a talk is to be, or was: valueDateTime with its offset."""

PRESCRIBERS = ("Practitioner", "PractitionerRole")
STANDING = ("proposed", "booked")
SUBJECT = "Talk of the prescriber with a physician of the payer about a denial"


# What a person says


def agreed(given: Resource, stored: Resource, at: datetime, policy: AuthPolicy) -> Resource | str | None:
    """An open talk with the time a person agreed on, or why it cannot be then; None where no time alone was said."""
    said = list(given.get("output", ()))
    if question_code(stored) != PEER or given["status"] not in OPEN or not said or not all(map(_is_time, said)):
        return None
    if said == stored.get("output"):
        return stored
    start = _instant(said[0], policy) if len(said) == 1 else None
    if start is None:
        return "talk-time-unclear"
    if start < at:
        return "talk-time-past"
    if str(policy.local_date(start)) > _deadline(stored):
        return "talk-time-after-deadline"
    return {**stored, "output": said}


def held(answer: Resource, stored: Resource, at: datetime, policy: AuthPolicy) -> Resource | str:
    """What came of a talk, with when it was: as entered, else as agreed on; a talk that nobody timed is over by now."""
    if question_code(stored) != PEER:
        return answer
    said = [o for o in answer["output"] if _is_time(o)]
    if len(said) > 1 or any(_instant(o, policy) is None for o in said):
        return "talk-time-unclear"
    known = said or [o for o in stored.get("output", ()) if _is_time(o)]
    past = [o for o in known if (start := _instant(o, policy)) is not None and start <= at]
    return {**answer, "output": [*(o for o in answer["output"] if not _is_time(o)), *(past or [_over(at, policy)])]}


def _is_time(output: Mapping[str, Any]) -> bool:
    return code_of(output.get("type"), ANSWER) == TALK_AT


def _over(at: datetime, policy: AuthPolicy) -> dict[str, Any]:
    """The time of a talk that ends now."""
    start = (at - _length(at, policy)).astimezone(policy.zone)
    return {"type": concept(ANSWER, TALK_AT), "valueDateTime": start.isoformat(timespec="seconds")}


def _instant(output: Mapping[str, Any], policy: AuthPolicy) -> datetime | None:
    """The instant an output says, by the practice's clock; None where it says no time of day."""
    text = output.get("valueDateTime")
    if not isinstance(text, str) or "T" not in text or not MINYEAR < int(text[:4]) < MAXYEAR:
        return None
    return instant(text, policy.zone).astimezone(policy.zone)


def _deadline(task: Resource) -> str:
    """The last day of the appeal."""
    return str(task["restriction"]["period"]["end"])


# What follows


def talks(case: Case, tasks: Iterable[Resource]) -> Iterator[Resource]:
    """The Appointment of each talk that is asked about among these."""
    for task in tasks:
        if task["resourceType"] == "Task" and question_code(task) == PEER:
            yield from _appointment(case, task)


def _appointment(case: Case, task: Resource) -> Iterator[Resource]:
    """The Appointment as its Task has it; what was held before talks were Appointments has no time, and none."""
    appointment_id = derived_id(PREFIX, PEER, task["id"])
    stored = case.facts.at("Appointment/" + appointment_id)
    start = next((s for o in task.get("output", ()) if _is_time(o) and (s := _instant(o, case.policy))), None)
    if task["status"] == "cancelled":
        if stored is not None and stored["status"] in STANDING:
            yield cancelled(stored, "The order was revoked." if case.ended else task["statusReason"]["text"])
    elif task["status"] == "completed":
        if stored is not None and stored["status"] == "fulfilled":
            yield unversioned(stored)
        elif start is not None:
            yield _built(case, task, appointment_id, "fulfilled", start)
    else:
        yield _built(case, task, appointment_id, "booked" if start else "proposed", start)


def _built(case: Case, task: Resource, appointment_id: str, status: str, start: datetime | None) -> Resource:
    return {
        "resourceType": "Appointment",
        "id": appointment_id,
        "identifier": [{"system": APPOINTMENT_ID, "value": appointment_id}],
        "status": status,
        "serviceCategory": [concept(APPOINTMENT_KIND, PEER)],
        "description": SUBJECT,
        "supportingInformation": [{"reference": target(task["focus"])}],
        **(_timed(case, start) if start else {}),
        "basedOn": [{"reference": reference(case.order)}],
        "participant": list(_participants(case, task, "accepted" if start else "needs-action")),
        "requestedPeriod": [{"end": _deadline(task)}],
    }


def _timed(case: Case, start: datetime) -> dict[str, Any]:
    """From when to when, by the figure in force on that day; without one only when it begins is known."""
    length = _length(start, case.policy)
    minutes = int(length.total_seconds()) // 60
    figure = case.policy.clocks.talk(case.policy.local_date(start))
    return {
        "start": start.isoformat(timespec="seconds"),
        "end": (start + length).isoformat(timespec="seconds"),
        **({"minutesDuration": minutes} if minutes else {}),
        **({"comment": f"{minutes} minutes by {case.policy.stands_by(figure)}"} if figure else {}),
    }


def _length(at: datetime, policy: AuthPolicy) -> timedelta:
    figure = policy.clocks.talk(policy.local_date(at))
    return timedelta(minutes=int(figure.value) if figure else 0)


def _participants(case: Case, task: Resource, status: str) -> Iterator[dict[str, Any]]:
    """The prescriber, where he is known, and the payer that was asked; the patient is only what it is about."""
    yield {"actor": dict(case.order["subject"]), "required": "information-only", "status": "accepted"}
    requester = case.facts.at(target(case.order.get("requester")))
    if requester is not None and requester["resourceType"] in PRESCRIBERS:
        yield {"actor": {"reference": reference(requester)}, "required": "required", "status": status}
    denial = case.facts.at(target(task["focus"])) or {}
    claim = case.facts.at(target(denial.get("request"))) or {}
    payer = {k: v for k, v in claim.get("insurer", {}).items() if k in ("identifier", "display")}
    yield {"actor": payer, "required": "required", "status": status}

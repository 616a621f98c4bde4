"""Follows an order's enrolments in every programme for its drug, and takes what a person enters of them.

Law of this file: every Task follows from the whole state, whatever came last; a practice that has adopted no programme
has none of these Tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time

from services.auth.assistance.eligibility import FEDERAL_PAYER, MET, overall
from services.auth.assistance.entered import (
    DECLINED,
    NOT_WANTED,
    NUMBER,
    PERIOD,
    TAKEN,
    entered,
    faulty,
    kind_of,
    merged,
    overtaken,
)
from services.auth.assistance.household import applicant
from services.auth.assistance.programmes import Programme, offered
from services.auth.assistance.standing import CODE, ENDED, HOPEFUL, Enrolment, programme_id, span_of
from services.auth.assistance.told import AGAIN, SIGHT, STATUS, TASK_STATUS, task_of
from services.auth.case import Case
from services.auth.words import code_of, concept, day, task_code, unversioned
from shared.core import Resource, reference

WAKE = "assistance:"
"""Wake of an enrolment: `assistance:<Task id>`."""
CLOSED = ("rejected", "cancelled")


def enrolments(case: Case) -> list[Resource]:
    """Every Task `hub-enrolment` of an order as it now stands."""
    tasks = case.facts.tasks(case.order, CODE)
    if case.ended:
        return [_closed(t, "The order was revoked.") for t in tasks]
    found = [e for p in _offered(case) for e in _of_programme(case, p)] if case.may_ask or tasks else []
    eligible = [e for e in found if e.standing[0] in HOPEFUL and overall(e.verdicts) == MET]
    made = [task_of(e, [o for o in eligible if o.programme.id != e.programme.id]) for e in found]
    kept = {t["id"] for t in made}
    gone = (t for t in tasks if t["id"] not in kept)
    return [*made, *(_closed(t, "The programme is not for this order any more.") for t in gone)]


def _offered(case: Case) -> tuple[Programme, ...]:
    return offered(case.policy.figures, case.drug.key, case.on) if case.drug else ()


def _closed(task: Resource, why: str) -> Resource:
    """A Task that stands no more, also one of somebody enrolled; one that has ended already stays as it is."""
    if task["status"] in CLOSED or code_of(task["businessStatus"], STATUS) in ENDED:
        return task
    status = {"status": TASK_STATUS["cancelled"], "businessStatus": concept(STATUS, "cancelled")}
    return {**unversioned(task), **SIGHT, **status, "statusReason": {"text": why}}


def _of_programme(case: Case, programme: Programme) -> Iterator[Enrolment]:
    """The enrolments in one programme: each that was made, and the next one as soon as it is to be asked for."""
    tasks = tuple(t for t in case.facts.of("Task") if task_code(t) == CODE)
    known = applicant(case, tasks, _others(case, programme))
    number = 1
    while True:
        enrolment = Enrolment(case, programme, number, tasks, known)
        yield enrolment
        if enrolment.next_from is None or case.on < enrolment.next_from:
            return
        number += 1


def _others(case: Case, programme: Programme) -> Iterator[str]:
    """The kinds of the other programmes in which the patient is enrolled for this order."""
    known = {p.id: p for p in _offered(case) if p.id != programme.id}
    for task in case.facts.tasks(case.order, CODE):
        other = known.get(programme_id(task))
        span = span_of(task, other) if other else None
        if other is not None and span is not None and span[0] <= case.on <= span[1]:
            yield other.kind


# What a person enters


def told(given: Resource, stored: Resource, case: Case) -> tuple[Resource, ...] | str:
    """The Task with what a person entered and those of which it takes the place, or why it cannot be taken."""
    said = [o for o in given.get("output", ()) if kind_of(o) in TAKEN]
    if stored["status"] == "cancelled":
        return "question-closed"
    after = {**unversioned(stored), **SIGHT, "output": [*_ours(stored), *merged(stored, said, case.on)]}
    new = [o for o in entered(after) if o not in entered(stored)]
    if not new:
        return "answer-missing"
    if faulty(said, case.facts.known) or not _is_whole(after):
        return "answer-unknown"
    return _refused(case, stored, new) or (after, *_overtaken(case, after, new))


def _overtaken(case: Case, entered_on: Resource, new: Sequence[Mapping[str, object]]) -> Iterator[Resource]:
    """The patient's other Tasks that lose what was entered anew the same day."""
    for task in case.facts.of("Task"):
        kept = overtaken(task, new, case.on)
        if task_code(task) == CODE and task["id"] != entered_on["id"] and len(kept) < len(task.get("output", ())):
            yield {**unversioned(task), **SIGHT, "output": kept}


def _ours(task: Resource) -> list[Mapping[str, object]]:
    return [o for o in task.get("output", ()) if kind_of(o) not in TAKEN]


def _is_whole(task: Resource) -> bool:
    """An enrolment has number and period, and one that was declined or is not wanted has neither."""
    said = {kind_of(o) for o in entered(task)}
    ended = said & {DECLINED, NOT_WANTED}
    return (NUMBER in said) == (PERIOD in said) and len(ended) < 2


def _refused(case: Case, stored: Resource, new: Iterable[Mapping[str, object]]) -> str | None:
    """Why an enrolment cannot have been made: the gate is shut, or a payer bars it that is or may be federal."""
    if not {kind_of(o) for o in new} & {NUMBER, PERIOD}:
        return None
    mine = (e for p in _offered(case) for e in _of_programme(case, p) if e.task_id == stored["id"])
    enrolment = next(mine, None)
    if enrolment is None:
        return "question-closed"
    return FEDERAL_PAYER if enrolment.barred else enrolment.gate.shut


# When it is looked at again


def wakes(case: Case, saves: Iterable[Resource]) -> dict[str, datetime | None]:
    """For each enrolment whose next look moved, the first moment of that day by the practice's clock."""
    found: dict[str, datetime | None] = {}
    for task in saves:
        stored = case.facts.at(reference(task))
        if task_code(task) == CODE and (again := _again(task)) != _again(stored or {}):
            found[WAKE + task["id"]] = datetime.combine(again, time(), case.zone).astimezone(UTC) if again else None
    return found


def _again(task: Mapping[str, object]) -> date | None:
    outputs = task.get("output", ())
    on = (o.get("valueDate") for o in outputs if kind_of(o) == AGAIN) if isinstance(outputs, list) else ()
    return next((day(d) for d in on), None)

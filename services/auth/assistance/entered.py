"""Reads and keeps what a person enters on a Task `hub-enrolment`: household, papers, enrolment, the share of a dose.

Law of this file: only what is listed here is taken from a person; everything else on the Task is ours. What was entered
stays until the same is entered anew, each with the day it was entered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date
from decimal import Decimal
from typing import Any

from services.auth.assistance.programmes import DOCUMENTS
from services.auth.words import code_of, day, extension, number, part, target
from shared.core import CANONICAL, Resource

OUTPUT = CANONICAL + "CodeSystem/hub-enrolment-output"
ASSISTED = CANONICAL + "StructureDefinition/assisted-dose"
ENTERED_ON = CANONICAL + "StructureDefinition/entered-on"
INCOME, SIZE = "household-income", "household-size"
SHARE, OF_DOSE = "share-per-dose", "share-of-dose"
NUMBER, PERIOD = "enrolment-number", "enrolment-period"
DECLINED, NOT_WANTED = "declined", "not-wanted"

Output = Mapping[str, Any]


def kind_of(output: Output) -> str | None:
    """What an output of the Task tells."""
    return code_of(output.get("type"), OUTPUT)


# What may be entered


def _is_money(value: Any) -> bool:
    amount = number(value.get("value")) if isinstance(value, Mapping) else None
    return amount is not None and amount >= 0 and value.get("currency") == "USD"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_said(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_period(value: Any) -> bool:
    start, end = (day(value.get(edge)) for edge in ("start", "end"))
    return start is not None and MINYEAR < start.year < MAXYEAR and (end is None or start <= end)


def _is_reference(kind: str) -> Callable[[Any], bool]:
    return lambda value: (target(value) or "").startswith(f"{kind}/")


TAKEN: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    INCOME: ("valueMoney", _is_money),
    SIZE: ("valueInteger", _is_count),
    SHARE: ("valueMoney", _is_money),
    OF_DOSE: ("valueReference", _is_reference("Appointment")),
    NUMBER: ("valueString", _is_said),
    PERIOD: ("valuePeriod", _is_period),
    DECLINED: ("valueString", _is_said),
    NOT_WANTED: ("valueBoolean", lambda value: value is True),
    **{document: ("valueReference", _is_reference("DocumentReference")) for document in DOCUMENTS},
}
"""Output -> the element its value stands in, and whether that is one."""


OF_PATIENT = (INCOME, SIZE, SHARE, OF_DOSE, *DOCUMENTS)
"""What is entered on the Task of one programme and counts for all of them."""


def entered(task: Resource) -> list[Output]:
    """What persons entered on a Task, oldest first."""
    return [o for o in task.get("output", ()) if kind_of(o) in TAKEN]


def faulty(outputs: Iterable[Output], known: Mapping[str, Resource]) -> bool:
    """Whether one of these says what cannot be: of another type, no amount, or of something that is not on file."""
    return any(not _is_right(o, known) for o in outputs)


def _is_right(output: Output, known: Mapping[str, Resource]) -> bool:
    kind = kind_of(output) or ""
    element, holds = TAKEN[kind]
    value = output.get(element)
    if value is None or not holds(value):
        return False
    if element == "valueReference" and target(value) not in known:
        return False
    return kind != OF_DOSE or _is_money(part(output, ASSISTED, "share"))


def merged(stored: Resource, given: Iterable[Output], on: date) -> list[Output]:
    """What was entered before and now: the same kind (of the same visit) in place, what did not change as it was.

    An enrolment takes the place of a refusal: the programme, or the patient, thought better of it.
    """
    found = {_key(o): o for o in entered(stored)}
    for output in given:
        if kind_of(output) == NUMBER:
            found.pop((DECLINED, None), None)
        before = found.pop(_key(output), None)
        same = before is not None and _said(before) == _said(output)
        found[_key(output)] = before if same and before is not None else _stamped(output, on)
    return list(found.values())


def overtaken(task: Resource, new: Iterable[Output], on: date) -> list[Output]:
    """Outputs of another Task once `new` was entered: the same of the patient, entered earlier that day, is gone.

    An output tells its day and no hour: of two on one day nobody could say which came later.
    """
    keys = {_key(o) for o in new if kind_of(o) in OF_PATIENT}
    return [o for o in task.get("output", ()) if _key(o) not in keys or _entered_on(o) != on]


def _entered_on(output: Output) -> date | None:
    return day((extension(output, ENTERED_ON) or {}).get("valueDate"))


def _key(output: Output) -> tuple[str | None, str | None]:
    kind = kind_of(output)
    if kind == NOT_WANTED:
        return DECLINED, None
    return kind, target(output.get("valueReference")) if kind == OF_DOSE else None


def _said(output: Output) -> tuple[Any, ...]:
    """Only what may be entered: whatever else stands on it is dropped."""
    kind = kind_of(output) or ""
    return kind, output.get(TAKEN[kind][0]), part(output, ASSISTED, "share") if kind == OF_DOSE else None


def _stamped(output: Output, on: date) -> Output:
    kind, value, share = _said(output)
    parts: list[dict[str, Any]] = [{"url": ENTERED_ON, "valueDate": on.isoformat()}]
    if share is not None:
        parts.append({"url": ASSISTED, "extension": [{"url": "share", "valueMoney": share}]})
    typed = {"coding": [{"system": OUTPUT, "code": kind}]}
    return {"extension": parts, "type": typed, TAKEN[str(kind)][0]: value}


# What was entered


@dataclass(frozen=True, slots=True)
class Said:
    """One thing a person entered: its value, the day it was entered, and the Task it stands on."""

    value: Any
    on: date
    task: str


def latest(tasks: Iterable[Resource], kind: str) -> Said | None:
    """What was entered last of this kind on any of these Tasks."""
    found = [said for task in tasks for said in _of_kind(task, kind)]
    return max(found, key=lambda s: (s.on, s.task), default=None)


def _of_kind(task: Resource, kind: str) -> Iterator[Said]:
    for output in entered(task):
        on = _entered_on(output)
        if kind_of(output) == kind and on is not None:
            yield Said(output[TAKEN[kind][0]], on, f"Task/{task['id']}")


def amount_of(money: Mapping[str, Any] | None) -> Decimal | None:
    """The amount of a Money in US dollars."""
    return number((money or {}).get("value"))


def shares_by_visit(tasks: Iterable[Resource]) -> dict[str, Decimal]:
    """`Appointment/id` -> the patient's share of that dose, as entered last on any of these Tasks."""
    of_doses = [o for task in tasks for o in entered(task) if kind_of(o) == OF_DOSE]
    found: dict[str, Decimal] = {}
    for output in sorted(of_doses, key=lambda o: _entered_on(o) or date.min):
        if (share := amount_of(part(output, ASSISTED, "share"))) is not None:
            found[target(output["valueReference"]) or ""] = share
    return found

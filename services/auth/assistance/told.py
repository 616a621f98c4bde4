"""Writes the Task `hub-enrolment`: verdicts, what is missing, what else the patient may have, consent, balance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from services.auth.assistance.balance import Balance, Row
from services.auth.assistance.eligibility import Verdict
from services.auth.assistance.entered import ASSISTED, INCOME, OUTPUT, SIZE, entered
from services.auth.assistance.household import changes_of_coverage, comes_of_age, known_of, lapses
from services.auth.assistance.programmes import CALENDAR_YEAR
from services.auth.assistance.standing import CODE, ENDED, EVERY, PROGRAMME_ID, Enrolment
from services.auth.assistance.visits import balance_of
from services.auth.words import COORDINATOR, EVIDENCE, ROLE_ID, TASK_CODE, concept, days_after
from shared.core import CANONICAL, IDENTIFIERS, PRACTICE_ONLY_LABEL, Resource, reference

STATUS = CANONICAL + "CodeSystem/hub-enrolment-status"
INPUT = CANONICAL + "CodeSystem/hub-enrolment-input"
KIND = CANONICAL + "CodeSystem/assistance-kind"
CRITERION = CANONICAL + "CodeSystem/assistance-criterion"
ENROLMENT_ID = IDENTIFIERS + "enrolment"
AGAIN = "looked-at-again"

TASK_STATUS: Mapping[str, str] = {
    "needs-information": "on-hold",
    "consent-needed": "on-hold",
    "to-enrol": "requested",
    "enrolled": "completed",
    "stopped": "on-hold",
    "expired": "completed",
    "not-eligible": "rejected",
    "declined": "rejected",
    "not-wanted": "rejected",
    "cancelled": "cancelled",
}
"""Task.status by hub-enrolment-status."""
REASONED = ("on-hold", "rejected")

TEXT = (
    "Enrol the patient where this Task is requested, then answer `enrolment-number` and `enrolment-period`, or "
    "`declined` with the reason, or `not-wanted`. Household, papers and the patient's share of a dose may be entered "
    "at any time."
)

SIGHT = {"meta": {"security": [PRACTICE_ONLY_LABEL]}}
"""What a household earns is not for whoever referred the patient."""

Output = dict[str, Any]


def task_of(enrolment: Enrolment, others: Sequence[Enrolment]) -> Resource:
    """The Task whole; one that stands for good stays as it was told then."""
    stored, (stage, why) = enrolment.stored, enrolment.standing
    if stage in ENDED and stored.get("businessStatus") == concept(STATUS, stage):
        return stored
    status, case = TASK_STATUS[stage], enrolment.case
    return {
        "resourceType": "Task",
        "id": enrolment.task_id,
        **SIGHT,
        "identifier": [{"system": ENROLMENT_ID, "value": enrolment.identifier}],
        "basedOn": [{"reference": reference(case.order)}],
        "status": status,
        **({"statusReason": {"text": why}} if status in REASONED else {}),
        "businessStatus": concept(STATUS, stage),
        "intent": "order",
        "code": concept(TASK_CODE, CODE),
        "focus": {"reference": reference(case.order)},
        "for": dict(case.order["subject"]),
        "authoredOn": stored.get("authoredOn", case.at.isoformat()),
        "owner": {"identifier": {"system": ROLE_ID, "value": COORDINATOR}},
        "note": [{"text": f"Programme {case.policy.stands_by(enrolment.programme.figure)}"}],
        "input": list(_inputs(enrolment)),
        "output": [*_outputs(enrolment, others), *entered(stored)],
    }


def _inputs(enrolment: Enrolment) -> Iterator[dict[str, Any]]:
    programme = enrolment.programme
    named = {"system": PROGRAMME_ID, "value": programme.id, "assigner": {"display": programme.name}}
    yield {"type": concept(INPUT, "programme"), "valueIdentifier": named}
    yield {"type": concept(INPUT, "kind"), "valueCodeableConcept": concept(KIND, programme.kind)}
    yield {"type": concept(INPUT, "what-to-do"), "valueString": TEXT}


def _outputs(enrolment: Enrolment, others: Iterable[Enrolment]) -> Iterator[Output]:
    verdicts = enrolment.verdicts
    yield from (_criterion(v) for v in verdicts)
    for missing in dict.fromkeys(m for v in verdicts for m in v.missing):
        yield _output("missing", valueString=missing)
    if enrolment.gate.shut:
        yield _output("missing", valueString=enrolment.gate.shut)
    elif enrolment.gate.consent is not None:
        yield _output("consent", valueReference={"reference": reference(enrolment.gate.consent)})
    for other in others:
        named = {"reference": f"Task/{other.task_id}", "display": f"{other.programme.name} ({other.programme.kind})"}
        yield _output("also-eligible", valueReference=named)
    if (balance := balance_of(enrolment)) is not None:
        yield from _balance(balance)
    if (again := looked_at_again(enrolment)) is not None:
        yield _output(AGAIN, valueDate=again.isoformat())


def _output(code: str, **value: Any) -> Output:
    return {"type": concept(OUTPUT, code), **value}


def _criterion(verdict: Verdict) -> Output:
    shown = {"url": EVIDENCE, "valueReference": {"reference": verdict.evidence}}
    told = concept(CRITERION, verdict.criterion, f"{verdict.verdict}: {verdict.why}")
    return {**({"extension": [shown]} if verdict.evidence else {}), **_output("criterion", valueCodeableConcept=told)}


# The balance


def _balance(balance: Balance) -> Iterator[Output]:
    if balance.span is not None:
        start, end = (d.isoformat() for d in balance.span)
        period = {"start": start, **({"end": end} if balance.span[1] != EVERY else {})}
        yield _output("balance-period", valuePeriod=period)
    if balance.maximum is not None:
        yield _output("maximum", valueMoney=_money(balance.maximum))
    yield _output("used", valueMoney=_money(balance.used))
    if balance.left is not None:
        yield _output("left", valueMoney=_money(balance.left))
    yield from (_row(r) for r in balance.rows)


def _row(row: Row) -> Output:
    """What one visit takes: given or expected, the patient's share, what is paid of it, and what is left after it."""
    parts: list[dict[str, Any]] = [{"url": "state", "valueString": "given" if row.dose.given else "expected"}]
    sums = (("share", row.dose.share), ("paid", row.paid), ("left", row.left))
    parts += [{"url": name, "valueMoney": _money(amount)} for name, amount in sums if amount is not None]
    parts += [{"url": "why", "valueString": row.why}] if row.why else []
    told = {"reference": row.dose.visit}
    return {"extension": [{"url": ASSISTED, "extension": parts}], **_output("visit", valueReference=told)}


def _money(amount: Decimal) -> dict[str, Any]:
    return {"value": amount, "currency": "USD"}


# When it is looked at again


def looked_at_again(enrolment: Enrolment) -> date | None:
    """The next day on which it may stand otherwise although nothing happens; None for one that stands for good."""
    if enrolment.standing[0] in ENDED:
        return None
    case, programme, span = enrolment.case, enrolment.programme, enrolment.span
    days = [*_of_household(enrolment), *changes_of_coverage(case), enrolment.gate.changes]
    if programme.age_from is not None:
        days.append(comes_of_age(case, programme.age_from))
    if span is not None:
        days += [span[0], days_after(span[1], 1), enrolment.next_from]
        if programme.limits is not None and programme.limits.per == CALENDAR_YEAR:
            days.append(date(case.on.year + 1, 1, 1))
    return min((d for d in days if d is not None and case.on < d < EVERY), default=None)


def _of_household(enrolment: Enrolment) -> Iterator[date]:
    if enrolment.programme.income_percent is not None:
        for kind in (INCOME, SIZE):
            if (said := known_of(enrolment.case, enrolment.tasks, kind)) is not None:
                yield lapses(enrolment.case, said)

"""Walks a denial up the ladder of appeals: whether it is appealed, what is filed, what came of it, and the next level.

Law of this file: a person decides whether to appeal and says what came of it; deadlines follow from the denial letter
where a person has entered what it says, else from the date of the denial and the figures in force then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from services.auth.case import Case
from services.auth.decision.clocks import urgency_asked
from services.auth.decision.deadlines import decided_by, last_day
from services.auth.decision.entered import LETTER_DATE
from services.auth.decision.peer import agreed, held
from services.auth.policy import AuthPolicy
from services.auth.questions import OPEN, Question, answer_first, asked
from services.auth.wire.responses import DENIED, FINAL, reviews, standing
from services.auth.words import (
    ANSWER,
    COORDINATOR,
    PEER,
    PREFIX,
    QUESTION,
    ROLE_ID,
    TASK_CODE,
    answer_of,
    code_of,
    concept,
    day,
    is_entered,
    local_day,
    target,
    task_code,
)
from shared.catalogue import billed
from shared.core import Resource, derived_id, reference
from shared.policy import Figure

APPEAL, UPHELD, OVERTURNED = "appeal", "upheld", "overturned"
LETTER_DEADLINE = "letter-deadline"
ANSWERS = (APPEAL, PEER, LETTER_DEADLINE)
"""What a person says on an open decision to appeal, beside the date of the letter."""
OUTCOME = "appeal-outcome"

PEER_TEXT = (
    "A physician of the payer is to be spoken with: agree on a time and enter it (`talk-at`), then answer `overturned` "
    "with number, period and units as granted, or `upheld`."
)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the ladder a denial has reached: its number, its figure, and the date its days run from."""

    number: int
    figure: Figure | None
    notice: date

    @property
    def value(self) -> Mapping[str, Any]:
        return self.figure.value if self.figure else {}

    @property
    def words(self) -> str:
        """`level 2, external review`."""
        return f"level {self.number}, {self.value['name']}" if self.value else f"level {self.number}"


@dataclass(slots=True)
class Climb:
    """What was asked on the way up, and the Task by which the denial was overturned.

    filed  (level, appeal Task) of each appeal that a person decided to file.
    """

    denial: Resource | None = None
    tasks: list[Resource] = field(default_factory=list)
    filed: list[tuple[Level, Resource]] = field(default_factory=list)
    overturned: Resource | None = None
    at: Level | None = None


def denial_of(case: Case, claim: Resource, said: Resource | None = None) -> Resource | None:
    """The payer's final answer, where it denied something; `said` is one that is not stored yet."""
    answers = [*case.answers_to(claim), *([said] if said is not None and not is_entered(said) else [])]
    final = next((a for a in answers if standing(claim, a) in FINAL), None)
    return final if final is not None and any(r.action == DENIED for r in reviews(final)) else None


def climbed(case: Case, said: Resource | None = None) -> Climb:
    """How far the denial of the Claim that stands has come; empty where nothing was denied."""
    climb, claim = Climb(), case.claim
    denial = denial_of(case, claim, said) if claim is not None and case.payer is not None else None
    if claim is None or denial is None:
        return climb
    climb.denial = denial
    level: Level | None = _level(case, 1, _notice(case, denial))
    while level is not None:
        climb.at = level
        level = _next(case, claim, denial, level, climb)
    return climb


def _level(case: Case, number: int, notice: date) -> Level | None:
    """A level there is; the first is always one, so that every denial is decided about."""
    figure = case.policy.clocks.appeal_level(case.payer, number, notice) if case.payer else None
    return Level(number, figure, notice) if figure is not None or number == 1 else None


def _next(case: Case, claim: Resource, denial: Resource, level: Level, climb: Climb) -> Level | None:
    """The level after this one, where it was upheld; what was asked and said here goes to `climb`."""
    task = None
    if not level.value.get("automatic"):
        task = _decided(case, denial, level, climb)
        if task is None or answer_of(task) != APPEAL:
            return None
        climb.filed.append((level, task))
    outcome = asked(case, _outcome(case, claim, denial, level, task))
    climb.tasks.append(outcome)
    if answer_of(outcome) == OVERTURNED:
        climb.overturned = outcome
    upheld = answer_of(outcome) == UPHELD
    return _level(case, level.number + 1, said_on(outcome, LETTER_DATE) or case.on) if upheld else None


def _decided(case: Case, denial: Resource, level: Level, climb: Climb) -> Resource | None:
    """The decision whether to appeal, asked again after a talk that changed nothing; None where the talk ended it."""
    task = appeal(case, denial, level)
    climb.tasks.append(task)
    if answer_of(task) != PEER:
        return task
    talk = asked(case, Question(PEER, reference(denial), PEER_TEXT, f"{reference(denial)}|{level.number}", _end(task)))
    climb.tasks.append(talk)
    if answer_of(talk) == OVERTURNED:
        climb.overturned = talk
    if answer_of(talk) != UPHELD:
        return None
    again = appeal(case, denial, level, PEER)
    climb.tasks.append(again)
    return again


def ended(case: Case) -> Iterator[Resource]:
    """Open decisions about appeals of an order that has ended, closed."""
    for task in case.facts.tasks(case.order, "appeal"):
        if task["status"] in OPEN:
            yield {**task, "status": "cancelled", "statusReason": {"text": "The order was revoked."}}


# The decision whether to appeal


def appeal(case: Case, denial: Resource, level: Level, after: str = "") -> dict[str, Any]:
    """The decision whether to appeal at a level, due by what the letter says, else by the figures."""
    task_id = _appeal_id(case, denial, level, after)
    stored = case.facts.at("Task/" + task_id)
    made: dict[str, Any] = dict(stored) if stored is not None else {
        "resourceType": "Task",
        "id": task_id,
        "basedOn": [{"reference": reference(case.order)}],
        "status": "requested",
        "intent": "order",
        "code": concept(TASK_CODE, "appeal"),
        "focus": {"reference": reference(denial)},
        "for": dict(case.order["subject"]),
        "authoredOn": case.at.isoformat(),
        "owner": {"identifier": {"system": ROLE_ID, "value": COORDINATOR}},
        "input": [{"type": concept(QUESTION, "appeal"), "valueString": _text(level)}],
    }  # fmt: skip
    return made if made["status"] not in OPEN else made | _deadline(made, level)


def _text(level: Level) -> str:
    if level.number == 1:
        days = level.value.get("continue_within_days")
        goes_on = f" What was approved before goes on where it is filed within {days} days." if days else ""
        return f"The payer denied the request: appeal?{goes_on}"
    return f"The denial was upheld: appeal to {level.words}?"


def _appeal_id(case: Case, denial: Resource, level: Level, after: str) -> str:
    """Of order, period and level; the denial of a later attempt at the same level is one more."""
    attempt = 1
    while True:
        parts = [str(level.number), *([str(attempt)] if attempt > 1 else []), *([after] if after else [])]
        task_id = derived_id(PREFIX, "appeal", case.order["id"], str(case.period), "|".join(parts))
        stored = case.facts.at("Task/" + task_id)
        if stored is None or target(stored["focus"]) == reference(denial):
            return task_id
        attempt += 1


def _deadline(task: Resource, level: Level) -> dict[str, Any]:
    """The letter's own deadline, else counted from its date, else from ours; at once where no figure is in force."""
    notice = said_on(task, LETTER_DATE) or level.notice
    last = said_on(task, LETTER_DEADLINE) or last_day(level.value, notice) or notice
    return {"restriction": {"period": {"end": last.isoformat()}}}


def _notice(case: Case, denial: Resource) -> date:
    """The date of the denial. Where the payer's clock and ours stand on two dates, the earlier one counts."""
    created = str(denial.get("created", ""))
    return min((d for d in (day(created), local_day(created, case.zone)) if d), default=case.on)


def _end(task: Resource) -> str:
    return str(task["restriction"]["period"]["end"])


# What a person says


def said_on(task: Resource, code: str) -> date | None:
    """The date a person entered under this code."""
    found = (o.get("valueDate") for o in task.get("output", ()) if code_of(o.get("type"), ANSWER) == code)
    return next((day(d) for d in found if d), None)


def noted(given: Resource, stored: Resource, at: datetime, policy: AuthPolicy) -> Resource | str | None:
    """An open question with what a person says of it before the answer, or why that cannot be; None where no such."""
    return _dated(given, stored) if task_code(stored) == "appeal" else agreed(given, stored, at, policy)


def _dated(given: Resource, stored: Resource) -> Resource | None:
    """An open decision with what the denial letter says of its date and deadline; None where nothing else was said."""
    outputs = given.get("output", ())
    said = {code_of(o.get("type"), ANSWER) for o in outputs}
    whole = all(day(o.get("valueDate")) for o in outputs)
    if given["status"] not in OPEN or not said or not said <= {LETTER_DATE, LETTER_DEADLINE} or not whole:
        return None
    return {**stored, "output": list(outputs)}


def told(given: Resource, stored: Resource, at: datetime, policy: AuthPolicy) -> Resource | str:
    """A question as a person answered it, or why it cannot be; a letter is of today where no date was entered."""
    said: Resource = {**stored, "status": "completed", "output": answer_first(given["output"])}
    answer = held(said, stored, at, policy)
    if isinstance(answer, str) or answer_of(answer) != UPHELD or said_on(answer, LETTER_DATE):
        return answer
    on = {"type": concept(ANSWER, LETTER_DATE), "valueDate": policy.local_date(at).isoformat()}
    return {**answer, "output": [*answer["output"], on]}


def letter_id(task_id: str) -> str:
    """The id of the letter that one decision to appeal files."""
    return derived_id(PREFIX, "DocumentReference", task_id, "appeal")


def _outcome(case: Case, claim: Resource, denial: Resource, level: Level, task: Resource | None) -> Question:
    """The question what came of an appeal, due when the reviewer must have decided; it rests on the letter."""
    item = "drug" if any(billed(i["productOrService"]) == case.hcpcs for i in claim["item"]) else "service"
    due = decided_by(level.value, item, urgency_asked(claim), _filed(case, level), case.zone)
    sent = "The payer sends it on by itself" if task is None else "Send the letter of the appeal"
    by = f", to be decided by {due}" if due else ""
    more = f", or {days} days later where the reviewer says so" if (days := level.value.get("extension_days")) else ""
    text = (
        f"{sent} ({level.words}{by}{more}); when it is decided, answer `overturned` with number, period and units as "
        "granted, or `upheld` with the date of the letter."
    )
    rests = "" if task is None else f"DocumentReference/{letter_id(task['id'])}"
    return Question(OUTCOME, reference(denial), text, f"{reference(denial)}|{level.number}", due, rests)


def _filed(case: Case, level: Level) -> datetime:
    """When the days to decide begin: now where a person files, with the upheld notice where the payer sends it on."""
    return datetime.combine(level.notice, time(), case.zone) if level.value.get("automatic") else case.at

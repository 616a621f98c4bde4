"""Makes of what a person was told the answer it stands for: number, period and units in the place of a denial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.auth.case import Case
from services.auth.decision.appeals import OVERTURNED, climbed, denial_of
from services.auth.decision.experience import OVERTURNED_BY
from services.auth.wire.receiving import received
from services.auth.wire.responses import DENIED, PENDED, reviews
from services.auth.wire.reviewed import approved
from services.auth.words import ANSWER, ENTERED, OUTPUT, answer_of, code_of, day, number
from shared.catalogue import billed
from shared.core import Resource, reference


def overturning(case: Case, claim: Resource) -> Resource | None:
    """The answer that stands instead of a denial, once a person entered that it was overturned."""
    denial, climb = denial_of(case, claim), climbed(case)
    if denial is None or climb.overturned is None or climb.at is None:
        return None
    words = f"{OVERTURNED_BY}{climb.at.words}"
    return granted(case, claim, denial, climb.overturned, words)


def granted(case: Case, claim: Resource, denial: Resource, task: Resource, words: str) -> Resource:
    """An answer whose denied and pended items are approved as a person entered it; the rest as the payer said it."""
    answered = {i["itemSequence"]: i for i in denial["item"]}
    refused = {r.sequence for r in reviews(denial) if r.action in (DENIED, PENDED)}
    items = [_item(i, task) if i["sequence"] in refused else answered[i["sequence"]] for i in claim["item"]]
    said = {k: v for k, v in denial.items() if k in ("resourceType", "status", "type", "use", "outcome", "addItem")}
    named = [{"system": ENTERED, "value": task["id"]}]
    response = {**said, "identifier": named, "created": case.at.isoformat(), "disposition": words, "item": items}
    made = received(claim, response, "")
    stored = case.facts.at(reference(made))
    return made if stored is None else stored


def _item(item: Mapping[str, Any], task: Resource) -> dict[str, Any]:
    """One item approved: the units entered for its code, else those asked for."""
    entered = {q.get("code"): q for q in _all(task, "units")}
    quantity = entered.get(billed(item["productOrService"])) or item["quantity"]
    return approved(item, _said(task, "number"), _said(task, "period"), number(quantity["value"]) or 0)


VERBAL, SPOKEN_WITH, SPOKEN_AT = "verbally-approved", "spoken-with", "spoken-at"


def spoken_with(task: Resource) -> str:
    """Who of the payer said it."""
    return _entered(task, SPOKEN_WITH, "valueString")


def spoken_at(task: Resource) -> str:
    """When it was said."""
    return _entered(task, SPOKEN_AT, "valueDateTime")


def _entered(task: Resource, code: str, element: str) -> str:
    found = (o.get(element) for o in task.get("output", ()) if code_of(o.get("type"), ANSWER) == code)
    return next((str(v) for v in found if v), "")


def lacks_terms(task: Resource) -> bool:
    """Whether a person said that something is granted without number or period, or without who said it and when."""
    if answer_of(task) not in (OVERTURNED, VERBAL):
        return False
    if answer_of(task) == VERBAL and not (spoken_with(task) and day(spoken_at(task))):
        return True
    period = _said(task, "period") or {}
    units = [number(q.get("value")) for q in _all(task, "units")]
    whole = day(period.get("start")) and day(period.get("end")) and all(u is not None and u >= 0 for u in units)
    return not (_said(task, "number") and whole)


def _all(task: Resource, code: str) -> list[Any]:
    found = [o for o in task.get("output", ()) if code_of(o.get("type"), OUTPUT) == code]
    return [v for o in found for k, v in o.items() if k.startswith("value")]


def _said(task: Resource, code: str) -> Any:
    return next(iter(_all(task, code)), None)

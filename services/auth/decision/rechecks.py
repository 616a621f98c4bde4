"""Says what of an order no longer is what the payer was asked for: drug, dose, diagnosis, site, prescriber, weight.

Law of this file: each change is asked about once; what a person keeps is what the next change is measured from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from services.auth.case import Case
from services.auth.criteria.findings import latest_value
from services.auth.criteria.regimen import KILOGRAMS, WEIGHT
from services.auth.home import units_asked
from services.auth.questions import Question
from services.auth.renewal.calendar import dose_days
from services.auth.words import REGIMEN, answer_of, extension, npi_of, question_code, target
from shared.catalogue import billed
from shared.core import Resource, reference

CODE, KEEP = "order-changed", "keep"
HOW = (
    "answer `resubmit`, or `keep` if it still holds; or `update` where the payer has this request, has not denied it, "
    "and something of it is still asked for."
)


Weight = tuple[Decimal, Resource]
"""Kilograms, and the Observation that says them."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changed in words, what keeps it apart from other changes, and `Type/id` of what shows it."""

    text: str
    key: str
    shown_by: str = ""


def recheck(case: Case, claim: Resource) -> Question | None:
    """The question about the first change nobody has said to keep."""
    for change in changes(case, claim):
        key = f"{reference(claim)}|{change.key}"
        question = Question(CODE, reference(claim), f"{change.text}: {HOW}", key, reason=change.shown_by)
        stored = case.facts.at("Task/" + question.id_for(case.order))
        if stored is None or answer_of(stored) != KEEP:
            return question
    return None


def changes(case: Case, claim: Resource) -> Iterator[Change]:
    """Everything that differs from what this Claim asked for."""
    if (extension(claim, REGIMEN) or {}).get("valueString") != case.fingerprint:
        yield Change("Drug, dose or diagnosis changed since the payer was asked", case.fingerprint)
    prescriber = target(case.order.get("requester"))
    told, orders = _npi(case, _prescriber(claim)), _npi(case, prescriber)
    if told and orders and prescriber and told != orders:
        yield Change("Another prescriber orders it than the payer was told", f"prescriber|{orders}", prescriber)
    if (weighed := _weighed_anew(case, claim)) is not None:
        yield weighed


def doses_moved_in(case: Case, claim: Resource) -> Question | None:
    """The question about doses that visits have moved into a later period since its units were asked for.

    What was granted goes on meanwhile. Doses by weight may take more by as much as a weight may move unasked.
    """
    item = _item(case, claim)
    if item is None or isinstance(case.regimen, str):
        return None
    days, serviced = dose_days(case), item["servicedPeriod"]
    inside = tuple(n for n in case.doses if n <= len(days) and serviced["start"] <= str(days[n - 1]) <= serviced["end"])
    units = (units_asked(replace(case, doses=inside)) or {}).get(case.hcpcs or "") if inside else None
    margin = 0 if case.regimen.weight is None else case.policy.weight_change_percent(case.on) or 0
    if units is None or units * 100 <= Decimal(item["quantity"]["value"]) * (100 + margin):
        return None
    numbers = ", ".join(map(str, inside))
    text = f"More doses fall into this period than its units were asked for: {numbers}: {HOW}"
    return Question(CODE, reference(claim), text, f"{reference(claim)}|doses|{numbers}")


def _prescriber(claim: Resource) -> str | None:
    team: Iterable[Any] = claim.get("careTeam", ())
    return next((target(member["provider"]) for member in team), None)


def _npi(case: Case, literal: str | None) -> str | None:
    """The NPI of who stands behind a reference: a new record of the same person is no other prescriber."""
    return npi_of(case.facts.person(literal) or {})


def _weighed_anew(case: Case, claim: Resource) -> Change | None:
    """A dose by weight whose patient weighs so much more or less than the request was counted with."""
    percent = case.policy.weight_change_percent(case.on)
    if percent is None or isinstance(case.regimen, str) or case.regimen.weight is None:
        return None
    now = latest_value(case.chart, WEIGHT, KILOGRAMS)
    before = _weight(case, _kept(case, claim)) or _weight(case, _cited(claim))
    if now is None or before is None or _moved(case, claim, before, now) * 100 < percent:
        return None
    text = f"The patient's weight, by which the dose is counted, moved by {percent} % or more since the payer was asked"
    return Change(text, f"weight|{reference(before[1])}", reference(now[1]))


def _moved(case: Case, claim: Resource, before: Weight, now: Weight) -> Decimal:
    """By what part the weight moved; of one that was corrected itself, by what part the drug's units did."""
    if before[1]["id"] != now[1]["id"]:
        return abs(now[0] - before[0]) / before[0] if before[0] else Decimal(1)
    item, units = _item(case, claim), (units_asked(case) or {}).get(case.hcpcs or "")
    asked = item and item["quantity"]["value"]
    kept = reference(now[1]) in _kept(case, claim)
    return Decimal(0) if kept or units is None or not asked else abs(units / Decimal(asked) - 1)


def _item(case: Case, claim: Resource) -> Mapping[str, Any] | None:
    """The item of the drug itself."""
    return next((i for i in claim["item"] if billed(i["productOrService"]) == case.hcpcs), None)


def _kept(case: Case, claim: Resource) -> list[str]:
    """What showed the changes that a person said to keep, the latest first."""
    about = (q for q in case.questions if question_code(q) == CODE and target(q["focus"]) == reference(claim))
    shown = [target(q.get("reasonReference")) for q in about if answer_of(q) == KEEP]
    return [literal for literal in reversed(shown) if literal]


def _cited(claim: Resource) -> list[str]:
    cited = [literal for i in claim.get("supportingInfo", ()) if (literal := target(i.get("valueReference")))]
    return cited[::-1]


def _weight(case: Case, literals: Iterable[str]) -> Weight | None:
    """The first of these that is a body weight."""
    chart = case.chart
    for literal in literals:
        found = case.facts.at(literal)
        if found is not None and found["resourceType"] == "Observation":
            weight = latest_value(replace(chart, resources=(found,)), WEIGHT, KILOGRAMS)
            if weight is not None:
                return weight
    return None

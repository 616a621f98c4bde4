"""Tells on the Task what was found of the benefit: by whom, when, and plainly where something was not told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from services.auth.benefit.benefits import (
    PHARMACY,
    Amount,
    Benefit,
    Cost,
    benefits_in,
    costs_of_plan,
    deciding,
    in_force,
)
from services.auth.case import Case
from services.auth.words import (
    BENEFIT_FINDING,
    CHANNEL,
    COST_SHARE,
    EVIDENCE,
    OUTPUT,
    SITE_OF_CARE,
    concept,
    days_after,
    local_day,
    starts_on,
)
from shared.core import Resource, reference
from shared.policy import Figure

TOLD = "benefit-told"
FIRST, COMPARED = "pays-first", "benefit-compared"
FINDINGS = (
    "covered", "paid-under", "authorization-needed", "network", "acquisition", "place-of-care", "cost-share",
    "benefit-compared", "pays-first", "verified-until",
)  # fmt: skip
NOT_TOLD = "not-told"
NETWORKS = {"in": "in-network", "out": "out-of-network"}
AUTHORIZATION = {True: "authorization-required", False: "authorization-not-required"}

Output = dict[str, Any]


def verified(case: Case) -> list[Output]:
    """One output a finding, after the one that says from whom, when and by which answer all of them are known."""
    if case.ended:
        return []
    return [*_asked_of(case), *_answered(case), *_until(case)]


def _until(case: Case) -> list[Output]:
    """The last day the standing answer speaks for: of its year, or of the Coverage where that ends before."""
    answer = case.benefit
    on = local_day(answer["created"], case.zone) if answer is not None and in_force(answer) else None
    if on is None:
        return []
    ends = local_day(((case.coverage or {}).get("period") or {}).get("end"), case.zone)
    days = [d for d in (ends, date(on.year, 12, 31)) if d is not None and d >= on]
    return [{"type": concept(OUTPUT, "verified-until"), "valueDate": min(days).isoformat()}]


def _asked_of(case: Case) -> list[Output]:
    """Of several Coverages the one the request goes to, and why."""
    if case.coverage is None or not case.precedence.why:
        return []
    first = {"reference": reference(case.coverage), "display": f"First of {len(case.precedence.plans)}: "}
    first["display"] += case.precedence.why
    return [{"type": concept(OUTPUT, FIRST), "valueReference": first}]


def _answered(case: Case) -> list[Output]:
    if case.benefit is None:
        return []
    if not in_force(case.benefit):
        return [_told(case, case.benefit, "The coverage is not in force."), _finding("covered", "not-in-force")]
    found = benefits_in(case.benefit, case.hcpcs)
    benefit = deciding(found)
    outputs = [*_of_benefit(benefit), _channel(case, benefit), _places(case, benefit), *_costs(benefit, case.benefit)]
    return [_told(case, case.benefit, _in_words(outputs)), *outputs, *_compared(case, found, case.benefit)]


def _compared(case: Case, found: Iterable[Benefit], response: Resource) -> list[Output]:
    """The terms of each benefit beside each other, where more than one could pay."""
    paying = [b for b in found if not b.excluded]
    return [_finding(COMPARED, b.side, in_full(case, b, response)) for b in paying] if len(paying) > 1 else []


def in_full(case: Case, benefit: Benefit, response: Resource) -> str:
    """All that is known of one benefit: authorization, network, channel, share; who is asked, who said it and when."""
    channel = CHANNELS.get(benefit.channel or "", "not told")
    told = [*_of_benefit(benefit), _finding("acquisition", None, f"{NAMES['acquisition']}: {channel}")]
    asked = case.policy.payer(case.payer.pharmacy_benefit) if case.payer and benefit.side == PHARMACY else case.payer
    by = f" It is asked of {asked.name}." if asked else " There is no way to ask it."
    said = f" Told by {_payer_in(case, response)} on {response['created'][:10]}."
    return _in_words([*told, *_costs(benefit, response)]) + by + said


def _told(case: Case, response: Resource, text: str) -> Output:
    """From whom, when, and the answer itself; the text says the same in one sentence each."""
    proof = {"url": EVIDENCE, "valueReference": {"reference": reference(response)}}
    note = {"authorString": _payer_in(case, response), "time": response["created"], "text": text}
    return {"extension": [proof], "type": concept(OUTPUT, TOLD), "valueAnnotation": note}


def _payer_in(case: Case, response: Resource) -> str:
    return str(response.get("insurer", {}).get("display") or (case.payer.name if case.payer else "the payer"))


def _in_words(outputs: Iterable[Output]) -> str:
    return " ".join(f"{o['valueCodeableConcept']['text']}." for o in outputs)


def _of_benefit(benefit: Benefit | None) -> list[Output]:
    covered = None if benefit is None else "excluded" if benefit.excluded else "covered"
    authorization = None if benefit is None or benefit.authorization is None else AUTHORIZATION[benefit.authorization]
    return [
        _finding("covered", covered),
        _finding("paid-under", benefit.side if benefit else None),
        _finding("authorization-needed", authorization),
        _finding("network", NETWORKS.get((benefit.network if benefit else None) or "")),
    ]


def _finding(kind: str, code: str | None, text: str = "") -> Output:
    words = text or (WORDS[code] if code else f"{NAMES[kind]}: not told")
    return {"type": concept(OUTPUT, kind), "valueCodeableConcept": concept(BENEFIT_FINDING, code or NOT_TOLD, words)}


NAMES = {
    "covered": "Whether the drug is covered",
    "paid-under": "Medical or pharmacy benefit",
    "authorization-needed": "Whether it must be authorized",
    "network": "Network status of the infusion provider",
    "acquisition": "How the drug is acquired",
    "place-of-care": "Where it is paid",
    "cost-share": "The patient's share",
}
WORDS = {
    "covered": "The drug is covered",
    "excluded": "The drug is excluded",
    "not-in-force": "The coverage is not in force",
    "medical": "Medical benefit",
    "pharmacy": "Pharmacy benefit",
    "authorization-required": "An authorization is needed",
    "authorization-not-required": "No authorization is needed",
    "in-network": "The infusion provider is in network",
    "out-of-network": "The infusion provider is out of network",
}

CHANNELS = {
    "buy-and-bill": "bought and billed by the site",
    "white-bag": "sent to the site by the payer's specialty pharmacy",
    "brown-bag": "brought by the patient",
    "clear-bag": "provided by the site's own specialty pharmacy",
}


# Where the payer's policy speaks when its answer does not


def _channel(case: Case, benefit: Benefit | None) -> Output:
    """How the drug comes to the chair: as the payer said, else as its policy does."""
    if benefit is not None and benefit.channel:
        return _coded("acquisition", CHANNEL, [benefit.channel], CHANNELS.get(benefit.channel, benefit.channel))
    figure = policy_on(case, "acquisition")
    if figure is None:
        return _finding("acquisition", None)
    return _coded("acquisition", CHANNEL, [figure.value], f"{CHANNELS[figure.value]}, by {case.policy.note_on(figure)}")


def _places(case: Case, benefit: Benefit | None) -> Output:
    """Where the drug is paid: as the payer said, else as its policy does."""
    if benefit is not None and benefit.places:
        return _coded("place-of-care", SITE_OF_CARE, benefit.places, ", ".join(benefit.places))
    figure = policy_on(case, "site_of_care")
    if figure is None:
        return _finding("place-of-care", None)
    places: list[str] = figure.value["preferred"]
    days = figure.value.get("hospital_days")
    until = f", until {hospital_until(starts_on(case.order) or case.starts, days)}" if days else ""
    grace = f", a hospital for the first {days} days{until}" if days else ", a hospital by exception"
    return _coded(
        "place-of-care", SITE_OF_CARE, places, f"{', '.join(places)}{grace}, by {case.policy.note_on(figure)}"
    )


def hospital_until(first: date, days: int) -> date:
    """The last day on which a hospital is paid without an exception, the first day of the therapy included."""
    return days_after(first, days - 1)


def policy_on(case: Case, figure_id: str) -> Figure | None:
    """What the payer's own policy says of this drug on the first date of service."""
    if case.payer is None or case.drug is None:
        return None
    return case.policy.payer_rule(figure_id, case.payer, case.drug, case.starts)


def _coded(kind: str, system: str, codes: Iterable[str], text: str) -> Output:
    told = {"coding": [{"system": system, "code": c} for c in codes], "text": f"{NAMES[kind]}: {text}"}
    return {"type": concept(OUTPUT, kind), "valueCodeableConcept": told}


# The patient's share


def _costs(benefit: Benefit | None, response: Resource) -> list[Output]:
    """Every cost told of the drug; where it is not named, those of the plan in its network."""
    costs = benefit.costs if benefit else costs_of_plan(response)
    return [_cost(c) for c in costs] or [_finding("cost-share", None)]


def _cost(cost: Cost) -> Output:
    """The kind of cost with its sums: allowed, used, left; a coinsurance in percent."""
    parts = [_part(name, amount) for name, amount in amounts(cost) if amount is not None]
    told = _finding("cost-share", cost.kind, cost_in_words(cost))
    return {"extension": [{"url": COST_SHARE, "extension": parts}], **told} if parts else told


def amounts(cost: Cost) -> tuple[tuple[str, Amount | None], ...]:
    """allowed, used and left of a cost."""
    return ("allowed", cost.allowed), ("used", cost.used), ("left", cost.left)


def _part(name: str, amount: Amount) -> dict[str, Any]:
    match amount:
        case Mapping():
            return {"url": name, "valueMoney": dict(amount)}
        case Decimal():
            return {"url": name, "valueDecimal": amount}
    return {"url": name, "valueString": amount}


def cost_in_words(cost: Cost) -> str:
    """`Deductible, individual, annual: 1500.00 USD allowed, 900.00 USD used, 600.00 USD left`."""
    of = ", ".join(filter(None, (cost.kind.replace("-", " ").capitalize(), cost.unit, cost.term)))
    sums = [f"{_amount(cost, a)} {name}" for name, a in amounts(cost) if a is not None]
    return f"{of}: {', '.join(sums) or 'amount not told'}"


def _amount(cost: Cost, amount: Amount) -> str:
    match amount:
        case Mapping():
            return f"{Decimal(amount['value']):f} {amount['currency']}"
        case Decimal():
            return f"{amount:f} %" if cost.kind == "coinsurance" else f"{amount:f}"
    return amount

"""Reads what a payer answers: which Claim it answers, what each item says, and what that makes together.

Source: Da Vinci PAS 2.2.1, specification 34-37; review action codes X12 306. `outcome` never says pended: the items do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from services.auth.wire.claims import CERTIFICATION, PAS, X12
from services.auth.wire.wanted import with_requests
from services.auth.words import X12_REVIEW_ACTION, code_of, day, extension, number, part, target
from shared.catalogue import billed
from shared.core import CANONICAL, Resource

APPROVED, PARTLY_APPROVED, DENIED, PENDED, MODIFIED = "A1", "A2", "A3", "A4", "A6"
CANCELLED, NO_ACTION_REQUIRED = "C", "NA"
GRANTING = {APPROVED, PARTLY_APPROVED, MODIFIED}
"""Review actions by which something may be given: as asked for, in part, or as the payer changed it."""
DECIDED = {*GRANTING, DENIED, PENDED}
Standing = Literal["approved", "partly-approved", "denied", "pended", "not-required", "cancelled", "question"]
FINAL = {"approved", "partly-approved", "denied", "not-required"}


@dataclass(frozen=True, slots=True)
class Review:
    """What the payer says of one Claim item."""

    sequence: int
    action: str | None
    number: str | None = None
    start: date | None = None
    end: date | None = None
    units: Decimal | None = None
    measure: str | None = None
    code: str | None = None
    reasons: tuple[Mapping[str, Any], ...] = ()

    def usable(self, asked: str | None) -> bool:
        """Whether an approval says what may be done by it: number, dates, billing units of the code asked for.

        One that differs from what was asked for has to say its units.
        """
        told = self.number and self.start and self.end and (self.action == APPROVED or self.units is not None)
        return bool(told) and self.measure in UNITS and self.code in (None, asked)


UNITS = (None, "UN", "1")
"""Measures in which an authorized quantity is one of billing units: unsaid, X12 673 `UN`, UCUM `1`."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """Units of one HCPCS code that may be given from `start` to `end`, both included."""

    code: str
    units: Decimal
    start: date
    end: date
    number: str


def reviews(response: Resource) -> tuple[Review, ...]:
    """One review per answered item, in the order of the Claim's items."""
    found = [_review(response, item) for item in response.get("item", ())]
    return tuple(sorted(found, key=lambda r: r.sequence))


def _review(response: Resource, item: Mapping[str, Any]) -> Review:
    said = _action(item)
    code = (extension(said, PAS + "extension-reviewActionCode") or {}).get("valueCodeableConcept")
    action = code_of(code, X12_REVIEW_ACTION)
    added = _added(response, item) if action == MODIFIED else None
    terms = item if added is None else added
    period = (extension(terms, PAS + "extension-itemPreAuthPeriod") or {}).get("valuePeriod")
    period = period or response.get("preAuthPeriod") or {}
    quantity, product = _detail(item) if added is None else (added.get("quantity"), added["productOrService"])
    number_said = (extension(_action(terms), "number") or extension(said, "number") or {}).get("valueString")
    return Review(
        sequence=int(item["itemSequence"]),
        action=action,
        number=number_said or response.get("preAuthRef"),
        start=day(period.get("start")),
        end=day(period.get("end")),
        units=number((quantity or {}).get("value")),
        measure=(quantity or {}).get("code"),
        code=billed(product),
        reasons=tuple(_reasons(said)),
    )


def _action(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The review action of an item, answered or added."""
    found = (extension(a, PAS + "extension-reviewAction") for a in item.get("adjudication", ()))
    return next((e for e in found if e), {})


def _detail(item: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Quantity and product authorized, as the item itself says them."""
    detail = PAS + "extension-itemAuthorizedDetail"
    return part(item, detail, "quantity"), part(item, detail, "productOrServiceCode")


def _added(response: Resource, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is authorized in the place of an item: the one item added for it; none where there are several."""
    found = [a for a in response.get("addItem", ()) if item["itemSequence"] in a.get("itemSequence", ())]
    return found[0] if len(found) == 1 else None


def _reasons(action: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The coded reasons of a review; one said in another type of value is none that can be told."""
    coded = (e.get("valueCodeableConcept") for e in action.get("extension", ()) if e.get("url") == "reasonCode")
    return (reason for reason in coded if reason)


def standing(claim: Resource, response: Resource) -> Standing:
    """What an answer as a whole means for the Claim; `question` for whatever only a person can read.

    Items that an update cancelled are not asked about any more: that they are cancelled says nothing of the others.
    """
    asked = {i["sequence"]: billed(i["productOrService"]) for i in claim["item"]}
    found = [r for r in reviews(response) if r.sequence in asked or r.action != CANCELLED]
    actions = {r.action for r in found}
    if actions == {CANCELLED} and is_taken_back(claim):
        return "cancelled"
    if not actions or not _is_answer(response) or not (actions <= DECIDED or actions == {NO_ACTION_REQUIRED}):
        return "question"
    if PENDED in actions:
        return "pended"
    unusable = any(r.action in GRANTING and not r.usable(asked.get(r.sequence)) for r in found)
    if unusable or [r.sequence for r in found] != sorted(asked):
        return "question"
    return _decided(claim, response, actions)


def _decided(claim: Resource, response: Resource, actions: set[str | None]) -> Standing:
    if actions == {DENIED}:
        return "denied"
    if actions == {NO_ACTION_REQUIRED}:
        return "not-required"
    return "partly-approved" if DENIED in actions or units_cut(claim, response) else "approved"


def is_taken_back(claim: Resource) -> bool:
    """Whether a Claim was withdrawn, or is the request that takes an earlier one back."""
    return claim["status"] == "cancelled" or cancels(claim)


def cancels(claim: Resource) -> bool:
    """Whether a request takes an earlier one back whole: certification type 3 (X12 1322) on the Claim."""
    return code_of((extension(claim, CERTIFICATION) or {}).get("valueCodeableConcept"), X12 + "1322") == "3"


def prior_of(claim: Resource) -> str | None:
    """`Claim/id` of the earlier request that one changes or takes back."""
    return next((target(r["claim"]) for r in claim.get("related", ())), None)


def _is_answer(response: Resource) -> bool:
    """Whether it stands, and is about a preauthorization."""
    return (response["status"], response["use"]) == ("active", "preauthorization")


def units_cut(claim: Resource, response: Resource) -> dict[str, tuple[Decimal, Decimal]]:
    """Billing code -> (units authorized, units asked for), where some but fewer were authorized."""
    asked = {billed(i["productOrService"]) or "": Decimal(i["quantity"]["value"]) for i in claim["item"]}
    return {a.code: (a.units, asked[a.code]) for a in authorized(claim, response) if a.units < asked[a.code]}


def authorized(claim: Resource, response: Resource) -> tuple[Authorized, ...]:
    """What is approved, by HCPCS code: the units the payer names, else the units asked for."""
    items = {i["sequence"]: i for i in claim["item"]}
    return tuple(
        Authorized(
            code=billed(items[r.sequence]["productOrService"]) or "",
            units=Decimal(items[r.sequence]["quantity"]["value"]) if r.units is None else r.units,
            start=r.start,
            end=r.end,
            number=r.number,
        )
        for r in reviews(response)
        if r.action in GRANTING and r.sequence in items and r.start and r.end and r.number
    )


def actions_of(response: Resource) -> str:
    """The review action codes of an answer, for a question to a person."""
    return ", ".join(sorted({r.action or "none" for r in reviews(response)})) or "none"


# Which Claim it answers


def responses_in(body: Any) -> Iterator[dict[str, Any]]:
    """Every ClaimResponse in a Bundle, in Bundles inside it, or in Parameters, with what it asks for besides."""
    match body:
        case {"resourceType": "ClaimResponse"}:
            yield dict(body)
        case {"resourceType": "Bundle", "entry": [*entries]}:
            inside = [e for e in entries if isinstance(e, Mapping)]
            for entry in inside:
                yield from (with_requests(r, inside) for r in responses_in(entry.get("resource")))
        case {"resourceType": "Parameters", "parameter": [*parameters]}:
            for parameter in (p for p in parameters if isinstance(p, Mapping)):
                yield from responses_in(parameter.get("resource"))


def named_claim(response: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(system, value) of every identifier by which an answer, legal or not, may name the Claim it answers."""
    own, request = response.get("identifier"), response.get("request")
    asked = request.get("identifier") if isinstance(request, Mapping) else None
    for identifier in (*(own if isinstance(own, list) else ()), asked):
        match identifier:
            case {"system": str(system), "value": str(value)}:
                yield system, value


def answers_claim(response: Mapping[str, Any], claim: Resource) -> bool:
    """Whether an answer is to this Claim: by its identifier, else by its id, and by no other Claim's id."""
    literal = target(response.get("request"))
    same_id = literal is not None and literal.endswith("Claim/" + claim["id"])
    mine = {(i["system"], i["value"]) for i in claim["identifier"]}
    return same_id or (bool(mine & set(named_claim(response))) and not (literal or "").startswith("Claim/au-"))


OWN_OUTCOME = CANONICAL + "auth"
"""Meta.source of an OperationOutcome that is not the payer's but ours, about what could not be sent."""


def issue_texts(outcome: Resource) -> Iterator[str]:
    """Each issue of an OperationOutcome as a sentence that names who says it."""
    ours = (outcome.get("meta") or {}).get("source") == OWN_OUTCOME
    return (_issue_text(issue, "Not sent" if ours else "Payer") for issue in outcome.get("issue", ()))


def _issue_text(issue: Mapping[str, Any], said_by: str) -> str:
    said = (issue.get("details") or {}).get("text") or issue.get("diagnostics") or issue.get("code", "")
    where = ", ".join(issue.get("expression", ()))
    return f"{said_by}: {said} ({where})." if where else f"{said_by}: {said}."

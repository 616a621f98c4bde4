"""Reads what a payer answers: which Claim it answers, what each item says, and what that makes together.

Source: Da Vinci PAS 2.2.1, specification 34-37; review action codes X12 306. `outcome` never says pended: the items do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any, Literal

from services.auth.claims import PAS
from services.auth.words import ORDER, PREFIX, X12_REVIEW_ACTION, code_of, day, extension, number, part, target
from shared.catalogue import HCPCS
from shared.core import CANONICAL, Resource, derived_id

APPROVED, DENIED, PENDED = "A1", "A3", "A4"
Standing = Literal["approved", "partly-approved", "denied", "pended", "question"]
FINAL = {"approved", "partly-approved", "denied"}


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
        """Whether an approval says what may be done by it: number, dates, billing units of the code asked for."""
        told = self.number and self.start and self.end
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
    action = next((e for a in item.get("adjudication", ()) if (e := extension(a, PAS + "extension-reviewAction"))), {})
    period = (extension(item, PAS + "extension-itemPreAuthPeriod") or {}).get("valuePeriod")
    period = period or response.get("preAuthPeriod") or {}
    quantity = part(item, PAS + "extension-itemAuthorizedDetail", "quantity") or {}
    product = part(item, PAS + "extension-itemAuthorizedDetail", "productOrServiceCode")
    code = (extension(action, PAS + "extension-reviewActionCode") or {}).get("valueCodeableConcept")
    return Review(
        sequence=int(item["itemSequence"]),
        action=code_of(code, X12_REVIEW_ACTION),
        number=(extension(action, "number") or {}).get("valueString") or response.get("preAuthRef"),
        start=day(period.get("start")),
        end=day(period.get("end")),
        units=number(quantity.get("value")),
        measure=quantity.get("code"),
        code=code_of(product, HCPCS),
        reasons=tuple(_reasons(action)),
    )


def _reasons(action: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The coded reasons of a review; one said in another type of value is none that can be told."""
    coded = (e.get("valueCodeableConcept") for e in action.get("extension", ()) if e.get("url") == "reasonCode")
    return (reason for reason in coded if reason)


def standing(claim: Resource, response: Resource) -> Standing:
    """What an answer as a whole means for the Claim; `question` for whatever only a person can read."""
    found = reviews(response)
    actions = {r.action for r in found}
    asked = {i["sequence"]: code_of(i["productOrService"], HCPCS) for i in claim["item"]}
    if not actions or not actions <= {APPROVED, DENIED, PENDED} or not _is_answer(response):
        return "question"
    if PENDED in actions:
        return "pended"
    unusable = any(r.action == APPROVED and not r.usable(asked.get(r.sequence)) for r in found)
    if unusable or [r.sequence for r in found] != sorted(asked):
        return "question"
    if actions == {DENIED}:
        return "denied"
    return "approved" if actions == {APPROVED} and not _less(claim, response) else "partly-approved"


def _is_answer(response: Resource) -> bool:
    """Whether it stands, and is about a preauthorization."""
    return (response["status"], response["use"]) == ("active", "preauthorization")


def _less(claim: Resource, response: Resource) -> bool:
    asked = {code_of(i["productOrService"], HCPCS) or "": Decimal(i["quantity"]["value"]) for i in claim["item"]}
    return any(a.units < asked[a.code] for a in authorized(claim, response))


def authorized(claim: Resource, response: Resource) -> tuple[Authorized, ...]:
    """What is approved, by HCPCS code: the units the payer names, else the units asked for."""
    items = {i["sequence"]: i for i in claim["item"]}
    return tuple(
        Authorized(
            code=code_of(items[r.sequence]["productOrService"], HCPCS) or "",
            units=Decimal(items[r.sequence]["quantity"]["value"]) if r.units is None else r.units,
            start=r.start,
            end=r.end,
            number=r.number,
        )
        for r in reviews(response)
        if r.action == APPROVED and r.sequence in items and r.start and r.end and r.number
    )


def actions_of(response: Resource) -> str:
    """The review action codes of an answer, for a question to a person."""
    return ", ".join(sorted({r.action or "none" for r in reviews(response)})) or "none"


# Receiving


def responses_in(body: Any) -> Iterator[dict[str, Any]]:
    """Every ClaimResponse in a Bundle, in Bundles inside it, or in Parameters."""
    match body:
        case {"resourceType": "ClaimResponse"}:
            yield dict(body)
        case {"resourceType": "Bundle", "entry": [*entries]}:
            for entry in (e for e in entries if isinstance(e, Mapping)):
                yield from responses_in(entry.get("resource"))
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


def received(claim: Resource, response: Resource, base: str) -> dict[str, Any]:
    """A payer's ClaimResponse as we keep it: our id, our Claim, our patient; what it cites there stays absolute."""
    kept = {k: v for k, v in response.items() if k not in ("id", "meta", "text", *OURS)}
    kept = _absolute(kept, base)
    extensions = [e for e in kept.pop("extension", ()) if e.get("url") != ORDER]
    orders = [e for e in claim.get("extension", ()) if e["url"] == ORDER]
    kept.pop("resourceType")
    return {
        "resourceType": "ClaimResponse",
        "id": derived_id(PREFIX, "ClaimResponse", claim["id"], _key(claim, response)),
        "extension": extensions + orders,
        **kept,
        "patient": dict(claim["patient"]),
        "insurer": dict(claim["insurer"]),
        "requestor": dict(claim["provider"]),
        "request": {"reference": "Claim/" + claim["id"]},
    }


OURS = ("patient", "insurer", "requestor", "request")
"""Elements of an answer that name what our own Claim named."""


def _key(claim: Resource, response: Resource) -> str:
    """The payer's own name for an answer: its identifier, else its id, else what it says."""
    mine = {(i["system"], i["value"]) for i in claim["identifier"]}
    others = [i for i in named_claim({"identifier": response.get("identifier")}) if i not in mine]
    if others:
        return "|".join(others[0])
    return str(response.get("id") or sha256(repr(reviews(response)).encode()).hexdigest())


FOREIGN = re.compile(r"[A-Z][A-Za-z]+/(?![a-z]{2}-[0-9a-f]{8}-)[A-Za-z0-9.-]+(/_history/.*)?")
"""A relative reference that is not to a resource of ours, which the payer echoes as we sent it."""


def _absolute(value: Any, base: str) -> Any:
    """A copy whose references into the payer's own server say so."""
    match value:
        case Mapping():
            copy = {k: _absolute(v, base) for k, v in value.items()}
            literal = copy.get("reference")
            if isinstance(literal, str) and FOREIGN.fullmatch(literal):
                copy["reference"] = f"{base}/{literal}"
            return copy
        case list() | tuple():
            return [_absolute(v, base) for v in value]
        case _:
            return value


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


# Benefit answers


def benefit_received(request: Resource, response: Resource, base: str) -> dict[str, Any]:
    """A payer's CoverageEligibilityResponse as we keep it, with the order it is about."""
    dropped = ("id", "meta", "text", "request", "patient", "insurer", "requestor", "extension", "resourceType")
    kept = _absolute({k: v for k, v in response.items() if k not in dropped}, base)
    coverage = dict(request["insurance"][0]["coverage"])
    insurance = [{**i, "coverage": coverage} for i in kept.pop("insurance", ())]
    return {
        "resourceType": "CoverageEligibilityResponse",
        "id": derived_id(PREFIX, "CoverageEligibilityResponse", request["id"]),
        **kept,
        "extension": [e for e in request["extension"] if e["url"] == ORDER],
        "patient": dict(request["patient"]),
        "insurer": dict(request["insurer"]),
        "request": {"reference": "CoverageEligibilityRequest/" + request["id"]},
        **({"insurance": insurance} if insurance else {}),
    }


def in_force(benefit: Resource) -> bool:
    """Whether the coverage is in force; only the payer's plain no says otherwise."""
    return all(i.get("inforce") is not False for i in benefit.get("insurance", ()))


def excluded(benefit: Resource, hcpcs: str | None) -> bool:
    """Whether the payer says that it does not cover this drug at all."""
    return any(i.get("excluded") is True for i in _items(benefit, hcpcs))


def must_authorize(benefit: Resource, hcpcs: str | None) -> bool:
    """Whether this drug must be authorized first; only the payer's plain no for it says otherwise."""
    own = _items(benefit, hcpcs)
    return not own or any(i.get("authorizationRequired") is not False for i in own)


def _items(benefit: Resource, hcpcs: str | None) -> list[Mapping[str, Any]]:
    items = [i for insurance in benefit.get("insurance", ()) for i in insurance.get("item", ())]
    return [i for i in items if code_of(i.get("productOrService"), HCPCS) == hcpcs]

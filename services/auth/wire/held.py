"""Verifies an authorization the referrer already holds: the payer is inquired with by its number, not asked again.

Source: Da Vinci PAS 2.2.1, profile-claim-inquiry (authorizationNumber): what a referral brings is verified, not redone.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from services.auth.case import Case
from services.auth.home import units_asked
from services.auth.questions import UNKNOWN, Question
from services.auth.stage import Stage, asking
from services.auth.wire.claims import PAS, claim_for
from services.auth.wire.receiving import received
from services.auth.wire.responses import Authorized, authorized
from services.auth.wire.reviewed import approved
from services.auth.words import day, extension, number, target
from shared.catalogue import billed
from shared.core import Resource, reference

NUMBER = PAS + "extension-authorizationNumber"
DIFFERS = "held-authorization-differs"


def held_by(case: Case) -> Resource | None:
    """The authorization a referral names, as intake received it."""
    cited = (case.facts.at(target(i)) for i in case.order.get("supportingInfo", ()))
    return next((r for r in cited if r and r["resourceType"] == "ClaimResponse" and r.get("preAuthRef")), None)


def held_number(claim: Resource) -> str | None:
    """The number a Claim inquires after; None for one that asks."""
    found: str | None = (extension(claim, NUMBER) or {}).get("valueString")
    return found


def inquired(case: Case) -> Stage | None:
    """The referrer holds an authorization: the payer is inquired with, unless a person said that it does not count."""
    held, units = held_by(case), units_asked(case)
    if held is None or units is None or case.claim is not None or case.period > 1 or _set_aside(case):
        return None
    claim = claim_for(case, units, ())
    after = {"url": NUMBER, "valueString": held["preAuthRef"]}
    kept = {**claim, "extension": [*claim["extension"], after]}
    return Stage("submitted", "preauthorization-asked", saves=(kept,), evidence=(reference(held),))


def _set_aside(case: Case) -> bool:
    return "rejected" in {a for c in case.facts.of("Claim") if held_number(c) for a in case.answers_about(c)}


def confirmed(case: Case, claim: Resource) -> Resource | None:
    """What a person confirmed of an authorization the payer did not find, as the payer would have said it."""
    held = held_by(case)
    if held is None or not held_number(claim) or case.answers_to(claim) or "confirmed" not in case.answers_about(claim):
        return None
    said = {k: v for k, v in held.items() if k in ("status", "type", "use", "created", "outcome", "preAuthRef")}
    items = [_item(i, held) for i in claim["item"]]
    return received(claim, {"resourceType": "ClaimResponse", **said, "id": held["id"], "item": items}, "")


def _item(item: Mapping[str, Any], held: Resource) -> dict[str, Any]:
    """Approved as the paper has it: its period, else the one asked about; its units, else those asked about."""
    units = _units(held).get(billed(item["productOrService"]) or "", number(item["quantity"]["value"]))
    return approved(item, held["preAuthRef"], _period(held) or item["servicedPeriod"], units or 0)


def differing(case: Case, claim: Resource, answer: Resource) -> Stage | None:
    """The payer's word on a held authorization differs from the referral's: a person says whether it stands."""
    held = held_by(case)
    if held is None or not held_number(claim) or "confirmed" in case.answers_about(claim):
        return None
    wrong = [w for w, differs in DIFFERENCES.items() if differs(held, authorized(claim, answer))]
    if not wrong:
        return None
    text = f"The payer confirms the authorization with another {' and another '.join(wrong)} than the referral says: "
    return asking(Question(DIFFERS, reference(claim), text + UNKNOWN))


def _period(held: Resource) -> dict[str, str]:
    period = held.get("preAuthPeriod") or {}
    return {k: period[k][:10] for k in ("start", "end") if day(period.get(k))} if len(period) > 1 else {}


def _units(held: Resource) -> dict[str, Decimal]:
    """Billing code -> units the referral says."""
    said = (
        (billed(i.get("productOrService")), number((i.get("quantity") or {}).get("value")))
        for i in held.get("addItem", ())
    )
    return {code: units for code, units in said if code and units is not None}


def _other_period(held: Resource, granted: tuple[Authorized, ...]) -> bool:
    period = _period(held)
    told = {(a.start.isoformat(), a.end.isoformat()) for a in granted}
    return bool(period) and (period.get("start"), period.get("end")) not in told


def _other_units(held: Resource, granted: tuple[Authorized, ...]) -> bool:
    told = {a.code: a.units for a in granted}
    return any(told.get(code) != units for code, units in _units(held).items())


DIFFERENCES = {"period": _other_period, "number of units": _other_units}
"""What of an authorization may differ -> whether it does."""

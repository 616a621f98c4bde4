"""Says of each requirement of a visit in a chair whether it is met, by which resource, or why not and who has it."""

from __future__ import annotations

from datetime import date

from services.scheduling.rems import CLEARED, rems_cleared
from shared.visits import requirements
from shared.visits.elements import any_refers
from shared.visits.requirements import (
    NOT_NEEDED,
    Finding,
    Look,
    Requirement,
    Rules,
    authorized,
    benefit_verified,
    consented,
    found,
    labs_current,
    met,
    order_current,
    order_verified,
    unmet,
)


def drug_on_hand(look: Look) -> Finding:
    """The pharmacy has said that the drug for this visit is there."""
    target = f"Appointment/{look.visit.id}"
    for dispense in look.case.facts.of("MedicationDispense"):
        if any_refers(dispense.get("supportingInformation", ()), target):
            there = dispense.get("status") in ("in-progress", "completed")
            return met(dispense) if there else unmet("drug-not-dispensed", "pharmacy", dispense)
    return unmet("drug-not-on-hand", "pharmacy")


RULES: Rules = (
    ("benefit-verified", "book", benefit_verified),
    ("authorized", "book", authorized),
    ("order-current", "book", order_current),
    ("order-verified", "book", order_verified),
    ("consented", "book", consented),
    ("labs-current", "book", labs_current),
    ("drug-on-hand", "prepare", drug_on_hand),
    ("premedication-ordered", "prepare", lambda _: NOT_NEEDED),
    ("access-suitable", "start", lambda _: NOT_NEEDED),
    ("nurse-competent", "book", lambda _: NOT_NEEDED),
    (CLEARED, "start", rems_cleared),
)


def readiness(look: Look) -> tuple[Requirement, ...]:
    """Every requirement of a visit, in the order of `RULES`."""
    return found(look, RULES)


def obstacles(look: Look) -> tuple[Requirement, ...]:
    """What stands against holding a time on this day."""
    return requirements.obstacles(look, readiness(look))


def last_day(look: Look) -> date | None:
    """The last day on which everything met for this day still holds."""
    return requirements.last_day(look, readiness(look))

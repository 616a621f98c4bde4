"""Says which records are of the same person, by a merge or because a person confirmed it, and whom a decision concerns.

Law of this file: a link counts whichever record carries it, and as long as it stands; nothing is copied from one record
to another, so a merge that was wrong is undone by taking the link back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from services.intake.facts import Facts
from services.intake.records import literal
from shared.core import Decision, Resource

TOLD = frozenset({"Encounter", "Patient", "ServiceRequest", "Task"})
"""Kinds whose change may concern a case of another record of the same person."""


def lane_of(patient: str) -> str:
    return f"patient/{patient}"


def linked(patients: Iterable[Resource]) -> Iterator[str]:
    """Ids of the records these ones are linked to."""
    for patient in patients:
        for link in patient.get("link", ()):
            if (found := literal(link.get("other"))) and found.startswith("Patient/in-"):
                yield found.removeprefix("Patient/")


def links(patient: Resource) -> list[str]:
    """`Patient/id` of each record a Patient is linked to, for the search by it."""
    return [f"Patient/{one}" for one in linked((patient,))]


def rousing(decision: Decision, facts: Facts) -> Decision:
    """The decision with the lanes of the person's other records, where it may concern their cases."""
    told = any(s["resourceType"] in TOLD for s in decision.saves)
    return replace(decision, rouses=facts.concerned) if told and facts.concerned else decision

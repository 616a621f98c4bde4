"""Sends what comes under another record of the same person to the case it is about, in the lane where that stands.

Law of this file: a lane never moves, and a case stays where it began; so after a merge a push under the surviving
record is two events: the Patient in his own lane, everything else in the lane of the case, about the record there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.intake.facts import Facts
from services.intake.persons.kinship import lane_of
from services.intake.records import member_id, subject_of
from shared.core import Event, Resource, reference
from shared.fhir.references import rewritten


def parted(event: Event, facts: Facts) -> tuple[Event, Event] | None:
    """The event without what belongs to a case of another record of this person, and the event of that; else None."""
    home = _home(event, facts) if event.kind == "command" else None
    if home is None:
        return None
    here = tuple(r for r in event.resources if r["resourceType"] == "Patient")
    rest = tuple(r for r in event.resources if r["resourceType"] != "Patient")
    names = {r["id"]: _known(r, home) for r in rest}
    mapping = {f"Patient/{facts.patient}": f"Patient/{home.patient}"}
    mapping |= {reference(r): f"{r['resourceType']}/{names[r['id']]}" for r in rest}
    moved = tuple({**rewritten(r, mapping), "id": names[r["id"]]} for r in rest)
    there = replace(event, lane=lane_of(home.patient), resources=moved, id=f"{event.id}-home")
    return replace(event, resources=here), there


def _home(event: Event, facts: Facts) -> Facts | None:
    """The other record that holds what this event is about, unless the referral itself stands here."""
    brought = [reference(r) for r in event.resources if r["resourceType"] != "Patient"]
    asked = [reference(r) for r in event.of_type("Task", "ServiceRequest")]
    if any(subject_of(facts.resources[key]) == facts.patient for key in asked if key in facts.resources):
        return None
    return next((other for other in facts.others if any(key in other.resources for key in brought)), None)


def _known(resource: Resource, home: Facts) -> str:
    """The id by which a record is known there: its own, else that of the record with the same business identifier."""
    if reference(resource) in home.resources:
        return str(resource["id"])
    same = (r for r in home.resources.values() if r["resourceType"] == resource["resourceType"])
    return str(next((r["id"] for r in same if _keys(r) & _keys(resource)), resource["id"]))


def _keys(resource: Resource) -> set[object]:
    """What a record is known by: a Coverage by its member, any other by its business identifiers."""
    member = member_id(resource) if resource["resourceType"] == "Coverage" else None
    listed = resource.get("identifier") or []
    named = {(i["system"], i["value"]) for i in listed if isinstance(i, Mapping) and {"system", "value"} <= i.keys()}
    return {member} if member else {*named}

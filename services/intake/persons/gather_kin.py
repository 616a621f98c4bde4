"""Reads what intake holds of a person's other records, and which lanes that rests on."""

from __future__ import annotations

from dataclasses import replace

from services.intake.facts import Facts
from services.intake.persons.kinship import lane_of, linked
from services.intake.versions import laid_over
from shared.core import Event, Resource, reference
from shared.ports import Reader


async def with_kin(event: Event, facts: Facts, reader: Reader, lanes: frozenset[str]) -> Facts:
    """The facts with those of the person's other records, and the lanes that must be held to rest on them."""
    stored = facts.resources.get(f"Patient/{facts.patient}")
    coming = _now(stored, event)
    now = await _kin(facts.patient, coming, reader)
    same = list(linked([stored] if stored else [])) == list(linked([coming] if coming else []))
    before = now if same else await _kin(facts.patient, stored, reader)
    others = [Facts(p, {reference(r): r for r in await reader.of_lane(lane_of(p))}) for p in sorted(now)]
    concerned = frozenset(map(lane_of, before | now))
    return replace(facts, others=tuple(others), missing=frozenset(map(lane_of, now)) - lanes, concerned=concerned)


def _now(stored: Resource | None, event: Event) -> Resource | None:
    """The Patient once the event is."""
    sent = event.of_type("Patient") if event.kind == "command" else ()
    brought = next((r for r in sent if lane_of(r["id"]) == event.lane), None)
    return stored if brought is None else laid_over(stored, brought, matched=brought["id"] in event.matched)


async def _kin(patient: str, own: Resource | None, reader: Reader) -> set[str]:
    """Ids of every record linked to this one, directly or through others; `own` is the record itself."""
    seen, latest = {patient}, {patient}
    while latest:
        found: set[str] = set()
        for one in sorted(latest):
            record = own if one == patient else await reader.read(one)
            carrying = await reader.search("Patient", "link", f"Patient/{one}")
            found |= {*linked([record] if record else []), *(r["id"] for r in carrying if r["id"] != patient)}
        latest = found - seen
        seen |= found
    return seen - {patient}

"""Makes a case of every referral of a patient, with what just came for it and what the person's other referrals are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from services.intake.codes import CALLED_OFF
from services.intake.facts import Case, Facts
from services.intake.folding import placed_task
from services.intake.records import bare, unversioned
from services.intake.succession import related
from services.intake.versions import came_late, dated, digest, source_updated, superseded
from shared.core import Event, Resource, reference
from shared.policy import Figures
from shared.settings import Site

ENDED = frozenset({"cancelled", "entered-in-error"})
"""The words of a placer's Task that end a referral however late they come."""
_NONE: frozenset[str] = frozenset()


def cases(event: Event, before: Facts, now: Facts, site: Site, figures: Figures) -> tuple[Case, ...]:
    """One case for each referral known, and for the one that just came."""
    own = tuple(_own(event, before, now, site))
    elsewhere = (c for other in now.others for c in _others(event, now, other, site))
    return tuple(c for c in related((*own, *elsewhere), figures) if c.facts.patient == now.patient)


def _own(event: Event, before: Facts, now: Facts, site: Site) -> Iterator[Case]:
    placed = placed_task(event, before)
    known = {reference(t): t for t in before.tasks("referral")}
    for key in sorted(known.keys() | ({reference(placed)} if placed else set())):
        stored = known.get(key)
        mine = placed if placed is not None and reference(placed) == key else None
        base = stored if mine is None else _standing(stored, mine)
        if base is not None:
            plain = unversioned(stored) if stored is not None else None
            came = frozenset(map(reference, event.resources)) if placed is not None else _NONE
            arrived, elsewhere = (came, _NONE) if mine else (_NONE, came)
            fresh = mine is not None and base is not stored
            case = Case(unversioned(base), plain, fresh, arrived, now, site, event.at.date(), event.at, elsewhere)
            yield replace(case, called=_is_called_off(case, event, mine))


def _others(event: Event, now: Facts, other: Facts, site: Site) -> Iterator[Case]:
    """The referrals of another record of the same person, as they stand."""
    facts = replace(other, others=(Facts(now.patient, now.resources),))
    for task in map(unversioned, other.tasks("referral")):
        yield Case(task, task, False, frozenset(), facts, site, event.at.date(), event.at)


def _standing(stored: Resource | None, placed: Resource) -> Resource:
    """The placer's Task, unless the stored one already answers it or a later one; it remembers what it answers."""
    before, at = source_updated(stored or {}) or "", source_updated(placed) or ""
    if stored is not None and (came_late(stored, placed) or (at <= before and bare(stored) == bare(placed))):
        return stored
    older = superseded(stored) if stored is not None and at <= before else set()
    return dated(placed, max(before, at), older | {digest(placed)}) if max(before, at) else placed


def _is_called_off(case: Case, event: Event, placed: Resource | None) -> bool:
    """Whether the placer takes the order back: that counts however late it comes, for a stop is never outdated."""
    if event.kind != "command":
        return False
    asked = {r["id"] for r in (case.request, case.medication) if r}
    sent = (r for r in event.of_type("ServiceRequest", "MedicationRequest") if r["id"] in asked)
    said = any(r.get("status") in CALLED_OFF[r["resourceType"]] for r in sent)
    return said or (placed is not None and not case.placed and placed.get("status") in ENDED)

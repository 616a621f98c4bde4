"""Says which other order of the patient asks for the same drug, so that no two series of it run into one another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from shared.core import Resource, reference
from shared.visits.case import AnyCase
from shared.visits.elements import any_refers, code_of, day, moment

HOLDING = frozenset({"pending", "booked", "arrived", "checked-in"})
GIVEN = frozenset({"fulfilled", "noshow"})


def rival(case: AnyCase) -> Resource | None:
    """The order this one has to wait for: an older one not finished, or any one whose visits are held or booked."""
    others = [o for o in case.facts.of("ServiceRequest") if _is_of_same_drug(o, case)]
    found = (o for o in others if _is_held(case, o) or (_age(o) < _age(case.order) and not _is_finished(case, o)))
    return next(found, None)


def is_doubled(case: AnyCase) -> bool:
    """Whether an order that stands has such a rival."""
    return case.order["status"] == "active" and rival(case) is not None


def last_given(case: AnyCase) -> date | None:
    """The last day on which a dose of this drug was given by another order."""
    others = (o for o in case.facts.of("ServiceRequest") if _is_of_same_drug(o, case))
    visits = (a for o in others for a in _visits(case, o) if a["status"] == "fulfilled")
    return max((on for a in visits if (on := day(a.get("start"), case.site.time_zone))), default=None)


def _is_of_same_drug(order: Resource, case: AnyCase) -> bool:
    named = code_of(order.get("code"), "drug")
    mine = case.drug is not None and named == case.drug.key
    return mine and order.get("intent") == "filler-order" and order["id"] != case.order["id"]


def _age(order: Resource) -> tuple[datetime, str]:
    """Orders by the instant they were taken up, of whatever offset; the same on whichever of them it is asked."""
    return moment(order.get("authoredOn"), UTC) or datetime.min.replace(tzinfo=UTC), order["id"]


def _is_held(case: AnyCase, order: Resource) -> bool:
    """Whether visits of an order have a time that this very decision does not take from them."""
    holding = {"active": HOLDING, "on-hold": HOLDING, "completed": HOLDING - {"pending"}}
    return any(a["status"] in holding.get(order["status"], ()) for a in _visits(case, order))


def _is_finished(case: AnyCase, order: Resource) -> bool:
    """Whether nothing more of an order is to come."""
    if order["status"] != "active":
        return True
    statuses = {a["status"] for a in _visits(case, order)} - {"cancelled"}
    return bool(statuses) and statuses <= GIVEN


def _visits(case: AnyCase, order: Resource) -> Iterator[Resource]:
    target = reference(order)
    return (a for a in case.facts.of("Appointment") if any_refers(a.get("basedOn", ()), target))

"""Reads an Encounter: whether it is a stay in hospital, when it began, and when that changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from shared.core import Resource

if TYPE_CHECKING:
    from services.intake.consequences import Worked

CLASS = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
INPATIENT = frozenset({"IMP", "ACUTE", "NONAC"})
"""Classes of a stay (v3-ActCode): inpatient, acute and non-acute."""
UNDER_WAY = frozenset({"arrived", "triaged", "in-progress", "onleave"})


def is_stay(encounter: Resource, at: datetime) -> bool:
    """Whether a patient is in hospital by this Encounter at an instant: its last day still counts as a day there."""
    cls = encounter.get("class", {})
    inpatient = cls.get("code") in INPATIENT and cls.get("system", CLASS) == CLASS
    if not inpatient or encounter.get("status") not in UNDER_WAY:
        return False
    begins, ends = began(encounter), ended(encounter)
    return (begins is None or begins <= at) and (ends is None or at < ends)


def began(encounter: Resource) -> datetime | None:
    """The first instant of an Encounter."""
    return instant(encounter.get("period", {}).get("start"), time.min)


def ended(encounter: Resource) -> datetime | None:
    """The last instant of an Encounter, where it says one."""
    return instant(encounter.get("period", {}).get("end"), time.max)


def began_after(encounter: Resource, written: str) -> bool:
    """Whether an Encounter began after an order was written; on the same day, a day without time does not tell."""
    begins, at = began(encounter), instant(written, time.max)
    return begins is not None and (at is None or begins > at)


def turns(encounter: Resource, at: datetime) -> Iterator[datetime]:
    """The instants still to come at which a stay begins or ends by itself."""
    if encounter.get("status") in UNDER_WAY:
        yield from (t for t in (began(encounter), ended(encounter)) if t is not None and t > at)


def turning(worked: Worked) -> Mapping[str, datetime | None]:
    """A timer for each stay that begins or ends by itself."""
    stays = worked.case.facts.of("Encounter")
    return {f"stay/{e['id']}": min(turns(e, worked.at), default=None) for e in stays if e.get("period")}


def instant(text: Any, otherwise: time) -> datetime | None:
    """A FHIR dateTime as an instant; one without a time is taken at the given time of that day, in UTC."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    if len(str(text)) == 10:
        at = datetime.combine(at.date(), otherwise)
    return at if at.tzinfo else at.replace(tzinfo=UTC)

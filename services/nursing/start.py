"""Says when care at home begins: on the ordered day, after the referral or the return home, or as approved anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from services.nursing.facts import Facts, Start
from services.nursing.policy import Practice
from shared.core import Resource, reference
from shared.home import HomeNursing
from shared.visits.elements import any_refers, code_of, instant, is_task, moment
from shared.visits.questions import code
from shared.visits.series import Unreadable, start_of

MISSED = "start-of-care-missed"
"""The question by which a practitioner approves a new day."""

INPATIENT = frozenset({"IMP", "ACUTE", "NONAC"})
"""Encounter classes in which a patient is not at home."""


def starts(order: Resource, facts: Facts, site: HomeNursing, practice: Practice, today: date) -> tuple[Start, ...]:
    """The start of care, then the start after each later return home. Raises Unreadable."""
    within = timedelta(hours=practice.number("assessment_within_hours", today))
    begun, returns = _begun(order, facts, site), sorted(_returns(facts, site))
    before = [at for at in returns if begun is None or at <= begun]
    first = _first(order, facts, site, within, max(before, default=None))
    return (first, *(_after(at, within, site) for at in returns[len(before) :]))


def _first(order: Resource, facts: Facts, site: HomeNursing, within: timedelta, returned: datetime | None) -> Start:
    """A day approved anew, else the return home where it came after the ordered day, else that day, else 48 h."""
    if (approved := _approved(order, facts)) is not None:
        return Start(approved, approved)
    ordered = start_of(order, site.time_zone)
    if ordered is not None and (returned is None or returned.astimezone(site.time_zone).date() <= ordered):
        return Start(ordered, ordered)
    referred = moment(order.get("authoredOn"), site.time_zone)
    since = max((at for at in (returned, referred) if at is not None), default=None)
    if since is None:
        raise Unreadable("start-not-stated")
    return _after(since, within, site)


def _after(since: datetime, within: timedelta, site: HomeNursing) -> Start:
    until = since + within
    return Start(since.astimezone(site.time_zone).date(), until.astimezone(site.time_zone).date(), since, until)


def _approved(order: Resource, facts: Facts) -> date | None:
    """The latest day a practitioner approved instead of one that was missed."""
    target = reference(order)
    asked = (t for t in facts.of("Task") if is_task(t, "nursing-question") and any_refers(t.get("basedOn", ()), target))
    answered = (t for t in asked if code(t) == MISSED and t["status"] == "completed")
    dates = (o["valueDate"] for t in answered for o in t.get("output", ()) if "valueDate" in o)
    return max((date.fromisoformat(text) for text in dates), default=None)


def _begun(order: Resource, facts: Facts, site: HomeNursing) -> datetime | None:
    """When the order's first assessment is, or was; None before one has its time."""
    target = reference(order)
    visits = (a for a in facts.of("Appointment") if any_refers(a.get("basedOn", ()), target))
    kept = (a for a in visits if a["status"] in ("booked", "fulfilled"))
    seen = (a for a in kept if any(code_of(k, "home-visit-kind") == "assessment" for k in a.get("serviceType", ())))
    return min((at for a in seen if (at := instant(a.get("start")))), default=None)


def _returns(facts: Facts, site: HomeNursing) -> Iterator[datetime]:
    """When the patient came home from each stay in a hospital."""
    stays = (e for e in facts.of("Encounter") if is_inpatient(e) and e.get("status") == "finished")
    return (at for e in stays if (at := moment(e.get("period", {}).get("end"), site.time_zone)) is not None)


def is_inpatient(encounter: Resource) -> bool:
    return encounter.get("class", {}).get("code") in INPATIENT


def admission(order: Resource, facts: Facts, site: HomeNursing) -> Resource | None:
    """A stay in a hospital that goes on now and began after the order was written; the one it came from is planned."""
    stays = (e for e in facts.of("Encounter") if is_inpatient(e) and e.get("status") in ("in-progress", "onleave"))
    written = moment(order.get("authoredOn"), site.time_zone)
    return next(
        (e for e in stays if _is_after(moment(e.get("period", {}).get("start"), site.time_zone), written)), None
    )


def _is_after(begun: datetime | None, written: datetime | None) -> bool:
    return begun is None or written is None or begun > written


def says(resource: Resource, words: Iterable[str]) -> bool:
    """Whether the notes, details, names or codes of a resource hold one of these words."""
    text = " ".join(_texts(resource)).lower()
    return any(word.lower() in text for word in words)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)

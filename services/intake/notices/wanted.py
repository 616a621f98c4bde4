"""Which notices a patient's referrals call for, from all that is known now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.intake.codes import SITE_ID, SITE_OF_CARE, THERAPY, code_of, task_code
from services.intake.facts import Case
from services.intake.notices.language import Language
from services.intake.records import literal
from services.intake.requirements.gap import Gap
from shared.core import CANONICAL, Resource, reference

NOTICE = CANONICAL + "CodeSystem/patient-notice"
QUESTIONS = frozenset({"consent-request", "address-confirmation"})
"""Notices a patient is to answer; one at a time."""
TO_CARERS = frozenset({"logistics", "therapy-overview"})
"""Notices who cares for the patient gets too."""
ENDED = frozenset({"cancelled", "rejected", "completed"})
"""Statuses of the referral Task after which a patient is told nothing new."""
_VISITS = frozenset({"chair", "home-nursing"})
_TIMED = ("booked",)


@dataclass(frozen=True, slots=True)
class Followed:
    """One referral as notices see it: its case, what it lacks, our order of it, and what the placer is told."""

    case: Case
    gaps: tuple[Gap, ...]
    order: Resource | None
    referral: Resource


@dataclass(frozen=True, slots=True)
class Wanted:
    """A notice that should be given: its code, what it is about, the therapy and the visits it speaks of."""

    code: str
    about: str
    therapy: str = ""
    visits: tuple[Resource, ...] = field(default=(), compare=False)

    @property
    def asks(self) -> bool:
        return self.code in QUESTIONS

    @property
    def is_told_anew(self) -> bool:
        """Whether it is said again when its words change."""
        return self.code == "logistics"


def wanted(followed: Iterable[Followed], at: datetime) -> tuple[Wanted, ...]:
    """Every notice wanted now, each once, in the order a patient should get them."""
    living = [f for f in followed if f.referral["status"] not in ENDED and _may_be_told(f)]
    found = {(w.code, w.about): w for w in (*_about_patient(living), *_about_orders(living, at))}
    return tuple(found.values())


def _may_be_told(followed: Followed) -> bool:
    """Whether the patient lives, as far as is known, and the referral is one: with an order behind it."""
    return bool(followed.case.request) and not any(g.code == "patient-deceased" for g in followed.gaps)


def _about_patient(living: Iterable[Followed]) -> Iterator[Wanted]:
    for found in living:
        patient, therapy = f"Patient/{found.case.facts.patient}", _therapy(found.order)
        yield Wanted("welcome", patient, therapy)
        if any(gap.code == "consent-missing" for gap in found.gaps):
            yield Wanted("consent-request", patient, therapy)


def _about_orders(living: Iterable[Followed], at: datetime) -> Iterator[Wanted]:
    for found in living:
        order = found.order
        if order is None or order["status"] != "active":
            continue
        about, therapy = reference(order), _therapy(order)
        yield Wanted("therapy-overview", about, therapy)
        if "home" in {code_of(place, SITE_OF_CARE) for place in order.get("locationCode", ())}:
            yield Wanted("address-confirmation", about, therapy)
        visits = _timed_visits(found.case, about, at)
        if visits:
            yield Wanted("logistics", about, therapy, visits)


def _timed_visits(case: Case, order: str, at: datetime) -> tuple[Resource, ...]:
    """The visits still to come, once every one that can be timed has its time."""
    tasks = [t for t in case.facts.of("Task") if task_code(t) in _VISITS and _names(t, order)]
    if not any(_stage(t) == "booked" for t in tasks):
        return ()
    held = (r for r in case.facts.resources.values() if r["resourceType"] == "Appointment" and _names(r, order))
    coming = [a for a in held if a["status"] in _TIMED and datetime.fromisoformat(a["start"]) > at]
    return tuple(sorted(coming, key=lambda a: (a["start"], a["id"])))


def _names(resource: Resource, order: str) -> bool:
    return order in {literal(b) for b in resource.get("basedOn", ())}


def _stage(task: Resource) -> str | None:
    codings = task.get("businessStatus", {}).get("coding", ())
    return next((c.get("code") for c in codings), None)


def _therapy(order: Resource | None) -> str:
    categories = (order or {}).get("category", ())
    return next((code for c in categories if (code := code_of(c, THERAPY))), "")


def words_of(notice: Wanted, language: Language, practice: str, sites: Mapping[str, str], zone: ZoneInfo) -> str:
    """What a notice says: its subject, an empty line, its text. `sites` are the names of the practice's sites."""
    said, therapy = language.notices[notice.code], language.therapy(notice.therapy)
    filled: dict[str, Any] = {
        "practice": practice,
        "therapy": therapy["name"],
        "about_therapy": therapy["about"],
        "visits": "\n".join(f"- {_line(v, language, sites, zone)}" for v in notice.visits),
    }
    return f"{said['subject'].format_map(filled)}\n\n{said['text'].format_map(filled)}".strip()


def _line(visit: Resource, language: Language, sites: Mapping[str, str], zone: ZoneInfo) -> str:
    when = datetime.fromisoformat(visit["start"]).astimezone(zone).strftime("%Y-%m-%d %H:%M")
    named = (p["actor"].get("identifier", {}) for p in visit.get("participant", ()) if "actor" in p)
    place = next((sites.get(str(i["value"])) for i in named if i.get("system") == SITE_ID), None)
    pattern = language.visits["at-site" if place else "at-home"]
    return pattern.format_map({"when": when, "place": place})

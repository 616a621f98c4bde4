"""The words of a letter to the placer: where his referral stands, what is missing or authorized, when visits are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.intake.answers.telling import OpenAnswer, ordinal, referrer_of
from services.intake.codes import (
    BSER,
    PREAUTHORIZATION_OUTPUT,
    QUESTION,
    REFERRAL_OUTPUT,
    SITE_ID,
    code_of,
    task_code,
    typed,
)
from services.intake.records import literal
from shared.core import Resource
from shared.settings import Site

STATUS = {
    "accepted": "Accepted",
    "on-hold": "On hold",
    "in-progress": "In progress",
    "completed": "Completed",
    "rejected": "Declined",
    "cancelled": "Cancelled",
}
BUSINESS = {
    "2.0": "received, not yet accepted",
    "3.0": "accepted",
    "4.0": "declined",
    "5.1.1": "a visit is scheduled",
    "5.1.2": "a visit was missed",
    "5.1.3": "a visit was cancelled",
    "5.1.4": "a visit was given",
    "5.2": "cancellation requested",
    "6.0": "cancelled",
    "7.0": "completed",
}
VISIT = {"booked": "booked", "arrived": "arrived", "checked-in": "arrived", "fulfilled": "given", "noshow": "missed"}
LONGEST = 12
"""Lines of a section; how many more there are is said."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter: who writes to whom, what it is about, and its sections with their lines."""

    sender: str
    recipient: str
    on: str
    about: tuple[tuple[str, str], ...]
    status: str
    reason: str
    sections: tuple[tuple[str, tuple[str, ...]], ...]
    reference: str


def letter(answer: OpenAnswer, known: Mapping[str, Resource], site: Site) -> Letter:
    """The letter about a referral as it stands; the same referral gives the same letter."""
    task = answer.task
    referrer = referrer_of(task, site)
    business = code_of(task.get("businessStatus"), BSER) or ""
    sections = (
        ("What is missing, and what would be right", tuple(_missing(task))),
        ("Authorization", tuple(_authorization(task, known))),
        ("Visits", tuple(_visits(task, known, site))),
        ("Open questions", tuple(_questions(task, known))),
        ("What came of it", tuple(_outputs(task, "feedback"))),
    )
    return Letter(
        sender=f"{site.organization}, NPI {site.npi}",
        recipient=referrer.name if referrer else "",
        on=_day(str(task["lastModified"])),
        about=tuple(_about(task, known)),
        status=f"{STATUS.get(task['status'], task['status'])} ({BUSINESS.get(business, business)}, {business})",
        reason=str(task.get("statusReason", {}).get("text", "")),
        sections=tuple((title, _cut(lines)) for title, lines in sections if lines),
        reference=f"{task['id']}/{ordinal(answer.communication)}",
    )


def _about(task: Resource, known: Mapping[str, Resource]) -> Iterator[tuple[str, str]]:
    """Your reference, the patient, what was ordered."""
    placed = [str(i["value"]) for i in task.get("identifier", ()) if typed(i, "PLAC") and i.get("value")]
    if placed:
        yield "Your referral", ", ".join(placed)
    patient = known.get(literal(task["for"]) or "", {})
    born = f", born {_day(str(patient['birthDate']))}" if patient.get("birthDate") else ""
    yield "Patient", f"{_name(patient)}{born}"
    for based in task.get("basedOn", ()):
        order = known.get(literal(based) or "", {})
        if text := order.get("code", {}).get("text"):
            yield "Order", str(text)


def _name(patient: Resource) -> str:
    name: Resource = next(iter(patient.get("name", ())), {})
    written = " ".join([*name.get("given", ()), name.get("family", "")]).strip()
    return str(name.get("text") or written or "name not on file")


def _missing(task: Resource) -> Iterator[str]:
    for output in _of(task, "missing"):
        yield str(output["valueCodeableConcept"].get("text", ""))


def _outputs(task: Resource, code: str) -> Iterator[str]:
    return (str(o["valueString"]) for o in _of(task, code))


def _of(task: Resource, code: str) -> Iterable[Resource]:
    return (o for o in task.get("output", ()) if code_of(o.get("type"), REFERRAL_OUTPUT) == code)


def _authorization(task: Resource, known: Mapping[str, Resource]) -> Iterator[str]:
    """Each number; the period beside the only one."""
    numbers = list(_outputs(task, "authorization"))
    periods = [_period(p) for p in _periods(task, known)]
    for number in numbers:
        yield f"Number {number}" + (f", {periods[0]}" if len(numbers) == len(periods) == 1 else "")
    if len(numbers) != 1:
        yield from (p.capitalize() for p in periods if numbers)


def _periods(task: Resource, known: Mapping[str, Resource]) -> Iterator[Resource]:
    own = {literal(b) for b in task.get("basedOn", ())}
    tasks = (t for t in known.values() if t["resourceType"] == "Task" and task_code(t) == "preauthorization")
    for other in sorted(tasks, key=lambda t: str(t["id"])):
        if other["status"] != "cancelled" and own & {literal(b) for b in other.get("basedOn", ())}:
            outputs = other.get("output", ())
            yield from (o["valuePeriod"] for o in outputs if code_of(o["type"], PREAUTHORIZATION_OUTPUT) == "period")


def _period(period: Resource) -> str:
    begins, ends = (str(period.get(end, "")) for end in ("start", "end"))
    return " ".join(f"{word} {_day(at)}" for word, at in (("from", begins), ("to", ends)) if at)


def _visits(task: Resource, known: Mapping[str, Resource], site: Site) -> Iterator[str]:
    own = {literal(b) for b in task.get("basedOn", ())}
    visits = [a for a in known.values() if a["resourceType"] == "Appointment" and a["status"] in VISIT]
    mine = [a for a in visits if own & {literal(b) for b in a.get("basedOn", ())} and "start" in a]
    for visit in sorted(mine, key=lambda a: (a["start"], a["id"])):
        place, zone = _place(visit, site)
        at = datetime.fromisoformat(visit["start"]).astimezone(zone)
        yield f"{at:%A}, {_day(at.date().isoformat())}, {at:%H:%M} ({zone.key}), {place}: {VISIT[visit['status']]}"


def _place(visit: Resource, site: Site) -> tuple[str, ZoneInfo]:
    """The site of a visit in our chairs, else the patient's home."""
    actors = [p.get("actor", {}).get("identifier", {}) for p in visit.get("participant", ())]
    found = (site.site(str(a.get("value"))) for a in actors if a.get("system") == SITE_ID)
    ours = next((s for s in found if s is not None), None)
    if ours is not None:
        return ours.name, ours.time_zone
    return "at the patient's home", site.home.time_zone if site.home else site.sites[0].time_zone


def _questions(task: Resource, known: Mapping[str, Resource]) -> Iterator[str]:
    for output in _of(task, "question"):
        asked = output["valueReference"]
        inputs = known.get(literal(asked) or "", {}).get("input", ())
        texts = [str(i["valueString"]) for i in inputs if "valueString" in i]
        yield str(asked.get("display") or (texts[0] if texts else code_of(_type(inputs), QUESTION) or "A question"))


def _type(inputs: Iterable[Resource]) -> Resource | None:
    return next((i.get("type") for i in inputs), None)


def _cut(lines: tuple[str, ...]) -> tuple[str, ...]:
    more = len(lines) - LONGEST
    return (*lines[:LONGEST], f"and {more} more; all of them are in the referral itself") if more > 0 else lines


def _day(text: str) -> str:
    """A FHIR date as a reader in the United States writes it; as much of it as is known."""
    try:
        found = date.fromisoformat(text[:10])
    except ValueError:
        return text
    return f"{found:%B} {found.day}, {found.year}"

"""Whom a notice about a patient goes to, and by which medium: himself, or who speaks for a minor; who cares for him."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date

from services.intake.facts import Facts
from services.intake.notices.language import OWN, languages, spoken
from services.intake.notices.wanted import TO_CARERS
from services.intake.records import day
from shared.core import Resource, reference
from shared.dates import day_range
from shared.messaging import MAIL, TEXT
from shared.policy import Figures

ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
SPEAKS_FOR_A_MINOR = frozenset({"GUARD", "PRN", "MTH", "FTH", "PRNFOST", "ADOPTP", "ADOPTM", "ADOPTF", "NPRN"})
"""HL7 v3 RoleCode: guardian and parents."""
CARES = frozenset({"CAREGIVER"})

_MEDIA = {"email": MAIL, "sms": TEXT, "phone": TEXT}
"""ContactPoint.system -> our medium."""
_NOT_WRITTEN_TO = frozenset({"old", "temp"})


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is written to: his reference, the media he can be reached by (best first), and his language."""

    reference: str
    media: tuple[str, ...]
    language: str
    asked_in: str | None = None

    @property
    def is_understood(self) -> bool:
        """Whether there are words in his own language."""
        return self.asked_in is None or self.asked_in in languages()


def contacts(person: Resource, on: date) -> tuple[tuple[str, str], ...]:
    """(medium, address) of every ContactPoint in use on a day, by rank, then as listed; a landline takes no text."""
    listed = [c for c in person.get("telecom", ()) if c.get("value") and _in_use(c, on)]
    ranked = sorted(listed, key=lambda c: int(c.get("rank", 99)))
    return tuple((_MEDIA[c["system"]], str(c["value"])) for c in ranked if _takes_text(c))


def _takes_text(contact: Resource) -> bool:
    system = contact.get("system")
    return system in _MEDIA and (system != "phone" or contact.get("use") == "mobile")


def _in_use(contact: Resource, on: date) -> bool:
    last = day(contact.get("period", {}).get("end"))
    return contact.get("use") not in _NOT_WRITTEN_TO and (last is None or on <= last)


def speaker(facts: Facts, on: date, figures: Figures) -> Recipient | None:
    """Who is told and asked: the first who may be and has an address for notices; None where nobody is known."""
    return next((_recipient(p, on) for p in speakers(facts, on, figures) if contacts(p, on)), None)


def speakers(facts: Facts, on: date, figures: Figures) -> Sequence[Resource]:
    """Who may be told and asked: the patient where he is of age, else his parents and guardians.

    A patient whose date of birth is unknown is not written to: he may be a child.
    """
    patient = facts.resources.get(f"Patient/{facts.patient}", {})
    years = age(patient, on)
    of_age = adult_from(patient, on, figures)
    if years is None or of_age is None:
        return []
    return [patient] if years >= of_age else _related(facts, SPEAKS_FOR_A_MINOR, on)


def carers(facts: Facts, on: date) -> tuple[Recipient, ...]:
    """Who cares for the patient and is told his times too."""
    return tuple(_recipient(p, on) for p in caring(facts, on) if contacts(p, on))


def caring(facts: Facts, on: date) -> Sequence[Resource]:
    """Who cares for the patient, with or without an address for notices."""
    return _related(facts, CARES, on)


def _related(facts: Facts, roles: AbstractSet[str], on: date) -> Sequence[Resource]:
    return [p for p in facts.of("RelatedPerson") if _is_still(p, roles, on)]


def readers(facts: Facts, code: str, on: date, figures: Figures) -> Sequence[Resource]:
    """Who may be given a notice of this code, with or without an address for it."""
    return (*speakers(facts, on, figures), *(caring(facts, on) if code in TO_CARERS else ()))


def may_read(person: Resource, code: str, on: date) -> bool:
    """Whether who was written to still is whom he was written to as: the patient, who speaks for him, or a carer."""
    roles = SPEAKS_FOR_A_MINOR | (CARES if code in TO_CARERS else frozenset())
    return person.get("resourceType") == "Patient" or _is_still(person, roles, on)


def _is_still(person: Resource, roles: AbstractSet[str], on: date) -> bool:
    """Whether a RelatedPerson is active and one of these to the patient on a day."""
    return person.get("active") is not False and bool(_roles(person) & roles) and _now(person, on)


def _roles(person: Resource) -> set[str]:
    codings = (c for r in person.get("relationship", ()) for c in r.get("coding", ()))
    return {str(c.get("code")) for c in codings if c.get("system") == ROLE_CODE}


def _now(person: Resource, on: date) -> bool:
    first, last = (day(person.get("period", {}).get(end)) for end in ("start", "end"))
    return (first is None or first <= on) and (last is None or on <= last)


def _recipient(person: Resource, on: date) -> Recipient:
    asked_in = spoken(person)
    tag = asked_in if asked_in in languages() else OWN
    return Recipient(reference(person), tuple(dict.fromkeys(m for m, _ in contacts(person, on))), str(tag), asked_in)


def age(patient: Resource, on: date) -> int | None:
    """Whole years on a day; an imprecise date of birth counts as its last day. None where it is unknown."""
    try:
        born = day_range(str(patient.get("birthDate", "")))[1]
    except ValueError:
        return None
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def adult_from(patient: Resource, on: date, figures: Figures) -> int | None:
    """Years from which he is written to himself, where he lives; None where the practice has no figure."""
    states = {str(a.get("state")) for a in patient.get("address", ())}
    found = figures.all("adult_from_years", on)
    own = [f for f in found if states & set(f.applies_to.get("state", ())) and f.applies_to["state"] != "any"]
    return max((int(f.value) for f in own or found if own or f.applies_to["state"] == "any"), default=None)

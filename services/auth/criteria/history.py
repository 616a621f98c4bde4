"""What criteria find in a patient's history: diagnoses, episodes, medicines tried, intolerances, what must not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

from services.auth.criteria.findings import (
    ACTIVE,
    DAYS,
    REFUTED,
    RXNORM,
    UNPROVEN,
    VERIFICATION,
    Chart,
    Finding,
    Rule,
    codes,
    is_called,
    status,
)
from services.auth.words import code_of, day, local_day, number
from shared.catalogue import drug, known
from shared.core import Resource

TAKEN = ("MedicationStatement", "MedicationRequest")


def condition(wanted: Rule, chart: Chart) -> Finding:
    """A diagnosis of these ICD-10-CM codes stands in the chart; where `active` is asked for, as active."""
    coded = [c for c in chart.of("Condition") if codes(c, tuple(wanted["icd10"]))]
    valid = [c for c in coded if _is_proven(c)]
    standing = [c for c in valid if not wanted.get("active") or status(c) in ACTIVE]
    if standing:
        return "met", standing[-1], ""
    if valid:
        return "not-met", valid[-1], "diagnosis-not-active"
    return "not-documented", None, "diagnosis-not-documented"


def episodes(wanted: Rule, chart: Chart) -> Finding:
    """So many episodes of these diagnoses began within so many days, each on a day of its own."""
    coded = [c for c in chart.of("Condition") if codes(c, tuple(wanted["icd10"])) and _is_proven(c)]
    begun = {on: c for c in coded if (on := _began(c, chart)) and _is_within(on, wanted, chart)}
    if len(begun) >= wanted["at_least"]:
        return "met", begun[max(begun)], ""
    return "not-documented", begun[max(begun)] if begun else None, f"{wanted['name']}-too-few"


def _began(found: Resource, chart: Chart) -> date | None:
    said = (found.get("onsetDateTime"), (found.get("onsetPeriod") or {}).get("start"), found.get("recordedDate"))
    return next((on for s in said if (on := local_day(s, chart.zone))), None)


def _is_within(on: date, wanted: Rule, chart: Chart) -> bool:
    return timedelta() <= chart.on - on <= timedelta(days=wanted["within_days"])


def _is_proven(found: Resource) -> bool:
    return code_of(found.get("verificationStatus"), VERIFICATION) not in UNPROVEN


# Medicines


def trial(wanted: Rule, chart: Chart) -> Finding:
    """A medicine of this kind was taken for at least so many days before the date of submission.

    Of several steps (`of`) at least `count` were; `since_days` says how long ago at most the last day of one may be.
    """
    steps = [_step(wanted | step, chart) for step in wanted.get("of", ({},))]
    met = [s for s in steps if s[0] == "met"]
    if len(met) >= wanted.get("count", 1):
        return met[-1]
    open_ = [s for s in steps if s[0] != "met"]
    return max(open_, key=lambda s: ("not-documented", "not-met").index(s[0]) + (s[1] is not None))


def _step(wanted: Rule, chart: Chart) -> Finding:
    taken = [m for kind in TAKEN for m in chart.of(kind) if _tried(m, wanted) and _is_recent(m, wanted, chart.on)]
    if not taken:
        return "not-documented", None, f"{wanted['name']}-not-documented"
    if not wanted["days"]:
        return "met", taken[-1], ""
    days, longest = max(((days_taken(m, chart.on), m) for m in taken), key=lambda t: -1 if t[0] is None else t[0])
    if days is None:
        return "not-documented", longest, f"{wanted['name']}-duration-not-documented"
    return ("met" if days >= wanted["days"] else "not-met"), longest, f"{wanted['name']}-too-short"


NOT_TAKEN = {"entered-in-error", "not-taken", "intended", "draft", "cancelled", "unknown"}
ORDERED = {"order", "original-order", "reflex-order", "instance-order"}
"""Intents of a prescription by which a medicine was given; a proposal or a plan proves nothing."""


def _tried(medication: Resource, wanted: Rule) -> bool:
    if medication.get("status") in NOT_TAKEN or medication.get("doNotPerform") is True:
        return False
    if medication["resourceType"] == "MedicationRequest" and medication.get("intent") not in ORDERED:
        return False
    return _names(_medicine(medication), wanted)


def _medicine(medication: Resource) -> Mapping[str, Any]:
    """The medicine as coded in place, else as the contained Medication has it."""
    wanted = str((medication.get("medicationReference") or {}).get("reference", ""))
    contained = (m.get("code") for m in medication.get("contained", ()) if wanted == f"#{m.get('id')}")
    return medication.get("medicationCodeableConcept") or next(contained, None) or {}


def _names(coded: Mapping[str, Any] | None, wanted: Rule) -> bool:
    """Whether a medicine is one of these: by RxNorm code, by a word in its text or display, or as a drug we know."""
    coded = coded or {}
    codings = coded.get("coding", ())
    if {c.get("code") for c in codings if c.get("system") == RXNORM} & set(wanted.get("rxnorm", ())):
        return True
    keys = wanted.get("drugs", ())
    words = (*wanted.get("words", ()), *(w for key in keys for w in _called(key)))
    return is_called(coded, words) or (bool(keys) and (found := known(codings)) is not None and found.key in keys)


@cache
def _called(key: str) -> tuple[str, ...]:
    """How a catalogue's drug is written out: its key, with and without hyphens, and its brand."""
    found = drug(key)
    brand = found.name.partition("(")[2].rstrip(")").lower() if found else ""
    return tuple(w for w in (key, key.replace("-", " "), brand) if w)


def _is_recent(medication: Resource, wanted: Rule, on: date) -> bool:
    """Whether it was still taken so many days ago, where that is asked for."""
    if "since_days" not in wanted:
        return True
    start, end = _taken_from_to(medication)
    return (start is not None and end is None) or (end is not None and (on - end).days <= wanted["since_days"])


def _taken_from_to(medication: Resource) -> tuple[date | None, date | None]:
    dosages: Sequence[Rule] = medication.get("dosageInstruction") or medication.get("dosage") or ({},)
    bounds = (dosages[0].get("timing") or {}).get("repeat") or {}
    dispensed = (medication.get("dispenseRequest") or {}).get("validityPeriod")
    period = medication.get("effectivePeriod") or dispensed or bounds.get("boundsPeriod") or {}
    return day(period.get("start")), day(period.get("end"))


def days_taken(medication: Resource, on: date) -> int | None:
    """Days a medicine was or has been taken until `on`, by its effective or validity period or the order's bounds."""
    start, end = _taken_from_to(medication)
    if start is not None:
        return (min(end or on, on) - start).days
    dosages: Sequence[Rule] = medication.get("dosageInstruction") or medication.get("dosage") or ({},)
    duration = ((dosages[0].get("timing") or {}).get("repeat") or {}).get("boundsDuration") or {}
    value, unit = number(duration.get("value")), DAYS.get(duration.get("code", ""))
    return None if value is None or unit is None else int(value * unit)


def intolerance(wanted: Rule, chart: Chart) -> Finding:
    """An intolerance of a medicine of this kind is recorded."""
    found = [a for a in chart.of("AllergyIntolerance") if _names(a.get("code"), wanted)]
    if standing := [a for a in found if not _is_denied(a)]:
        return "met", standing[-1], ""
    return "not-documented", None, f"{wanted['name']}-not-documented"


def _is_denied(allergy: Resource) -> bool:
    return any(c.get("code") in REFUTED for c in (allergy.get("verificationStatus") or {}).get("coding", ()))


def without(wanted: Rule, chart: Chart) -> Finding:
    """Nothing in the chart speaks against it: no active diagnosis of these, none of these medicines still taken.

    The one kind that is met without a resource: what is not there cannot be shown.
    """
    prefixes = tuple(wanted.get("icd10", ()))
    found = [c for c in chart.of("Condition") if prefixes and codes(c, prefixes) and status(c) in ACTIVE]
    against = [c for c in found if _is_proven(c)]
    against += [m for kind in TAKEN for m in chart.of(kind) if _is_taken_now(m, wanted, chart.on)]
    if against:
        return "not-met", against[-1], f"{wanted['name']}-excluded"
    return "met", None, ""


def _is_taken_now(medication: Resource, wanted: Rule, on: date) -> bool:
    _, end = _taken_from_to(medication)
    return medication.get("status") == "active" and (end is None or end >= on) and _tried(medication, wanted)

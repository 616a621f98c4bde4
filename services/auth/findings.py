"""What each kind of criterion looks at in a chart: laboratory values, diagnoses, treatments tried, results, documents.

Law of this file: a finding is `met` or `not-met` only by a resource that shows it; without one it is `not-documented`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

from services.auth.words import ICD_10_CM, code_of, day, number
from shared.core import Resource

Rule = Mapping[str, Any]
Finding = tuple[Literal["met", "not-met", "not-documented"], Resource | None, str]
"""Verdict, the resource that shows it, and the gap where the verdict is not `met`."""

LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
DAY = Decimal(1)
DAYS = {"d": DAY, "wk": 7 * DAY, "mo": 30 * DAY, "a": 365 * DAY}
"""Days in a UCUM unit of time; a month counts 30 days."""

PREGNANCY = ("O", "Z33.1", "Z34", "Z3A")
ACTIVE = {"active", "recurrence", "relapse"}
REFUTED = {"refuted", "entered-in-error"}
REPORTED = {"final", "amended", "corrected"}


@dataclass(frozen=True, slots=True)
class Chart:
    """What criteria are judged on: one patient's received resources, on the date of submission."""

    patient: Resource | None
    resources: tuple[Resource, ...]
    on: date

    def of(self, *types: str) -> tuple[Resource, ...]:
        """Resources of these types, oldest first."""
        return tuple(r for r in self.resources if r["resourceType"] in types)


# Laboratory values


def _lab(lab: Rule, chart: Chart) -> Finding:
    """The latest reported value of this analyte lies within the age limit and on the right side of the threshold."""
    latest = _latest(_reported(lab["loinc"], chart), chart.on)
    if latest is None:
        return "not-documented", None, "lab-not-documented"
    if chart.on - _collected(latest) > timedelta(days=lab["within_days"]):
        return "not-documented", latest, "lab-too-old"
    value = measured(latest, lab["units"])
    if value is None:
        return "not-documented", latest, "lab-unit-unknown"
    return _compared(lab, value, latest, chart)


def _compared(lab: Rule, value: Decimal, observation: Resource, chart: Chart) -> Finding:
    word, limit = next((w, Decimal(str(_limit(lab[w], chart)))) for w in COMPARISONS if w in lab)
    low = str(observation["valueQuantity"].get("comparator", "")).startswith("<")
    high = str(observation["valueQuantity"].get("comparator", "")).startswith(">")
    below = word in ("below", "at_most")
    if (low and below and value <= limit) or (high and not below and value >= limit):
        return "met", observation, ""
    if (low and value > limit) or (high and value < limit):
        return "not-documented", observation, "lab-value-open"
    met = COMPARISONS[word](value, limit) and not (low or high)
    return ("met" if met else "not-met"), observation, "threshold-not-met"


COMPARISONS = {
    "below": Decimal.__lt__,
    "at_most": Decimal.__le__,
    "above": Decimal.__gt__,
    "at_least": Decimal.__ge__,
}


def _limit(limits: Any, chart: Chart) -> Any:
    """The threshold for this patient's group; the stricter of the two where the gender is not known."""
    if not isinstance(limits, Mapping):
        return limits
    group = "pregnant" if "pregnant" in limits and _pregnant(chart) else (chart.patient or {}).get("gender")
    known = [limits[k] for k in ("male", "female") if k in limits]
    return limits.get(group, min(known))


def _pregnant(chart: Chart) -> bool:
    return any(_codes(c, PREGNANCY) and _status(c) in ACTIVE for c in chart.of("Condition"))


def _reported(loinc: Sequence[str], chart: Chart) -> list[Resource]:
    return [
        o
        for o in chart.of("Observation")
        if o.get("status") in REPORTED and any(code_of(o.get("code"), LOINC) == c for c in loinc)
    ]


def _latest(observations: Iterable[Resource], on: date) -> Resource | None:
    dated = [o for o in observations if _when(o) is not None and _collected(o) <= on]
    return max(reversed(dated), key=lambda o: str(_when(o)), default=None)


def _when(observation: Resource) -> str | None:
    when = observation.get("effectiveDateTime") or (observation.get("effectivePeriod") or {}).get("start")
    return when if day(when) else observation.get("issued")


def _collected(observation: Resource) -> date:
    return day(_when(observation)) or date.min


def measured(observation: Resource, units: Mapping[str, Any]) -> Decimal | None:
    """The value in the first unit of `units` (unit -> factor), or None for a unit nobody named."""
    quantity = observation.get("valueQuantity") or {}
    factor = units.get(str(quantity.get("code")), units.get(str(quantity.get("unit"))))
    value = number(quantity.get("value"))
    return None if factor is None or value is None else value * Decimal(str(factor))


def latest_value(chart: Chart, loinc: Sequence[str], units: Mapping[str, Any]) -> tuple[Decimal, Resource] | None:
    """The latest reported value of an analyte in the first unit of `units`, with its Observation."""
    latest = _latest(_reported(loinc, chart), chart.on)
    value = None if latest is None else measured(latest, units)
    return None if latest is None or value is None else (value, latest)


# Diagnoses, treatments tried, results and documents


def _condition(wanted: Rule, chart: Chart) -> Finding:
    """A diagnosis of these ICD-10-CM codes stands in the chart; where `active` is asked for, as active."""
    coded = [c for c in chart.of("Condition") if _codes(c, tuple(wanted["icd10"]))]
    valid = [c for c in coded if code_of(c.get("verificationStatus"), VERIFICATION) not in REFUTED]
    standing = [c for c in valid if not wanted.get("active") or _status(c) in ACTIVE]
    if standing:
        return "met", standing[-1], ""
    if valid:
        return "not-met", valid[-1], "diagnosis-not-active"
    return "not-documented", None, "diagnosis-not-documented"


CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def _codes(condition: Resource, prefixes: tuple[str, ...]) -> bool:
    return any(
        c.get("system") == ICD_10_CM and str(c.get("code", "")).startswith(prefixes)
        for c in (condition.get("code") or {}).get("coding", ())
    )


def _status(condition: Resource) -> str | None:
    return code_of(condition.get("clinicalStatus"), CLINICAL)


def _trial(wanted: Rule, chart: Chart) -> Finding:
    """A medicine of this kind was taken for at least so many days before the date of submission."""
    taken = [
        (days_taken(m, chart.on), m) for m in chart.of("MedicationStatement", "MedicationRequest") if _tried(m, wanted)
    ]
    if not taken:
        return "not-documented", None, f"{wanted['name']}-not-documented"
    if not wanted["days"]:
        return "met", taken[-1][1], ""
    days, longest = max(taken, key=lambda t: -1 if t[0] is None else t[0])
    if days is None:
        return "not-documented", longest, f"{wanted['name']}-duration-not-documented"
    return ("met" if days >= wanted["days"] else "not-met"), longest, f"{wanted['name']}-too-short"


NOT_TAKEN = {"entered-in-error", "not-taken", "intended", "draft", "cancelled", "unknown"}


def _tried(medication: Resource, wanted: Rule) -> bool:
    if medication.get("status") in NOT_TAKEN or medication.get("intent") == "filler-order":
        return False
    return _names(medication.get("medicationCodeableConcept"), wanted)


def _names(coded: Mapping[str, Any] | None, wanted: Rule) -> bool:
    """Whether a medicine is one of these: by RxNorm code, or by a word in its text or display."""
    codings = (coded or {}).get("coding", ())
    words = " ".join([str((coded or {}).get("text", "")), *(str(c.get("display", "")) for c in codings)]).lower()
    codes = {c.get("code") for c in codings if c.get("system") == RXNORM}
    return bool(codes & set(wanted.get("rxnorm", ()))) or any(w in words for w in wanted.get("words", ()))


def days_taken(medication: Resource, on: date) -> int | None:
    """Days a medicine was or has been taken until `on`, by its effective or validity period or the order's bounds."""
    dosages: Sequence[Rule] = medication.get("dosageInstruction") or medication.get("dosage") or ({},)
    timing = dosages[0].get("timing") or {}
    bounds = timing.get("repeat") or {}
    dispensed = (medication.get("dispenseRequest") or {}).get("validityPeriod")
    period = medication.get("effectivePeriod") or dispensed or bounds.get("boundsPeriod") or {}
    start, end = day(period.get("start")), day(period.get("end"))
    if start is not None:
        return (min(end or on, on) - start).days
    duration = bounds.get("boundsDuration") or {}
    value, unit = number(duration.get("value")), DAYS.get(duration.get("code", ""))
    return None if value is None or unit is None else int(value * unit)


def _intolerance(wanted: Rule, chart: Chart) -> Finding:
    """An intolerance of a medicine of this kind is recorded."""
    found = [a for a in chart.of("AllergyIntolerance") if _names(a.get("code"), wanted)]
    refuted = [a for a in found if any(c.get("code") in REFUTED for c in _codings(a.get("verificationStatus")))]
    if standing := [a for a in found if a not in refuted]:
        return "met", standing[-1], ""
    return "not-documented", None, f"{wanted['name']}-not-documented"


def _result(wanted: Rule, chart: Chart) -> Finding:
    """A test of these codes was reported within the age limit, and is negative."""
    latest = _latest(_reported(wanted["loinc"], chart), chart.on)
    if latest is None:
        return "not-documented", None, f"{wanted['name']}-not-documented"
    if chart.on - _collected(latest) > timedelta(days=wanted["within_days"]):
        return "not-documented", latest, f"{wanted['name']}-too-old"
    said = [latest.get("valueCodeableConcept") or {}, *latest.get("interpretation", ())]
    codes = {c.get("code") for concept in said for c in _codings(concept)}
    texts = [str(latest.get("valueString", "")), *(str(c.get("text", "")) for c in said)]
    negative = codes & NEGATIVE or any(t.strip().lower().startswith(NEGATIVE_WORDS) for t in texts)
    if not negative and not codes and not any(texts):
        return "not-documented", latest, f"{wanted['name']}-without-result"
    return ("met" if negative else "not-met"), latest, f"{wanted['name']}-not-negative"


NEGATIVE = {"260385009", "260415000", "LA6577-6", "LA24520-5", "NEG", "ND", "NR"}
"""SNOMED CT, LOINC and v3 codes of a negative or undetected result."""

NEGATIVE_WORDS = ("negative", "not detected", "nonreactive", "non-reactive")


def _document(wanted: Rule, chart: Chart) -> Finding:
    """A current document of one of these LOINC types is in the chart."""
    for document in reversed(chart.of("DocumentReference")):
        if document.get("status") == "current" and code_of(document.get("type"), LOINC) in wanted["loinc"]:
            return "met", document, ""
    return "not-documented", None, f"{wanted['name']}-not-documented"


def _codings(coded: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    return (coded or {}).get("coding") or ()


KINDS = {
    "lab": _lab,
    "condition": _condition,
    "trial": _trial,
    "intolerance": _intolerance,
    "result": _result,
    "document": _document,
}
"""What a criterion may look at: the key in the policy -> the function that judges it."""

"""What each kind of criterion looks at in a chart: laboratory values, diagnoses, treatments tried, results, documents.

Law of this file: a finding is `met` or `not-met` only by a resource that shows it; without one it is `not-documented`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Literal

from services.auth.words import ICD_10_CM, code_of, day, instant, local_day, number
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
UNPROVEN = REFUTED | {"unconfirmed", "provisional", "differential"}
REPORTED = {"final", "amended", "corrected"}


@dataclass(frozen=True, slots=True)
class Chart:
    """What criteria are judged on: one patient's received resources, on the date of submission by the site's clock."""

    patient: Resource | None
    resources: tuple[Resource, ...]
    on: date
    zone: tzinfo = UTC

    def of(self, *types: str) -> tuple[Resource, ...]:
        """Resources of these types, oldest first."""
        return tuple(r for r in self.resources if r["resourceType"] in types)


# Laboratory values


def _lab(lab: Rule, chart: Chart) -> Finding:
    """The latest reported value of this analyte lies within the age limit and on the right side of the threshold."""
    latest = _latest(lab["loinc"], chart)
    if latest is None:
        return "not-documented", None, "lab-not-documented"
    if chart.on - _collected(latest, chart) > timedelta(days=lab["within_days"]):
        return "not-documented", latest, "lab-too-old"
    value = measured(latest, lab["units"])
    if value is None:
        return "not-documented", latest, "lab-unit-unknown"
    return _compared(lab, value, latest, chart)


def _compared(lab: Rule, value: Decimal, observation: Resource, chart: Chart) -> Finding:
    """A bounded value decides only where everything within its bound is on one side of the threshold."""
    word, limit = next((w, Decimal(str(_limit(lab[w], chart)))) for w in COMPARISONS if w in lab)
    least, most = BOUNDS.get(observation["valueQuantity"].get("comparator"), (ZERO, ZERO))
    met = {COMPARISONS[word](value + end, limit) for end in (least, most)}
    if len(met) > 1:
        return "not-documented", observation, "lab-value-open"
    return ("met", observation, "") if met == {True} else ("not-met", observation, "threshold-not-met")


ZERO, FAR, NEAR = Decimal(0), Decimal("Infinity"), Decimal("1e-12")
BOUNDS = {"<": (-FAR, -NEAR), "<=": (-FAR, ZERO), ">=": (ZERO, FAR), ">": (NEAR, FAR)}
"""Comparator -> how far below and above its number the true value may lie."""

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
    return any(_codes(c, PREGNANCY) and _status(c) in ACTIVE and not is_refuted(c) for c in chart.of("Condition"))


def _reported(loinc: Sequence[str], chart: Chart) -> list[Resource]:
    return [
        o
        for o in chart.of("Observation")
        if o.get("status") in REPORTED
        and any(c.get("system") == LOINC and c.get("code") in loinc for c in _codings(o.get("code")))
    ]


def _latest(loinc: Sequence[str], chart: Chart) -> Resource | None:
    """The reported value of an analyte collected last, not after the date of submission."""
    dated = [o for o in _reported(loinc, chart) if _when(o) and _collected(o, chart) <= chart.on]
    return max(reversed(dated), key=lambda o: instant(_when(o) or "", chart.zone), default=None)


def _when(observation: Resource) -> str | None:
    """When a specimen was collected or a value taken; where that is not said to the day, when it was reported."""
    period = observation.get("effectivePeriod") or {}
    said = (observation.get("effectiveDateTime"), observation.get("effectiveInstant"), period.get("start"))
    return next((w for w in (*said, period.get("end"), observation.get("issued")) if day(w)), None)


def _collected(observation: Resource, chart: Chart) -> date:
    return local_day(_when(observation), chart.zone) or date.min


def measured(observation: Resource, units: Mapping[str, Any]) -> Decimal | None:
    """The value in the first unit of `units` (unit -> factor), or None for a unit nobody named."""
    quantity = observation.get("valueQuantity") or {}
    factor = units.get(str(quantity.get("code")), units.get(str(quantity.get("unit"))))
    value = number(quantity.get("value"))
    return None if factor is None or value is None else value * Decimal(str(factor))


def latest_value(chart: Chart, loinc: Sequence[str], units: Mapping[str, Any]) -> tuple[Decimal, Resource] | None:
    """The latest reported value of an analyte in the first unit of `units`, with its Observation."""
    latest = _latest(loinc, chart)
    value = None if latest is None else measured(latest, units)
    exact = latest is not None and "comparator" not in latest.get("valueQuantity", {})
    return (value, latest) if latest is not None and value is not None and exact else None


# Diagnoses, treatments tried, results and documents


def _condition(wanted: Rule, chart: Chart) -> Finding:
    """A diagnosis of these ICD-10-CM codes stands in the chart; where `active` is asked for, as active."""
    coded = [c for c in chart.of("Condition") if _codes(c, tuple(wanted["icd10"]))]
    valid = [c for c in coded if code_of(c.get("verificationStatus"), VERIFICATION) not in UNPROVEN]
    standing = [c for c in valid if not wanted.get("active") or _status(c) in ACTIVE]
    if standing:
        return "met", standing[-1], ""
    if valid:
        return "not-met", valid[-1], "diagnosis-not-active"
    return "not-documented", None, "diagnosis-not-documented"


CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def is_refuted(condition: Resource) -> bool:
    """Whether a condition was ruled out or recorded by mistake."""
    return code_of(condition.get("verificationStatus"), VERIFICATION) in REFUTED


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
ORDERED = {"order", "original-order", "reflex-order", "instance-order"}
"""Intents of a prescription by which a medicine was given; a proposal or a plan proves nothing."""


def _tried(medication: Resource, wanted: Rule) -> bool:
    if medication.get("status") in NOT_TAKEN or medication.get("doNotPerform") is True:
        return False
    if medication["resourceType"] == "MedicationRequest" and medication.get("intent") not in ORDERED:
        return False
    return _names(_medicine(medication), wanted)


def _medicine(medication: Resource) -> Mapping[str, Any] | None:
    """The medicine as coded in place, else as the contained Medication has it."""
    wanted = str((medication.get("medicationReference") or {}).get("reference", ""))
    contained = (m.get("code") for m in medication.get("contained", ()) if wanted == f"#{m.get('id')}")
    return medication.get("medicationCodeableConcept") or next(contained, None)


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
    latest = _latest(wanted["loinc"], chart)
    if latest is None:
        return "not-documented", None, f"{wanted['name']}-not-documented"
    if chart.on - _collected(latest, chart) > timedelta(days=wanted["within_days"]):
        return "not-documented", latest, f"{wanted['name']}-too-old"
    said = _said(latest)
    if not said:
        return "not-documented", latest, f"{wanted['name']}-without-result"
    return ("met" if all(map(_is_negative, said)) else "not-met"), latest, f"{wanted['name']}-not-negative"


def _said(observation: Resource) -> list[Mapping[str, Any]]:
    """The result in words or codes; where there is none, its interpretation."""
    value = [observation.get("valueCodeableConcept") or {}, {"text": observation.get("valueString", "")}]
    told = [v for v in value if v.get("text") or _codings(v)]
    return told or [i for i in observation.get("interpretation", ()) if i.get("text") or _codings(i)]


def _is_negative(said: Mapping[str, Any]) -> bool:
    coded = {c.get("code") for c in _codings(said)} & NEGATIVE
    return bool(coded) or str(said.get("text", "")).strip().lower().startswith(NEGATIVE_WORDS)


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

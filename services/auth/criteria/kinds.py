"""What a criterion may look at, and how each kind is judged: the table is at the foot."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.auth.criteria.findings import LOINC, Chart, Finding, Rule, is_called, lab, latest, latest_value, too_old
from services.auth.criteria.history import condition, episodes, intolerance, trial, without
from services.auth.criteria.regimen import KILOGRAMS, WEIGHT
from services.auth.criteria.thresholds import completed_years
from services.auth.words import code_of, day, local_day
from shared.core import Resource

NUCC = "http://nucc.org/provider-taxonomy"


def result(wanted: Rule, chart: Chart) -> Finding:
    """A test of these codes was reported within the age limit, and says what is asked for, or else is negative."""
    found = latest(wanted, chart)
    if found is None:
        return "not-documented", None, f"{wanted['name']}-not-documented"
    if too_old(found, wanted, chart):
        return "not-documented", found, f"{wanted['name']}-too-old"
    said = _said(found)
    if not said:
        return "not-documented", found, f"{wanted['name']}-without-result"
    if "says" in wanted:
        return ("met" if any(_says(s, wanted["says"]) for s in said) else "not-met"), found, f"{wanted['name']}-other"
    return ("met" if all(map(_is_negative, said)) else "not-met"), found, f"{wanted['name']}-not-negative"


def _said(observation: Resource) -> list[Mapping[str, Any]]:
    """The result in words or codes; where there is none, its interpretation."""
    value = [observation.get("valueCodeableConcept") or {}, {"text": observation.get("valueString", "")}]
    told = [v for v in value if v.get("text") or _codings(v)]
    return told or [i for i in observation.get("interpretation", ()) if i.get("text") or _codings(i)]


def _says(said: Mapping[str, Any], wanted: Sequence[str]) -> bool:
    """Whether a result is one of these codes, or begins with one of these words, whole."""
    coded = {str(c.get("code")).lower() for c in _codings(said)}
    texts = [str(said.get("text", "")), *(str(c.get("display", "")) for c in _codings(said))]
    begins = re.compile("|".join(rf"{re.escape(w)}(?![a-z0-9])" for w in wanted))
    return bool(coded & set(wanted)) or any(begins.match(t.strip().lower()) for t in texts if t)


def _is_negative(said: Mapping[str, Any]) -> bool:
    coded = {c.get("code") for c in _codings(said)} & NEGATIVE
    return bool(coded) or str(said.get("text", "")).strip().lower().startswith(NEGATIVE_WORDS)


NEGATIVE = {"260385009", "260415000", "LA6577-6", "LA24520-5", "NEG", "ND", "NR"}
"""SNOMED CT, LOINC and v3 codes of a negative or undetected result."""

NEGATIVE_WORDS = ("negative", "not detected", "nonreactive", "non-reactive")


def document(wanted: Rule, chart: Chart) -> Finding:
    """A current document of one of these LOINC types is in the chart; where `within_days` is asked for, so young."""
    of_type = [
        d
        for d in chart.of("DocumentReference")
        if d.get("status") == "current" and code_of(d.get("type"), LOINC) in wanted["loinc"]
    ]
    if "about" in wanted:
        of_type = [d for d in of_type if is_called({"text": d.get("description", "")}, wanted["about"])]
    young = [d for d in of_type if "within_days" not in wanted or _is_young(d, wanted, chart)]
    if young:
        return "met", young[-1], ""
    old = of_type[-1] if of_type else None
    return "not-documented", old, f"{wanted['name']}-too-old" if old else f"{wanted['name']}-not-documented"


def _is_young(found: Resource, wanted: Rule, chart: Chart) -> bool:
    context = (found.get("context") or {}).get("period") or {}
    written = local_day(context.get("start") or found.get("date"), chart.zone)
    return written is not None and timedelta() <= chart.on - written <= timedelta(days=wanted["within_days"])


def age(wanted: Rule, chart: Chart) -> Finding:
    """The patient is of this age on the date of submission, by the birth date."""
    born = day((chart.patient or {}).get("birthDate"))
    if born is None:
        return "not-documented", chart.patient, "birth-date-not-documented"
    completed = COMPLETED[wanted.get("unit", "a")](born, chart.on)
    met = wanted.get("at_least", 0) <= completed < wanted.get("below", completed + 1)
    return ("met" if met else "not-met"), chart.patient, "age-not-met"


def _completed_months(born: date, on: date) -> int:
    return 12 * (on.year - born.year) + on.month - born.month - (on.day < born.day)


COMPLETED: Mapping[str, Callable[[date, date], int]] = {"a": completed_years, "mo": _completed_months}


def specialty(wanted: Rule, chart: Chart) -> Finding:
    """Who ordered is of one of these specialties; where `consulted` is enough, or who wrote a current document is."""
    if chart.requester is not None and _is_of(chart.requester, wanted):
        return "met", chart.requester, ""
    notes = [d for d in chart.of("DocumentReference") if d.get("status") == "current" and wanted.get("consulted")]
    if written := [d for d in notes if _is_written_by(d, wanted, chart)]:
        return "met", written[-1], ""
    if chart.requester is None or not _specialties(chart.requester):
        return "not-documented", chart.requester, "prescriber-specialty-not-documented"
    return "not-met", chart.requester, "prescriber-specialty-not-met"


def _is_written_by(note: Resource, wanted: Rule, chart: Chart) -> bool:
    setting = (note.get("context") or {}).get("practiceSetting")
    authors = {a.get("reference") for a in note.get("author", ())}
    roles = [r for r in chart.of("PractitionerRole") if f"PractitionerRole/{r['id']}" in authors]
    return any(_is_one_of(c, wanted) for c in [setting, *(s for r in roles for s in _specialties(r))] if c)


def _is_of(who: Resource, wanted: Rule) -> bool:
    return any(_is_one_of(s, wanted) for s in _specialties(who))


def _specialties(who: Resource) -> list[Mapping[str, Any]]:
    return [*who.get("specialty", ()), *(q["code"] for q in who.get("qualification", ()) if "code" in q)]


def _is_one_of(coded: Mapping[str, Any], wanted: Rule) -> bool:
    nucc = {c.get("code") for c in _codings(coded) if c.get("system") == NUCC}
    return bool(nucc & set(wanted["nucc"])) or is_called(coded, wanted["words"])


def quantity(wanted: Rule, chart: Chart) -> Finding:
    """What is ordered lies within what the payer approves: of one dose, of all, how many, how many days apart."""
    doses = chart.doses
    if doses is None or isinstance(doses, str):
        return "not-documented", chart.medication, doses or "dose-missing"
    weight = latest_value(chart, WEIGHT, KILOGRAMS)
    if weight is None and any(key in wanted for key in ("dose_per_kg", "total_per_kg")):
        return "not-documented", chart.medication, "weight-not-documented"
    kilograms = weight[0] if weight else Decimal(0)
    over = (
        max(doses.amounts) > _allowed(wanted, "dose", kilograms)
        or sum(doses.amounts) > _allowed(wanted, "total", kilograms)
        or len(doses.amounts) > wanted.get("doses", len(doses.amounts))
    )
    if over or _is_too_soon(wanted, doses.every, len(doses.amounts)):
        return "not-met", chart.medication, "quantity-not-met"
    return "met", chart.medication, ""


def _allowed(wanted: Rule, name: str, kilograms: Decimal) -> Decimal:
    flat = Decimal(str(wanted[name])) if name in wanted else Decimal("Infinity")
    by_weight = f"{name}_per_kg"
    return min(flat, Decimal(str(wanted[by_weight])) * kilograms) if by_weight in wanted else flat


def _is_too_soon(wanted: Rule, every: Decimal | None, doses: int) -> bool:
    return doses > 1 and every is not None and every < 24 * wanted.get("days_between", 0)


def _codings(coded: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    return (coded or {}).get("coding") or ()


KINDS: Mapping[str, Callable[[Rule, Chart], Finding]] = {
    "lab": lab,
    "condition": condition,
    "episodes": episodes,
    "trial": trial,
    "intolerance": intolerance,
    "without": without,
    "result": result,
    "document": document,
    "age": age,
    "specialty": specialty,
    "quantity": quantity,
}
"""What a criterion may look at: the key in the policy -> the function that judges it (`schema.py` says its keys)."""

"""What criteria find in a chart's results: the value that decides, on which side of this patient's threshold it lies.

Law of this file: a finding is `met` or `not-met` only by a resource that shows it; without one it is `not-documented`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Literal, Protocol

from services.auth.criteria.thresholds import Group, limit
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


class Doses(Protocol):
    """The doses of an order, first to last, in the drug's own measure, and the hours between two."""

    @property
    def amounts(self) -> tuple[Decimal, ...]: ...
    @property
    def every(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class Chart:
    """What criteria are judged on: one patient's received resources, on the date of submission by the site's clock.

    requester   the PractitionerRole or Practitioner who ordered.
    medication  the order's own MedicationRequest, which is no part of `resources`.
    doses       what it orders, or the gap that keeps it from being counted.
    """

    patient: Resource | None
    resources: tuple[Resource, ...]
    on: date
    zone: tzinfo = UTC
    requester: Resource | None = None
    medication: Resource | None = None
    doses: Doses | str | None = None
    _by_type: Mapping[str, tuple[Resource, ...]] = field(init=False, repr=False, compare=False)
    _by_loinc: dict[str, list[Resource]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _dated: dict[tuple[str, ...], list[Resource]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            found.setdefault(resource["resourceType"], []).append(resource)
        object.__setattr__(self, "_by_type", {kind: tuple(known) for kind, known in found.items()})

    def of(self, kind: str) -> tuple[Resource, ...]:
        """Resources of a type, oldest first."""
        return self._by_type.get(kind, ())

    def dated(self, wanted: Rule) -> list[Resource]:
        """Every reported result of an analyte collected up to the date of submission, oldest first; worked out once."""
        key = (*wanted.get("loinc", ()), "", *wanted.get("called", ()))
        if key not in self._dated:
            found = [o for o in self._reported(wanted) if when(o) and collected(o, self) <= self.on]
            self._dated[key] = sorted(found, key=lambda o: instant(when(o) or "", self.zone))
        return self._dated[key]

    def _reported(self, wanted: Rule) -> list[Resource]:
        """The reported results of an analyte, as received: by LOINC code, or by what it is called."""
        if not self._by_loinc:
            self._by_loinc[""] = [o for o in self.of("Observation") if o.get("status") in REPORTED]
            for observation in self._by_loinc[""]:
                for coding in (observation.get("code") or {}).get("coding", ()):
                    if coding.get("system") == LOINC and "code" in coding:
                        self._by_loinc.setdefault(coding["code"], []).append(observation)
        coded = {id(o) for code in wanted.get("loinc", ()) for o in self._by_loinc.get(code, ())}
        words = wanted.get("called")
        if not coded and not words:
            return []
        return [o for o in self._by_loinc[""] if id(o) in coded or (words and is_called(o.get("code") or {}, words))]

    @property
    def group(self) -> Group:
        """What decides which threshold is this patient's."""
        patient = self.patient or {}
        standing = [c for c in self.of("Condition") if status(c) in ACTIVE and not is_refuted(c)]
        return Group(
            sex=patient.get("gender"),
            born=day(patient.get("birthDate")),
            pregnant=any(codes(c, PREGNANCY) for c in standing),
            diagnoses=tuple(code for c in standing if (code := code_of(c.get("code"), ICD_10_CM))),
            on=self.on,
        )


def lab(wanted: Rule, chart: Chart) -> Finding:
    """The latest reported value of this analyte is young enough and on the right side of the threshold.

    Where it is wanted several times, so many values are, each so many days after the one before.
    """
    found = latest(wanted, chart)
    if found is None:
        return "not-documented", None, "lab-not-documented"
    if too_old(found, wanted, chart):
        return "not-documented", found, "lab-too-old"
    return _repeated(wanted, chart) if "times" in wanted else _judged(wanted, found, chart)


def _judged(wanted: Rule, observation: Resource, chart: Chart) -> Finding:
    value = measured(observation, wanted["units"])
    if value is None:
        return "not-documented", observation, "lab-unit-unknown"
    return _compared(wanted, value, observation, chart)


def _repeated(wanted: Rule, chart: Chart) -> Finding:
    """Enough values far enough apart, the last of them all on the right side."""
    apart: list[Resource] = []
    for observation in (o for o in chart.dated(wanted) if not too_old(o, wanted, chart)):
        if not apart or (collected(observation, chart) - collected(apart[-1], chart)).days >= wanted["apart_days"]:
            apart.append(observation)
    if len(apart) < wanted["times"]:
        return "not-documented", apart[-1], "lab-not-repeated"
    judged = [_judged(wanted, o, chart) for o in apart[-wanted["times"] :]]
    return next((j for j in judged if j[0] != "met"), judged[-1])


def _compared(wanted: Rule, value: Decimal, observation: Resource, chart: Chart) -> Finding:
    """A bounded value decides only where everything within its bound is on one side of the threshold."""
    word = next(w for w in COMPARISONS if w in wanted)
    threshold = _threshold(wanted, word, chart)
    if wanted.get("of_upper_limit"):
        upper = _upper_limit(observation, wanted["units"])
        if upper is None:
            return "not-documented", observation, "lab-without-reference-range"
        threshold *= upper
    least, most = BOUNDS.get(observation["valueQuantity"].get("comparator"), (ZERO, ZERO))
    met = {COMPARISONS[word](value + end, threshold) for end in (least, most)}
    if len(met) > 1:
        return "not-documented", observation, "lab-value-open"
    return ("met", observation, "") if met == {True} else ("not-met", observation, "threshold-not-met")


def _threshold(wanted: Rule, word: str, chart: Chart) -> Decimal:
    if isinstance(wanted[word], Mapping | list):
        return limit(wanted[word], chart.group, lowest=word in ("below", "at_most"))
    return Decimal(str(wanted[word]))


ZERO, FAR, NEAR = Decimal(0), Decimal("Infinity"), Decimal("1e-12")
BOUNDS = {"<": (-FAR, -NEAR), "<=": (-FAR, ZERO), ">=": (ZERO, FAR), ">": (NEAR, FAR)}
"""Comparator -> how far below and above its number the true value may lie."""

COMPARISONS = {
    "below": Decimal.__lt__,
    "at_most": Decimal.__le__,
    "above": Decimal.__gt__,
    "at_least": Decimal.__ge__,
}


def _upper_limit(observation: Resource, units: Mapping[str, Any]) -> Decimal | None:
    """The laboratory's own upper limit of what is normal, in the first unit of `units`."""
    ranges: Sequence[Rule] = observation.get("referenceRange") or ({},)
    return measured({"valueQuantity": ranges[0].get("high") or {}}, units)


# Which result decides, and when it was taken


def latest(wanted: Rule, chart: Chart) -> Resource | None:
    """The reported result collected last, not after the date of submission; of one instant, the one received last."""
    found = chart.dated(wanted)
    return found[-1] if found else None


def too_old(observation: Resource, wanted: Rule, chart: Chart) -> bool:
    """Whether a result is older than the payer allows."""
    return chart.on - collected(observation, chart) > timedelta(days=wanted["within_days"])


def is_called(coded: Rule, words: Sequence[str]) -> bool:
    """Whether one of these words stands in a concept's text or displays."""
    said: str = coded.get("text") or ""
    for coding in coded.get("coding", ()):
        said += " " + coding.get("display", "")
    said = said.lower()
    return any(w in said for w in words) if said.strip() else False


def when(observation: Resource) -> str | None:
    """When a specimen was collected or a value taken; where that is not said to the day, when it was reported."""
    period = observation.get("effectivePeriod") or {}
    said = (observation.get("effectiveDateTime"), observation.get("effectiveInstant"), period.get("start"))
    return next((w for w in (*said, period.get("end"), observation.get("issued")) if day(w)), None)


def collected(observation: Resource, chart: Chart) -> date:
    """The day of a result by the site's clock."""
    return local_day(when(observation), chart.zone) or date.min


def measured(observation: Resource, units: Mapping[str, Any]) -> Decimal | None:
    """The value in the first unit of `units` (unit -> factor), or None for a unit nobody named."""
    quantity = observation.get("valueQuantity") or {}
    factor = units.get(str(quantity.get("code")), units.get(str(quantity.get("unit"))))
    value = number(quantity.get("value"))
    return None if factor is None or value is None else value * Decimal(str(factor))


def latest_value(chart: Chart, loinc: Sequence[str], units: Mapping[str, Any]) -> tuple[Decimal, Resource] | None:
    """The latest reported value of an analyte in the first unit of `units`, with its Observation."""
    found = latest({"loinc": loinc}, chart)
    value = None if found is None else measured(found, units)
    exact = found is not None and "comparator" not in found.get("valueQuantity", {})
    return (value, found) if found is not None and value is not None and exact else None


# Diagnoses as every kind of criterion reads them


CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def is_refuted(condition: Resource) -> bool:
    """Whether a condition was ruled out or recorded by mistake."""
    return code_of(condition.get("verificationStatus"), VERIFICATION) in REFUTED


def codes(condition: Resource, prefixes: tuple[str, ...]) -> bool:
    """Whether a condition has an ICD-10-CM code that begins like one of these."""
    return any(
        c.get("system") == ICD_10_CM and str(c.get("code", "")).startswith(prefixes)
        for c in (condition.get("code") or {}).get("coding", ())
    )


def status(condition: Resource) -> str | None:
    """The clinical status of a condition."""
    return code_of(condition.get("clinicalStatus"), CLINICAL)

"""Reads the patient's records a visit rests on: coverage, consent, results, and when the order was written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, tzinfo
from zoneinfo import ZoneInfo

from shared.core import Resource
from shared.visits.case import AnyCase
from shared.visits.elements import day, last_day

CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
LOINC = "http://loinc.org"
VALID = frozenset({"final", "amended", "corrected"})
"""Observation statuses under which a result counts."""


def first_coverage(case: AnyCase) -> Resource | None:
    """The Coverage the order names first."""
    insurance = case.order.get("insurance", ())
    return case.facts.find(insurance[0].get("reference")) if insurance else None


def days_of(period: dict[str, str], zone: tzinfo) -> tuple[date | None, date | None]:
    """First and last local day of a Period, None where it is open."""
    return day(period.get("start"), zone), last_day(period.get("end"), zone)


def treatment_consent(case: AnyCase, on: date) -> Resource | None:
    """The patient's latest word on treatment for a day: the active Consent of that scope given last."""
    zone = case.site.time_zone
    given = [c for c in case.facts.of("Consent") if c.get("status") == "active" and _is_for_treatment(c)]
    holding = [c for c in given if contains(days_of(c.get("provision", {}).get("period", {}), zone), on)]
    return max(holding, key=lambda c: (day(c.get("dateTime"), zone) or date.min, denies(c), c["id"]), default=None)


def denies(consent: Resource) -> bool:
    """Whether a Consent says no."""
    return bool(consent.get("provision", {}).get("type") == "deny")


def _is_for_treatment(consent: Resource) -> bool:
    codings = consent.get("scope", {}).get("coding", ())
    return any(c.get("system") == CONSENT_SCOPE and c.get("code") == "treatment" for c in codings)


def contains(days: tuple[date | None, date | None], on: date) -> bool:
    """Whether a day lies between a first and a last one, each None where it is open."""
    first, last = days
    return (first is None or first <= on) and (last is None or on <= last)


def latest_result(case: AnyCase, codes: Iterable[str], until: date) -> tuple[Resource, date] | None:
    """The latest valid result of one of these LOINC codes taken by a day, with the day it was taken."""
    wanted = set(codes)
    found = [
        (observation, taken)
        for observation in case.facts.of("Observation")
        if observation.get("status") in VALID
        and has_value(observation)
        and any(c.get("system") == LOINC and c.get("code") in wanted for c in observation["code"].get("coding", ()))
        and (taken := _taken_on(observation, case.site.time_zone)) is not None
        and taken <= until
    ]
    return max(found, key=lambda pair: pair[1], default=None)


def has_value(observation: Resource) -> bool:
    """Whether a result says anything: a value, a number where it is a quantity, and no reason for its absence."""
    said = (n for n, v in observation.items() if n.startswith("value") and (n != "valueQuantity" or "value" in v))
    return any(said) and "dataAbsentReason" not in observation


def _taken_on(observation: Resource, zone: ZoneInfo) -> date | None:
    period: dict[str, str] = observation.get("effectivePeriod", {})
    dated = observation.get("effectiveDateTime") or observation.get("effectiveInstant")
    return day(dated or period.get("end") or period.get("start"), zone)


def written_on(case: AnyCase) -> date | None:
    """The day the order was written: the prescription's own date, never later than the day it was taken up here."""
    dates = (day(r.get("authoredOn"), case.site.time_zone) for r in (case.request or {}, case.order))
    return min((d for d in dates if d is not None), default=None)

"""Keeps what a payer's rules said of an order, by which hook it is asked, and what of it still counts.

Source: Da Vinci Coverage Requirements Discovery 2.0.1, ext-coverage-information; hooks.md (primary hooks), foundation
(a server answers in 5 seconds).
Law of this file: every call ends in one finding, if only that there was no answer; what was said counts for the drug,
dose, diagnoses, site and start it was asked for, and for no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.auth.case import Case
from services.auth.discovery.assertions import NOT_COVERED, Assertion
from services.auth.facts import Facts
from services.auth.words import COVERAGE_ASSERTION, OCCASION, ORDER, PREFIX, local_day, part
from shared.borders import COVERAGE_REQUIREMENTS_ID
from shared.core import Event, Resource, derived_id, reference

TOLD = "coverage-requirements-told"
SILENT = "coverage-requirements:"
"""Wake by which a payer that has not answered is not waited for any longer: `coverage-requirements:<request id>`."""
WAITS = timedelta(seconds=5)
NOTE = "Coverage requirements"

HOOKS: Mapping[str, str] = {"initial": "order-sign", "order-changed": "order-sign", "visit": "appointment-book"}
"""Occasion on which a benefit is asked about -> the hook of that moment; at any other the order is dispatched anew."""
DISPATCHED = "order-dispatch"

UNANSWERED = "No answer within 5 seconds: the authorization goes on without it."
FREE, NEEDED = ("no-auth", "satisfied"), ("auth-needed", "performpa")


# What is asked


def asked_for(case: Case) -> str:
    """What the payer's rules are asked about: whatever of it changes, they are asked anew."""
    return f"{case.fingerprint}; {(case.order.get('occurrencePeriod') or {}).get('start', '')}"


def hooked(case: Case, reason: str) -> dict[str, str]:
    """By which hook a payer with such a service is asked on this occasion, and about what."""
    if case.payer is None or not case.payer.coverage_requirements:
        return {}
    return {"hook": HOOKS.get(reason, DISPATCHED), "regimen": asked_for(case)}


def hook_of(request: Resource) -> str | None:
    """The hook by which a benefit request is asked about as well."""
    found: str | None = part(request, OCCASION, "hook")
    return found


def is_about_another(case: Case, request: Resource) -> bool:
    """Whether the payer's rules were asked about the order as it no longer is."""
    return hook_of(request) is not None and part(request, OCCASION, "regimen") != asked_for(case)


def silences(saves: Iterable[Resource], known: Mapping[str, Resource]) -> dict[str, datetime]:
    """Until when each new call is waited for."""
    new = (s for s in saves if s["resourceType"] == "CoverageEligibilityRequest" and reference(s) not in known)
    return {SILENT + r["id"]: datetime.fromisoformat(r["created"]) + WAITS for r in new if hook_of(r)}


# What is kept


def finding(request: Resource, at: datetime, said: Assertion | str) -> dict[str, Any]:
    """What the payer's rules said on one occasion, or in words why nothing is known of it."""
    told = isinstance(said, Assertion)
    orders = [e for e in request["extension"] if e["url"] == ORDER]
    return {
        "resourceType": "CoverageEligibilityResponse",
        "id": derived_id(PREFIX, "CoverageEligibilityResponse", request["id"], "coverage-requirements"),
        "extension": [*orders, *([said.element(str(hook_of(request)))] if isinstance(said, Assertion) else [])],
        "identifier": [{"system": COVERAGE_REQUIREMENTS_ID, "value": request["id"]}],
        "status": "active",
        "purpose": ["auth-requirements"],
        "patient": dict(request["patient"]),
        "created": at.isoformat(),
        "request": {"reference": reference(request)},
        "outcome": "complete" if told else "error",
        "disposition": said.words if isinstance(said, Assertion) else said,
        **({"preAuthRef": said.number} if isinstance(said, Assertion) and said.number else {}),
        "insurer": dict(request["insurer"]),
    }


def discovered(event: Event, facts: Facts) -> Iterable[Resource]:
    """An answer that came; one after another answer changes nothing, a late one stands in place of the silence."""
    for found in event.of_type("CoverageEligibilityResponse"):
        stored = facts.at(reference(found))
        if stored is None or (_is_silence(stored) and not _is_silence(found)):
            yield found


def silent(request_id: str, facts: Facts, at: datetime) -> Iterable[Resource]:
    """That no answer came in time, where none did."""
    request = facts.at("CoverageEligibilityRequest/" + request_id)
    if request is not None and facts.at(_finding_of(request)) is None:
        yield finding(request, at, UNANSWERED)


def _finding_of(request: Resource) -> str:
    key = (request["id"], "coverage-requirements")
    return "CoverageEligibilityResponse/" + derived_id(PREFIX, "CoverageEligibilityResponse", *key)


def _is_silence(found: Resource) -> bool:
    return bool(found["outcome"] == "error")


# What counts


def is_awaited(case: Case, coming: Iterable[Resource]) -> bool:
    """Whether a call about the order as it is was made, or is among what is coming, and none has come to its end."""
    called = (r for found in (_asked(case), coming) for r in found if hook_of(r))
    return any(called) and not any(_findings(case))


def needed(case: Case) -> str | None:
    """What the payer's rules said last of an authorization for the order as it is: a CRD code."""
    return _said(case, "authorization")


def is_refused(case: Case) -> bool:
    """Whether the payer's rules said that the order as it is is not covered."""
    return _said(case, "covered") == NOT_COVERED


def number(case: Case) -> str | None:
    """The number under which the payer has the authorization satisfied."""
    found = _standing(case)
    return found.get("preAuthRef") if found else None


def notes(case: Case) -> list[str]:
    """From whom, when and what, in one sentence each: what counts, and a later call that told nothing."""
    if case.ended:
        return []
    latest = next(reversed(list(_findings(case))), None)
    told = {f["id"]: f for f in (_standing(case), latest) if f is not None}
    return [_note(case, f) for f in told.values()]


def _note(case: Case, found: Resource) -> str:
    payer = found["insurer"].get("display") or (case.payer.name if case.payer else "the payer")
    return f"{NOTE}, {payer}, {local_day(found['created'], case.zone)}: {found['disposition']}"


def _said(case: Case, name: str) -> str | None:
    said: str | None = part(_standing(case) or {}, COVERAGE_ASSERTION, name)
    return said


def _asked(case: Case) -> list[Resource]:
    """Calls about the order as it is, oldest first."""
    return [r for r in case.benefit_requests if hook_of(r) and not is_about_another(case, r)]


def _findings(case: Case) -> Iterator[Resource]:
    return (found for r in _asked(case) if (found := case.facts.at(_finding_of(r))) is not None)


def _standing(case: Case) -> Resource | None:
    """The last of these that says something."""
    return next((f for f in reversed(list(_findings(case))) if not _is_silence(f)), None)

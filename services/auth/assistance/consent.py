"""Says whether the patient's signed consent lets anything about him go to a hub, and until when it does.

Law of this file: the gate is shut unless a Consent of his opens it; his latest word on that recipient decides.
What a valid authorization holds: 45 CFR 164.508(c): who may receive it, until when, his signature and its date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from services.auth.assistance.insurance import ACT_CODE
from services.auth.words import instant, local_day
from shared.core import IDENTIFIERS, Resource
from shared.dates import day_range

SCOPE = ("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")
HUB_ID = IDENTIFIERS + "hub"
"""Names in a Consent (provision.actor) the hub or programme that may receive what is the patient's."""

UNSAID = ("draft", "proposed", "entered-in-error")
"""Statuses of a Consent that says nothing yet, or never did."""
LIMITS = ("provision", "purpose", "class", "code", "data", "securityLabel", "dataPeriod", "action")
"""Elements of a provision that narrow what is permitted, in ways that are not read here."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Gate:
    """Why nothing may go out (None: it may), by which Consent, and the next day on which that changes by itself."""

    shut: str | None
    consent: Resource | None = None
    changes: date | None = None

    @property
    def why(self) -> str:
        """The reason in words."""
        return WHY[self.shut] if self.shut else "The patient's consent is on file."


def gate(consents: Iterable[Resource], recipient: str, on: date, zone: tzinfo) -> Gate:
    """Whether what is the patient's may go to this recipient on a day."""
    named = [
        c for c in consents if _is_privacy(c) and recipient in _recipients(c) and c["status"] != "entered-in-error"
    ]
    said = [c for c in named if c["status"] not in UNSAID] or named
    if not said:
        return Gate("consent-missing")
    latest = max(said, key=lambda c: _order(c, on, zone))
    shut = next((code for rule in RULES if (code := rule(latest, on, zone))), None)
    return Gate(shut, latest, _changes(latest, on, zone))


def _order(consent: Resource, on: date, zone: tzinfo) -> tuple[timedelta, bool, str]:
    """When it was said: of what its date leaves open, a refusal the last moment and a yes the first.

    A refusal without any date comes after every yes, and of one moment the refusal counts.
    """
    refused, text = withdrawn(consent, on, zone) is not None, consent.get("dateTime")
    if text is None:
        return timedelta.max if refused else timedelta.min, refused, consent["id"]
    if "T" in text:
        moment = instant(text, zone)
    else:
        first, last = day_range(text)
        moment = datetime.combine(last, time.max, zone) if refused else datetime.combine(first, time(), zone)
    return moment - EPOCH, refused, consent["id"]


def _is_privacy(consent: Resource) -> bool:
    codings = (consent.get("scope") or {}).get("coding", ())
    return any((c.get("system"), c.get("code")) == SCOPE for c in codings)


def _recipients(consent: Resource) -> set[str]:
    actors = (consent.get("provision") or {}).get("actor", ())
    named = ((a.get("reference") or {}).get("identifier") or {} for a in actors)
    return {str(i.get("value")) for i in named if i.get("system") == HUB_ID}


def _days(consent: Resource, zone: tzinfo) -> tuple[date | None, date | None]:
    period = (consent.get("provision") or {}).get("period") or {}
    return local_day(period.get("start"), zone), local_day(period.get("end"), zone)


def _signed_on(consent: Resource, zone: tzinfo) -> date | None:
    """The first day its date may mean."""
    text = consent.get("dateTime")
    return None if text is None else local_day(text, zone) or day_range(text)[0]


def _changes(consent: Resource, on: date, zone: tzinfo) -> date | None:
    """Its date, the first day in force, or the first day after its last, where that is still to come."""
    start, end = _days(consent, zone)
    after = None if end is None or end == date.max else date.fromordinal(end.toordinal() + 1)
    return min((d for d in (_signed_on(consent, zone), start, after) if d is not None and d > on), default=None)


# Why it does not open the gate


def withdrawn(consent: Resource, on: date, zone: tzinfo) -> str | None:
    """It was not taken back, nor is it a refusal."""
    codings = (consent.get("policyRule") or {}).get("coding", ())
    opted_out = any(c.get("system") == ACT_CODE and str(c.get("code")).startswith("OPTOUT") for c in codings)
    denied = (consent.get("provision") or {}).get("type") == "deny"
    if denied or opted_out or consent["status"] == "rejected":
        return "consent-refused"
    return "consent-withdrawn" if consent["status"] == "inactive" else None


def signed(consent: Resource, on: date, zone: tzinfo) -> str | None:
    """It is active, dated no later than the day, and holds the signed paper or its verification."""
    verified = any(v.get("verified") is True for v in consent.get("verification", ()))
    paper = "sourceAttachment" in consent or "sourceReference" in consent
    first = _signed_on(consent, zone)
    whole = consent["status"] == "active" and first is not None and first <= on and (paper or verified)
    return None if whole else "consent-unsigned"


def whole(consent: Resource, on: date, zone: tzinfo) -> str | None:
    """It has no exceptions and no limits: what they leave out, only a person can read."""
    return "consent-limited" if any((consent.get("provision") or {}).get(limit) for limit in LIMITS) else None


def in_force(consent: Resource, on: date, zone: tzinfo) -> str | None:
    """The day lies within its period, first and last day included; one without a last day is no authorization."""
    start, end = _days(consent, zone)
    if end is None:
        return "consent-without-end"
    if start is not None and on < start:
        return "consent-not-begun"
    return "consent-expired" if on > end else None


RULES: tuple[Callable[[Resource, date, tzinfo], str | None], ...] = (withdrawn, signed, whole, in_force)
WHY = {
    "consent-missing": "The patient has signed no consent that names this recipient: nothing about him goes out.",
    "consent-refused": "The patient refused: nothing about him goes out.",
    "consent-withdrawn": "The patient withdrew his consent: nothing more about him goes out; tell the programme.",
    "consent-unsigned": "The consent holds no signed paper with a date: nothing about the patient goes out.",
    "consent-limited": "The consent has limits only a person can read: have it signed for this recipient alone.",
    "consent-without-end": "The consent names no last day: nothing about the patient goes out.",
    "consent-not-begun": "The patient's consent has not begun: nothing about him goes out yet.",
    "consent-expired": "The patient's consent has expired: nothing more about him goes out.",
}

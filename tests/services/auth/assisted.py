"""A practice that has adopted programmes of assistance, and what intake sends of consent and household."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from services.auth.assistance.entered import OUTPUT, kind_of
from services.auth.assistance.told import STATUS
from services.auth.service import declared
from services.auth.words import code_of
from shared.core import IDENTIFIERS, Decision, Event, Resource, reference
from tests.services.auth.journey import Journey
from tests.services.auth.patient import DESK, LANE, POLICIES, coded, patient, practice, referral

ADOPTED = (*POLICIES, "households", "assistance-manufacturers", "assistance-foundations", "assistance-prairie")
HELPING = declared(practice(*ADOPTED))
CARD, FUND = "injectafer-savings", "prairie-iron-fund"
HOME = {"address": [{"use": "home", "line": ["1 Elm"], "city": "Lincoln", "state": "NE", "postalCode": "68502"}]}


def consent(recipient: str = CARD, consent_id: str = "in-hub-consent", **changes: Any) -> dict[str, Any]:
    """The patient's signed consent that one recipient may have what is hers, until a day."""
    until = changes.pop("until", "2027-11-01")
    actor = {
        "role": coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP"),
        "reference": {"identifier": {"system": IDENTIFIERS + "hub", "value": recipient}},
    }
    period = {"start": "2026-11-01", **({"end": until} if until else {})}
    return {
        "resourceType": "Consent",
        "id": consent_id,
        "status": "active",
        "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [coded("http://loinc.org", "59284-0")],
        "patient": {"reference": "Patient/in-p"},
        "dateTime": "2026-11-01",
        "policyRule": coded("http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTIN"),
        "sourceReference": {"reference": "DocumentReference/in-signed"},
        "provision": {"type": "permit", "period": period, "actor": [actor]},
    } | changes


def living_there() -> list[dict[str, Any]]:
    """The referral of a patient whose address is known."""
    return [r for r in referral() if r["resourceType"] != "Patient"] + [patient(**HOME)]


class Helped(Journey):
    """Runs events through the coordinator of a practice with programmes."""

    def __init__(self) -> None:
        super().__init__(service=HELPING)

    def enrolment(self, programme: str = CARD, number: int = 1) -> Resource:
        named = f"in-order|{programme}|{number}"
        (found,) = [t for t in self.tasks("hub-enrolment") if t["identifier"][0]["value"] == named]
        return found

    def stands(self, programme: str = CARD, number: int = 1) -> tuple[str | None, str]:
        task = self.enrolment(programme, number)
        return code_of(task["businessStatus"], STATUS), task["status"]

    def tells(self, kind: str, programme: str = CARD, number: int = 1) -> list[Any]:
        outputs = [o for o in self.enrolment(programme, number)["output"] if kind_of(o) == kind]
        return [next(v for k, v in o.items() if k.startswith("value")) for o in outputs]

    def enters(self, *outputs: dict[str, Any], programme: str = CARD, status: str = "completed") -> Decision:
        """A person enters something on the Task of a programme, and sends it back whole."""
        task = self.enrolment(programme)
        given = {**task, "status": status, "output": [*task["output"], *outputs]}
        return self.take(Event("command", "task-answered", LANE, self.at, self.at, (given,), reference(task), DESK))

    def enrolled(self, programme: str = CARD, start: str = "2026-11-20", end: str = "") -> Helped:
        """Until a person has entered an enrolment."""
        self.hears(*living_there(), consent(programme))
        self.enters(*enrolment(start, end), programme=programme)
        return self


def said(kind: str, **value: Any) -> dict[str, Any]:
    return {"type": coded(OUTPUT, kind), **value}


def usd(amount: Any) -> dict[str, Any]:
    return {"value": amount, "currency": "USD"}


def enrolment(start: str = "2026-11-20", end: str = "") -> Iterable[dict[str, Any]]:
    period = {"start": start, **({"end": end} if end else {})}
    return said("enrolment-number", valueString="SAV-1"), said("enrolment-period", valuePeriod=period)


def days(text: str) -> date:
    return date.fromisoformat(text)

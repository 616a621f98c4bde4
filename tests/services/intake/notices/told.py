"""What tests of notices say and ask: a referral changed, a notice sent, a reply, visits booked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.core import Decision, Resource, reference
from tests.services.intake.conftest import Desk, edit

CHICAGO = ZoneInfo("America/Chicago")
MORNING = datetime(2026, 11, 21, 9, 0, tzinfo=CHICAGO)
EVENING = datetime(2026, 11, 21, 22, 0, tzinfo=CHICAGO)
EMAIL = {"system": "email", "value": "denise@home.example"}

Example = Callable[[str], dict[str, Any]]


def born(bundle: dict[str, Any], **elements: Any) -> dict[str, Any]:
    """The referral of a patient with these elements; the example's own patient lives in Nebraska."""
    patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    patient.update(elements)
    return bundle


def without_consent(bundle: dict[str, Any]) -> dict[str, Any]:
    return edit(bundle, {"drop": ["Consent"]})


def notices(desk: Desk) -> list[Resource]:
    return sorted(desk.all("CommunicationRequest"), key=lambda n: (n["authoredOn"], code(n)))


def code(notice: Resource) -> str:
    return str(notice["category"][0]["coding"][0]["code"])


def stand(desk: Desk) -> dict[str, str]:
    """Each notice's code with where it stands; the latest of a kind."""
    return {code(n): n["status"] for n in notices(desk)}


def notice(desk: Desk, wanted: str) -> Resource:
    return [n for n in notices(desk) if code(n) == wanted][-1]


def sent(desk: Desk, wanted: str, reason: str = "notice-sent") -> Decision:
    found = notice(desk, wanted)
    return desk.take("answer", reason, lane(desk), (), reference(found), "text")


def lane(desk: Desk) -> str:
    return f"patient/{desk.one('Patient')['id']}"


def reply(desk: Desk, wanted: str, text: str, sender: str | None = None, received: str | None = None) -> Decision:
    found = notice(desk, wanted)
    said = {
        "resourceType": "Communication",
        "identifier": [{"system": "https://texts.example/id", "value": f"{wanted}-{text}-{desk.at}"}],
        "basedOn": [{"reference": reference(found)}],
        "status": "completed",
        "subject": found["subject"],
        "sent": desk.at.isoformat(),
        "received": received or desk.at.isoformat(),
        "sender": {"reference": sender} if sender else found["recipient"][0],
        "payload": [{"contentString": text}],
    }
    return desk.send(said, "patient-texts")


def questions(desk: Desk) -> dict[str, str]:
    asked = [t for t in desk.all("Task") if t["code"]["coding"][0]["code"] == "intake-question"]
    return {t["input"][0]["type"]["coding"][0]["code"]: t["status"] for t in asked}


def booked(desk: Desk, *starts: str) -> Decision:
    order, patient = reference(desk.order), {"reference": reference(desk.one("Patient"))}
    system = "https://carepod.example/fhir/CodeSystem/"
    visits = [
        {
            "resourceType": "Appointment",
            "id": f"sc-{n}",
            "status": "booked",
            "basedOn": [{"reference": order}],
            "start": start,
            "participant": [
                {"actor": patient},
                {"actor": {"identifier": {"system": "https://carepod.example/id/site", "value": "riverside"}}},
            ],
        }
        for n, start in enumerate(starts, start=1)
    ]
    chair = {
        "resourceType": "Task",
        "id": "sc-chair",
        "status": "completed",
        "code": {"coding": [{"system": system + "task-code", "code": "chair"}]},
        "businessStatus": {"coding": [{"system": system + "chair-status", "code": "booked"}]},
        "basedOn": [{"reference": order}],
        "for": patient,
    }
    return desk.hear(chair, *visits)

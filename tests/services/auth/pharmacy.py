"""A practice whose commercial payer pays iron by its pharmacy benefit alone, and the set of who decides that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from services.auth.pharmacy.answering import ITEM
from services.auth.service import declared
from services.auth.words import question_code
from shared.core import CANONICAL, Decision, Event, Resource, reference
from shared.settings import Adoption, Partner, Site
from tests.services.auth.journey import Journey, benefit_answer
from tests.services.auth.patient import DESK, LANE, PRACTICE, coded, payer, referral

ANSWER = CANONICAL + "CodeSystem/answer"
SERVICE_TYPE = "https://codesystem.x12.org/005010/1365"
FHIR = "http://hl7.org/fhir/StructureDefinition/"
LOINC = "http://loinc.org"


def practice(pathway: str = "pas", *, holds: bool = True, **way: str) -> Site:
    """Prairie Health with a pharmacy benefit manager of its own."""
    payers = tuple(
        replace(p, pharmacy_benefit="prairie-rx") if p.id == "prairie-health" else p for p in PRACTICE.payers
    )
    manager = replace(payer("prairie-rx", "commercial"), pathway=pathway, **way)
    adopted = (Adoption("auth/prairie-rx-question-sets", "medical director", date(2026, 11, 1)),) if holds else ()
    return replace(
        PRACTICE,
        payers=(*payers, manager),
        partners={**PRACTICE.partners, "payer-prairie-rx": Partner("payer-prairie-rx", "http://rx.test")},
        adopted=(*PRACTICE.adopted, *adopted),
    )


FAXING = practice("fax", fax="+1-402-555-0177")
ELECTRONIC = practice()


def by_pharmacy(request: Resource) -> dict[str, Any]:
    """The payer's word that its pharmacy benefit alone pays the drug."""
    answer = benefit_answer(request)
    (item,) = answer["insurance"][0]["item"]
    item["modifier"] = [coded(SERVICE_TYPE, "88")]
    return answer


def paid_by_pharmacy(site: Site, *resources: Resource) -> Journey:
    """Until the payer has said which benefit pays."""
    journey = Journey(service=declared(site))
    journey.hears(*(resources or referral()))
    request = journey.one("CoverageEligibilityRequest")
    journey.answered("benefit-answered", request, by_pharmacy(request))
    return journey


def questionnaire(*items: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {"resourceType": "Questionnaire", "id": "q", "status": "active", "item": list(items)} | changes


def asks(link: str, kind: str, **changes: Any) -> dict[str, Any]:
    return {"linkId": link, "text": f"Question {link}", "type": kind, "required": True} | changes


def open_question(journey: Journey, code: str = "question-set") -> Resource:
    (found,) = [q for q in journey.tasks("authorization-question") if question_code(q) == code and _is_open(q)]
    return found


def _is_open(question: Resource) -> bool:
    return bool(question["status"] == "requested")


def replies(journey: Journey, *items: tuple[str, str, Any]) -> Decision:
    """A person answers items of the set: (linkId, element, value)."""
    said = [{"type": coded(ITEM, link), element: value} for link, element, value in items]
    task = open_question(journey)
    output = [{"type": coded(ANSWER, "answered"), "valueBoolean": True}, *said]
    given = {**task, "status": "completed", "output": output}
    return journey.take(
        Event("command", "task-answered", LANE, journey.at, journey.at, (given,), reference(task), DESK)
    )


def answers(response: Resource) -> dict[str, Any]:
    """linkId -> the one value, or the values, of each answered item."""
    found: dict[str, Any] = {}
    for item in _items(response):
        values = [next(v for k, v in a.items() if k.startswith("value")) for a in item.get("answer", ())]
        if values:
            found[item["linkId"]] = values[0] if len(values) == 1 else values
    return found


def sources(response: Resource) -> dict[str, str]:
    """linkId -> the resource its first answer was taken from."""
    return {
        i["linkId"]: i["answer"][0]["extension"][0]["valueReference"]["reference"]
        for i in _items(response)
        if "answer" in i
    }


def _items(parent: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inner = [*parent.get("item", ()), *(i for a in parent.get("answer", ()) for i in a.get("item", ()))]
    return [found for i in inner for found in (i, *_items(i))]

"""Has the question set of a drug: held as dated data for who is asked by hand, received from who has an interface.

Source of the exchange: Da Vinci DTR 2.1, OperationDefinition questionnaire-package; it stands for the initiation of an
electronic prior authorization (NCPDP SCRIPT: PAInitiationRequest, PAInitiationResponse).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from services.auth.answers import is_legal
from services.auth.case import Case
from services.auth.pharmacy.answering import VALUES, is_waiting
from services.auth.pharmacy.enabling import SILENT, Item, is_bounded, items_of
from services.auth.wire.responses import issue_texts
from services.auth.wire.shapes import Known, shaped
from services.auth.wire.trimming import trimmed
from services.auth.words import PAYER_ID, PREFIX, extension, period_said, target, unversioned
from shared.core import IDENTIFIERS, Resource, derived_id, reference
from shared.policy import Figure, PolicyError
from shared.settings import Payer, Site

SET = "question_set"
CONTEXT = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition/qr-context"
RECEIVED, REFUSED, UNREADABLE = "question-set-received", "question-set-refused", "question-set-unreadable"
RESPONSE_ID = IDENTIFIERS + "question-set"


def response_id(case: Case) -> str:
    """The id of the answers of one attempt for one drug."""
    return derived_id(PREFIX, "QuestionnaireResponse", case.claim_id, case.hcpcs or "")


def begun(case: Case, manager: Payer) -> dict[str, Any]:
    """Answers without a set: to save them is to ask for it."""
    own = response_id(case)
    return {
        "resourceType": "QuestionnaireResponse",
        "id": own,
        "extension": [
            {"url": CONTEXT, "valueReference": {"reference": reference(case.coverage or {})}},
            *period_said(case.period),
        ],
        "identifier": {
            "system": RESPONSE_ID,
            "value": own,
            "assigner": {"identifier": {"system": PAYER_ID, "value": manager.id}, "display": manager.name},
        },
        "basedOn": [{"reference": reference(case.order)}],
        "status": "in-progress",
        "subject": {"reference": target(case.order["subject"])},
        "authored": case.at.isoformat(),
    }


def with_set(response: Resource, questions: Item) -> dict[str, Any]:
    """Answers with their set inside."""
    inside = {k: v for k, v in questions.items() if k not in ("meta", "text", "contained")} | {"id": "set"}
    return {**unversioned(response), "contained": [inside], "questionnaire": "#set"}


# Held


def held(case: Case, manager: Payer) -> Figure | None:
    """The set of this drug that is in force and may be used."""
    rows = case.policy.figures.all(SET, case.on)
    own = (f for f in rows if f.applies_to["payer"] == manager.id)
    return next((f for f in own if case.drug and case.drug.key in f.applies_to["drugs"]), None)


def questionnaire(figure: Figure) -> dict[str, Any]:
    """A held set as a Questionnaire."""
    value: dict[str, Any] = _exact(figure.value)
    return {"resourceType": "Questionnaire", "id": "set", "status": "active", **value}


def _exact(value: Any) -> Any:
    """With every number exact."""
    match value:
        case Mapping():
            return {k: _exact(v) for k, v in value.items()}
        case list():
            return [_exact(v) for v in value]
        case float():
            return Decimal(str(value))
    return value


def check_question_sets(figures: Iterable[Figure]) -> None:
    """Raises PolicyError for a held set that is no legal Questionnaire, or asks in a way nobody can answer."""
    for figure in figures:
        if figure.id == SET and not is_usable(questionnaire(figure)):
            raise PolicyError(f"{figure.policy}: {figure.id}: a legal Questionnaire of known types would be right")


def is_usable(questions: Mapping[str, Any]) -> bool:
    """Whether a set is legal R4, asks something within bounds, and every condition names an item of its own."""
    if questions.get("resourceType") != "Questionnaire" or not is_legal(questions) or not is_bounded(questions):
        return False
    items = list(items_of(questions))
    links = {i["linkId"] for i in items}
    named = {c["question"] for i in items for c in i.get("enableWhen", ())}
    known = all(i["type"] in VALUES or i["type"] in SILENT for i in items)
    return known and named <= links and len(links) == len(items) and any(i["type"] in VALUES for i in items)


# Asked for, and received


def question_set_due(before: Resource | None, after: Resource) -> str | None:
    """Answers without a set ask for it once."""
    new = before is None and after["resourceType"] == "QuestionnaireResponse"
    return "1" if new and is_waiting(after) else None


def as_request(response: Resource) -> dict[str, Any]:
    """Who is asked and about whom, as every request says it."""
    return {"insurer": response["identifier"]["assigner"], "patient": response["subject"], "response": response}


def package_parameters(asked: Resource, known: Known, site: Site, payer: Payer) -> dict[str, Any]:
    """The body of `$questionnaire-package`: the member's Coverage and the drug ordered, and no more of a person."""
    response = asked["response"]
    coverage = known[target((extension(response, CONTEXT) or {}).get("valueReference")) or ""]
    order = known[target(response["basedOn"][0]) or ""]
    member = {"identifier": {"system": IDENTIFIERS + "member", "value": coverage.get("subscriberId", "unknown")}}
    covered = shaped(coverage, {}, {"resourceType": "Organization", "id": "payer"})
    sent = {**covered, "beneficiary": member, "payor": [{"display": payer.name}]}
    ordered = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": order["code"],
        "subject": member,
    }
    named = {"coverage": trimmed(sent, ()), "order": trimmed(ordered, ())}
    return {"resourceType": "Parameters", "parameter": [{"name": n, "resource": r} for n, r in named.items()]}


def sets_in(body: Any) -> Iterator[dict[str, Any]]:
    """Every Questionnaire of an answer: by itself, in a Bundle, or in Parameters."""
    match body:
        case {"resourceType": "Questionnaire"}:
            yield dict(body)
        case {"resourceType": "Bundle", "entry": [*entries]}:
            for entry in (e for e in entries if isinstance(e, Mapping)):
                yield from sets_in(entry.get("resource"))
        case {"resourceType": "Parameters", "parameter": [*parameters]}:
            for parameter in (p for p in parameters if isinstance(p, Mapping)):
                yield from sets_in(parameter.get("resource"))


def received(response: Resource | None, reason: str, resources: Iterable[Resource]) -> Iterator[dict[str, Any]]:
    """What came for answers that wait for their set: the set, or why there is none; the first word stands."""
    if response is None or not is_waiting(response):
        return
    came = list(resources)
    questions = next((r for r in came if r["resourceType"] == "Questionnaire"), None)
    if reason == RECEIVED and questions is not None and is_bounded(questions):
        yield with_set(response, questions)
    else:
        said = [t for o in came if o["resourceType"] == "OperationOutcome" for t in issue_texts(o)]
        why = " ".join(said) or "What came in place of a question set cannot be read."
        yield {**unversioned(response), "status": "stopped", "item": [{"linkId": "refused", "text": why}]}


def why_none(response: Resource | None) -> str:
    """Why there is no set, where that was said."""
    return " ".join(i["text"] for i in (response or {}).get("item", ()) if i["linkId"] == "refused")

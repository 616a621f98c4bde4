"""Answers an item of a question set from the chart, where one fact with its source answers it; nothing is concluded.

An item says what it means by a LOINC code (a result, the day of one, a document) or by `definition`, the element of
FHIR that holds it (Structured Data Capture, definition-based). Law of this file: yes, no, and which of several apply
are never answered here, nor is a code of another matter or a restricted record told: a person does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.auth.case import Case
from services.auth.criteria.findings import collected, latest
from services.auth.pharmacy.enabling import Item
from services.auth.wire.contents import is_held
from services.auth.wire.pertinent import pertains
from services.auth.wire.standing import may_travel, stands
from services.auth.wire.wanted import LOINC
from services.auth.words import (
    EVIDENCE,
    ICD_10_CM,
    code_of,
    day,
    extension,
    member_number,
    npi_of,
    number,
    person_name,
    target,
)
from shared.core import Resource, reference

Answer = Mapping[str, Any]
Fact = tuple[Any, Resource]
"""What is known, and the resource that says it."""

UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"
DEFINITIONS = "http://hl7.org/fhir/StructureDefinition/"
LAB_DAYS = "question_set_lab_days"


def answered(value: Mapping[str, Any], source: Resource) -> Answer:
    """An answer that says which resource it was taken from."""
    return {"extension": [{"url": EVIDENCE, "valueReference": {"reference": reference(source)}}], **value}


def from_chart(case: Case, item: Item) -> tuple[Answer, ...]:
    """The one answer the chart gives to an item; none where it gives none, or may not."""
    if item.get("repeats") or item["type"] not in BY_TYPE:
        return ()
    named = item.get("definition", "").removeprefix(DEFINITIONS).partition("#")[2]
    fact = FACTS[named](case, item) if named in FACTS else _charted(case, item)
    value = BY_TYPE[item["type"]](fact[0], item) if fact is not None else None
    return (answered(value, fact[1]),) if value and fact else ()


# What a LOINC code means


def _charted(case: Case, item: Item) -> Fact | None:
    """The latest result under the item's code, its day where that is asked, or the latest document of that type."""
    code = code_of({"coding": item.get("code", ())}, LOINC)
    if code is None:
        return None
    if item["type"] == "attachment":
        return _document(case, code)
    found = latest({"loinc": (code,)}, case.chart)
    if found is None or not _is_young(case, found) or not _is_told(case, found, code):
        return None
    if item["type"] == "date":
        return collected(found, case.chart).isoformat(), found
    quantity = found.get("valueQuantity") or {}
    exact = "value" in quantity and "comparator" not in quantity
    return (quantity, found) if exact else None


def _is_young(case: Case, result: Resource) -> bool:
    """Whether a result may be told without a person looking at its age."""
    figures = case.policy.figures.all(LAB_DAYS, case.on)
    return any((case.on - collected(result, case.chart)).days <= f.value for f in figures)


def _document(case: Case, code: str) -> Fact | None:
    """The latest of this type whose bytes can go with the answers."""
    found = [d for d in case.chart.of("DocumentReference") if code_of(d.get("type"), LOINC) == code]
    current = [d for d in found if d.get("status") == "current" and stands(d) and is_held(d)]
    newest = max(current, key=lambda d: str(d.get("date", "")), default=None)
    told = newest is not None and _is_told(case, newest, code)
    return (newest["content"][0]["attachment"], newest) if newest and told else None


def _is_told(case: Case, resource: Resource, code: str) -> bool:
    """Whether a record is told without a person: nothing restricts it, and it belongs to what is asked for.

    A set that came from the payer may ask for anything; one we hold asks what this practice adopted.
    """
    shown = [target(i) for i in case.order.get("supportingInfo", ())]
    adopted = case.manager is not None and case.manager.pathway != "pas"
    return may_travel(resource) and (adopted or pertains(case, resource, code, shown))


# What an element means


def _of_patient(element: str) -> Callable[[Case, Item], Fact | None]:
    def read(case: Case, _item: Item) -> Fact | None:
        patient = case.patient or {}
        return (patient[element], patient) if element in patient else None

    return read


def _named(case: Case, _item: Item) -> Fact | None:
    patient = case.patient or {}
    words = person_name(patient)
    return (words, patient) if words else None


def _member(case: Case, _item: Item) -> Fact | None:
    said = member_number(case.coverage or {})
    return (said, case.coverage) if said and case.coverage else None


def _prescriber(case: Case, _item: Item) -> Fact | None:
    """The NPI of who ordered."""
    person = case.facts.person(target(case.order.get("requester"))) or {}
    npi = npi_of(person)
    return (npi, person) if npi else None


def _diagnosis(case: Case, item: Item) -> Fact | None:
    """The order's one diagnosis that is among the options; where several are, a person says which."""
    conditions = [c for c in case.facts.of("Condition") if code_of(c.get("code"), ICD_10_CM) in case.diagnoses]
    offered = [o.get("valueCoding", {}) for o in item.get("answerOption", ())]
    found: dict[str | None, Fact] = {}
    for condition in conditions:
        code = code_of(condition.get("code"), ICD_10_CM)
        coding = {"system": ICD_10_CM, "code": code}
        fitting = [o for o in offered or (coding,) if all(o.get(k) == v for k, v in coding.items())]
        if fitting:
            found.setdefault(code, (fitting[0], condition))
    return next(iter(found.values())) if len(found) == 1 else None


def _drug(case: Case, _item: Item) -> Fact | None:
    return (case.drug.name, case.order) if case.drug else None


def _dosage(case: Case, _item: Item) -> Fact | None:
    """As the prescription says it in words: every instruction, or none where one of them has no words."""
    medication = case.medication or {}
    said = [d.get("text") for d in medication.get("dosageInstruction", ())]
    return ("; ".join(said), medication) if said and all(said) else None


FACTS: Mapping[str, Callable[[Case, Item], Fact | None]] = {
    "Patient.name": _named,
    "Patient.birthDate": _of_patient("birthDate"),
    "Patient.gender": _of_patient("gender"),
    "Coverage.subscriberId": _member,
    "Practitioner.identifier": _prescriber,
    "Condition.code": _diagnosis,
    "MedicationRequest.medication[x]": _drug,
    "MedicationRequest.dosageInstruction": _dosage,
}
"""Element of FHIR -> the fact of a case it holds."""


# How an item of a type takes it


def _is_coding(value: Any) -> bool:
    """Whether a value is a Coding; a Quantity has a system and a code too, those of its unit."""
    return isinstance(value, Mapping) and "system" in value and "value" not in value


def _text(value: Any, item: Item) -> Mapping[str, Any] | None:
    if _is_coding(value):
        value = value.get("code")
    fits = isinstance(value, str) and len(value) <= item.get("maxLength", len(value))
    return {"valueString": value} if fits else None


def _date(value: Any, _item: Item) -> Mapping[str, Any] | None:
    return {"valueDate": value} if isinstance(value, str) and len(value) == 10 and day(value) else None


def _number(value: Any, item: Item) -> Mapping[str, Any] | None:
    """A number only in the very unit the item asks for: none is turned into another."""
    wanted = (extension(item, UNIT) or {}).get("valueCoding", {}).get("code")
    if not isinstance(value, Mapping) or wanted is None or wanted not in (value.get("code"), value.get("unit")):
        return None
    said = number(value.get("value"))
    if said is None or item["type"] == "decimal":
        return None if said is None else {"valueDecimal": said}
    return {"valueInteger": int(said)} if said == said.to_integral_value() else None


def _quantity(value: Any, _item: Item) -> Mapping[str, Any] | None:
    return {"valueQuantity": value} if isinstance(value, Mapping) and number(value.get("value")) is not None else None


def _choice(value: Any, item: Item) -> Mapping[str, Any] | None:
    """One of the options: the coding itself, or the one of the same code."""
    code = value.get("code") if _is_coding(value) else value
    offered = [o["valueCoding"] for o in item.get("answerOption", ()) if "valueCoding" in o]
    found = next((o for o in offered if o.get("code") == code), None)
    if found is None and item["type"] == "open-choice":
        return _text(value, item)
    return {"valueCoding": found} if found else None


def _attachment(value: Any, _item: Item) -> Mapping[str, Any] | None:
    """What the document is; the document itself goes beside the answers."""
    kept = {k: v for k, v in value.items() if k in ("contentType", "language", "title", "creation", "size", "hash")}
    return {"valueAttachment": kept or {"title": "Document"}}


BY_TYPE: Mapping[str, Callable[[Any, Item], Mapping[str, Any] | None]] = {
    "string": _text,
    "text": _text,
    "date": _date,
    "decimal": _number,
    "integer": _number,
    "quantity": _quantity,
    "choice": _choice,
    "open-choice": _choice,
    "attachment": _attachment,
}
"""Type of an item -> the value it takes of a fact; yes and no are none."""

"""Puts a request for authorization on paper: cover sheet, request form, letter of medical necessity, evidence, labs.

For payers that take no request by an interface; every fact stands with where it comes from.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from services.auth.case import Case
from services.auth.papers.iron import deficit_row
from services.auth.pharmacy.telling import answered_items
from services.auth.stage import Stage
from services.auth.wire.wanted import LOINC
from services.auth.words import (
    CRITERION,
    EVIDENCE,
    ICD_10_CM,
    NPI,
    OUTPUT,
    PLACE_OF_SERVICE,
    PREFIX,
    code_of,
    concept,
    extension,
    member_number,
    npi_of,
    person_name,
)
from services.auth.words import target as literal_of
from shared.catalogue import billed
from shared.core import Resource, derived_id, reference
from shared.paper import Part, sheets
from shared.settings import Payer
from shared.yaml_files import read_yaml

LETTER = {"coding": [{"system": LOINC, "code": "51852-2", "display": "Letter"}]}
NOTE = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
TEMPLATE: Mapping[str, Any] = read_yaml(Path(__file__).with_name("medical-necessity.yaml").read_text(encoding="utf-8"))
"""The letter's paragraphs, with names in braces for what is filled in."""
UNSAID = "not said"


def packet(case: Case, claim: Resource, stage: Stage) -> tuple[Resource, ...]:
    """The paper as DocumentReference and the Binary of its bytes, made once for each Claim."""
    document_id = derived_id(PREFIX, "DocumentReference", claim["id"], "packet")
    stored = case.facts.at("DocumentReference/" + document_id)
    if stored is not None:
        return ()
    title = "Request for prior authorization"
    content = sheets(title, case.policy.site.organization, f"Our reference: {claim['id']}", parts(case, claim, stage))
    return filed(case, document_id, content, title, claim)


def filed(case: Case, document_id: str, content: bytes, title: str, about: Resource) -> tuple[Resource, Resource]:
    """A paper of ours as it is kept: what it is in a DocumentReference, its bytes in a Binary."""
    binary = {
        "resourceType": "Binary",
        "id": derived_id(PREFIX, "Binary", document_id),
        "contentType": "application/pdf",
        "securityContext": {"reference": literal_of(case.order["subject"])},
        "data": base64.b64encode(content).decode(),
    }
    attachment = {
        "contentType": "application/pdf",
        "language": "en-US",
        "url": reference(binary),
        "size": len(content),
        "hash": base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode(),
        "title": title,
    }
    site = case.policy.site
    document = {
        "resourceType": "DocumentReference",
        "id": document_id,
        "status": "current",
        "type": LETTER,
        "category": [concept(NOTE, "clinical-note")],
        "subject": {"reference": literal_of(case.order["subject"])},
        "date": case.at.isoformat(),
        "author": [{"identifier": {"system": NPI, "value": site.npi}, "display": site.organization}],
        "content": [{"attachment": attachment}],
        "context": {"related": [{"reference": reference(about)}]},
    }
    return document, binary


def parts(case: Case, claim: Resource, stage: Stage) -> tuple[Part, ...]:
    """Everything the paper says, part by part."""
    said = filled(case, claim)
    evidence = [r for i in claim.get("supportingInfo", ()) if (r := case.facts.at(literal_of(i.get("valueReference"))))]
    labs = [r for r in evidence if r["resourceType"] == "Observation"]
    others = [r for r in evidence if r["resourceType"] not in ("Observation", "QuestionnaireResponse")]
    return (
        _cover(case, said, len(evidence)),
        *_form(case, claim, said),
        _letter(said),
        *_question_set(case, stage),
        Part("Clinical evidence", rows=[CRITERIA, *_criteria(case, stage)], apart=True, title=True),
        Part("Documents and history", rows=[HISTORY, *(_row(r) for r in others)]),
        Part("Laboratory results", rows=[LABS, *(_lab(r) for r in labs), *deficit_row(case)]),
    )


CRITERIA = ("Criterion", "Finding", "Source")
HISTORY = ("What", "Stated", "Source")
LABS = ("Test", "Value", "Date", "Source")


def filled(case: Case, claim: Resource) -> dict[str, str]:
    """What the template's braces stand for."""
    patient, item = case.patient or {}, claim["item"][0]
    return {
        "payer": case.reviewer.name if case.reviewer else UNSAID,
        "practice": case.policy.site.organization,
        "drug": case.drug.name if case.drug else UNSAID,
        "code": billed(item["productOrService"]) or UNSAID,
        "units": f"{item['quantity']['value']}",
        "start": item["servicedPeriod"]["start"],
        "end": item["servicedPeriod"]["end"],
        "patient": _name(patient),
        "born": patient.get("birthDate", UNSAID),
        "member": member_number(case.coverage or {}) or UNSAID,
        "diagnoses": ", ".join(_diagnoses(case)) or UNSAID,
        "prescriber": _prescriber(case),
        "place": code_of(item["locationCodeableConcept"], PLACE_OF_SERVICE) or UNSAID,
        "dosage": _dosage(case.medication or {}),
    }


def way(payer: Payer) -> str:
    """Where a payer that has no interface takes requests."""
    return f"its portal, {payer.portal}" if payer.pathway == "portal" else f"fax to {payer.fax}"


def _cover(case: Case, said: Mapping[str, str], documents: int) -> Part:
    site = case.policy.site
    pairs = (
        ("To", said["payer"]),
        ("By", way(case.reviewer) if case.reviewer else UNSAID),
        ("From", f"{site.organization}, NPI {site.npi}"),
        ("Date", case.on.isoformat()),
        ("About", f"{said['patient']}, born {said['born']}, member {said['member']}"),
        ("Request", f"{said['drug']} ({said['code']})"),
        ("Pieces of evidence cited", str(documents)),
    )
    private = (
        "Confidential: health information of one person, for the addressee alone. "
        "Whoever received it by mistake is asked to tell us and to destroy it."
    )
    return Part("Request for prior authorization", pairs, (private,), title=True)


def _form(case: Case, claim: Resource, said: Mapping[str, str]) -> Iterator[Part]:
    urgent = "expedited" if code_of(claim["priority"], PRIORITY) == "stat" else "standard"
    yield Part(
        "Request form", apart=True, title=True,
        pairs=(("Member", f"{said['patient']}, born {said['born']}, {(case.patient or {}).get('gender', UNSAID)}"),
               ("Member id", said["member"]), ("Review", urgent), ("Diagnoses (ICD-10-CM)", said["diagnoses"]),
               ("Prescriber", said["prescriber"]), ("Provider", f"{said['practice']}, NPI {case.policy.site.npi}"),
               ("Place of service", said["place"]), ("Ordered", said["dosage"])),
    )  # fmt: skip
    rows = [("Line", "Code", "Units", "From", "To")]
    for item in claim["item"]:
        period = item["servicedPeriod"]
        code = billed(item["productOrService"]) or UNSAID
        rows.append((f"{item['sequence']}", code, f"{item['quantity']['value']}", period["start"], period["end"]))
    yield Part("Requested services", rows=rows)


PRIORITY = "http://terminology.hl7.org/CodeSystem/processpriority"


def _letter(said: Mapping[str, str]) -> Part:
    texts = [TEMPLATE["greeting"], *TEMPLATE["paragraphs"], TEMPLATE["closing"], "{practice}"]
    return Part(TEMPLATE["heading"], texts=[t.format(**said) for t in texts], apart=True, title=True)


def _question_set(case: Case, stage: Stage) -> Iterator[Part]:
    """The pharmacy benefit's questions with their answers, and where each comes from."""
    for response in (r for r in stage.saves if r["resourceType"] == "QuestionnaireResponse"):
        rows = (
            (number, asked, said, _origin(case, literal)) for number, asked, said, literal in answered_items(response)
        )
        yield Part("Question set", rows=[QUESTIONS, *rows], apart=True, title=True)


def _origin(case: Case, literal: str | None) -> str:
    found = case.facts.at(literal)
    return UNSAID if found is None else "a person" if found["resourceType"] == "Task" else source_of(found)


QUESTIONS = ("No.", "Question", "Answer", "Source")


def _criteria(case: Case, stage: Stage) -> Iterator[tuple[str, str, str]]:
    """Each criterion that is met, with what shows it; what was not needed beside those is not told."""
    outputs = stage.outputs or (case.task or {}).get("output", ())
    for told in (o for o in outputs if code_of(o["type"], OUTPUT) == "criterion"):
        coded = told["valueCodeableConcept"]
        if coded["text"] != "met":
            continue
        shown = literal_of((extension(told, EVIDENCE) or {}).get("valueReference"))
        proof = case.facts.at(shown)
        source = source_of(proof) if proof else "nothing against it in the chart"
        yield code_of(coded, CRITERION) or "", coded["text"], source


# What a piece of evidence says


def _row(resource: Resource) -> tuple[str, str, str]:
    return name_of(resource), state_of(resource), source_of(resource)


def _lab(result: Resource) -> tuple[str, str, str, str]:
    return name_of(result), value_of(result), _on(result), source_of(result)


def name_of(resource: Resource) -> str:
    coded = resource.get("code") or resource.get("type") or resource.get("medicationCodeableConcept") or {}
    displays = (c.get("display") or c.get("code") for c in coded.get("coding", ()))
    return str(coded.get("text") or next((d for d in displays if d), None) or resource["resourceType"])


def value_of(result: Resource) -> str:
    quantity, coded = result.get("valueQuantity") or {}, result.get("valueCodeableConcept") or {}
    if "value" in quantity:
        return f"{quantity.get('comparator', '')}{quantity['value']} {quantity.get('unit') or quantity.get('code', '')}"
    return str(coded.get("text") or result.get("valueString") or next(_displays(coded), UNSAID))


def _displays(coded: Mapping[str, Any]) -> Iterator[str]:
    return (c.get("display") or c["code"] for c in coded.get("coding", ()) if "code" in c)


def state_of(resource: Resource) -> str:
    """Status and days, as the record has them."""
    period = resource.get("effectivePeriod") or {}
    days = f", {period.get('start', '?')} to {period.get('end', 'now')}" if period else ""
    return f"{resource.get('status', 'recorded')}{days}"


def source_of(resource: Resource) -> str:
    """Kind and day of a record, and under which number it is known where it came from; a person under ours alone."""
    numbers = () if resource["resourceType"] in PEOPLE else resource.get("identifier", ())
    own = next((i["value"] for i in numbers if "value" in i), resource["id"])
    return f"{resource['resourceType']} {own}, {_on(resource)}"


PEOPLE = ("Patient", "RelatedPerson", "Practitioner", "PractitionerRole")


def _on(resource: Resource) -> str:
    elements = ("effectiveDateTime", "issued", "date", "authoredOn", "recordedDate", "onsetDateTime", "dateAsserted")
    return next((str(resource[e])[:10] for e in elements if e in resource), "day not said")


# Who and what


def _name(person: Mapping[str, Any]) -> str:
    return person_name(person) or UNSAID


def _diagnoses(case: Case) -> Iterable[str]:
    conditions = {code_of(c.get("code"), ICD_10_CM): c for c in case.facts.of("Condition")}
    for code in case.diagnoses:
        called = name_of(conditions[code]) if code in conditions else code
        yield code if called == code else f"{code} {called}"


def _prescriber(case: Case) -> str:
    person = case.facts.person(literal_of(case.order.get("requester"))) or {}
    npi = npi_of(person)
    return f"{_name(person)}, NPI {npi}" if npi else _name(person)


def _dosage(medication: Mapping[str, Any]) -> str:
    """As the prescription says it in words, else the dose and how often."""
    instruction: Mapping[str, Any] = next(iter(medication.get("dosageInstruction", ())), {})
    if "text" in instruction:
        return str(instruction["text"])
    rate: Mapping[str, Any] = next(iter(instruction.get("doseAndRate", ())), {})
    dose = rate.get("doseQuantity") or {}
    repeat = (instruction.get("timing") or {}).get("repeat") or {}
    times = f", {repeat['count']} doses" if "count" in repeat else ""
    return f"{dose['value']} {dose.get('unit', '')}{times}" if "value" in dose else UNSAID

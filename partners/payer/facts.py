"""What a payer reads out of a PAS request Bundle: who, which products, which results, what was tried before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from partners.references import found_in, target

HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CPT = "http://www.ama-assn.org/go/cpt"
CERTIFICATION = "/extension-certificationType"
INFO_CANCELLED = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/modifierextension-infoCancelled"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
_VALID_RESULTS = {"final", "amended", "corrected"}
_NO_CODES = {"373067005", "LA32-8", "N", "no", "not-tried", "never"}
_NO_WORDS = {"no", "none", "never", "false"}
_NO_BEGINNINGS = ("not tried", "not taken", "not attempted", "never ", "no trial")
_DAYS_PER = {"d": 1, "day": 1, "days": 1, "wk": 7, "week": 7, "weeks": 7, "mo": 30, "month": 30, "months": 30}


@dataclass(frozen=True, slots=True)
class Result:
    """One valid Observation: its codes and words, its value as sent, the words of its answer, and its day."""

    codes: frozenset[str]
    words: str
    value: Decimal | None
    unit: str
    answers: frozenset[str]
    on: date | None


@dataclass(frozen=True, slots=True)
class Mention:
    """One record that something was taken, tried or not tolerated. `days` is None where it is not said how long."""

    codes: frozenset[str]
    words: str
    happened: bool
    days: int | None


@dataclass(frozen=True, slots=True)
class Requested:
    """One Claim.item: product, units asked, first day where it says so, whether it is withdrawn, whether it renews."""

    sequence: int
    hcpcs: str
    units: Decimal | None
    begins: date | None
    cancelled: bool = False
    renews: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the rules may look at."""

    on: date
    gender: str
    member: str | None
    groups: frozenset[str]
    diagnoses: frozenset[str]
    conditions: frozenset[str]
    results: tuple[Result, ...]
    mentions: tuple[Mention, ...]
    items: tuple[Requested, ...]
    documents: tuple[str, ...] = ()
    document_codes: frozenset[str] = frozenset()
    answers: tuple[tuple[str, Any], ...] = ()


def facts_of(bundle: Any) -> Facts:
    """Reads a PAS request Bundle (R4B model, Claim first)."""
    named = found_in(bundle)
    claim = bundle.entry[0].resource
    coverage = _coverage(claim, named)
    resources = list(_resources(bundle))
    diagnoses = frozenset(_diagnoses(claim, named))
    conditions = (r for r in resources if r.get_resource_type() == "Condition" and _stands(r))
    return Facts(
        on=_day(claim.created) or date.min,
        gender=str(getattr(target(claim.patient, named), "gender", None) or "unknown"),
        member=member_of(coverage),
        groups=frozenset(str(c.value).upper() for c in getattr(coverage, "class_fhir", None) or ()),
        diagnoses=diagnoses,
        conditions=diagnoses | {code for c in conditions for code in _icd10(c.code)},
        results=tuple(_result(r) for r in resources if _valid_result(r)),
        mentions=tuple(_mentions(resources, named, _day(claim.created) or date.min)),
        items=tuple(_requested(i) for i in claim.item or ()),
        documents=tuple(
            m.words for d in resources if _is_document(d) for m in _document(d, named, date.min) if m.happened
        ),
        document_codes=frozenset(c for d in resources if _is_document(d) for c in _codes(d.type)),
        answers=tuple(a for r in resources if r.get_resource_type() == "QuestionnaireResponse" for a in answers_in(r)),
    )


def answers_in(resource: Any) -> Iterator[tuple[str, Any]]:
    """(linkId, value) of every answer of a QuestionnaireResponse (R4B model), whatever it stands in."""
    for item in resource.item or ():
        for given in item.answer or ():
            yield str(item.linkId), _value(given)
            yield from answers_in(given)
        yield from answers_in(item)


def _value(answer: Any) -> Any:
    coding = answer.valueCoding
    if coding is not None:
        return str(coding.code)
    plain = (answer.valueBoolean, answer.valueDecimal, answer.valueInteger, answer.valueDate, answer.valueString)
    return next((v for v in plain if v is not None), None)


def _is_document(resource: Any) -> bool:
    return bool(resource.get_resource_type() == "DocumentReference")


def _resources(bundle: Any) -> Iterator[Any]:
    """Every resource of a Bundle; evidence may come in a Bundle of its own."""
    for entry in bundle.entry or ():
        if entry.resource is not None:
            yield entry.resource
            if entry.resource.get_resource_type() == "Bundle":
                yield from _resources(entry.resource)


def member_of(coverage: Any) -> str | None:
    """The member id: Coverage.subscriberId, else its first identifier with a value."""
    values = [getattr(coverage, "subscriberId", None)]
    values += [i.value for i in getattr(coverage, "identifier", None) or ()]
    return next((str(v) for v in values if v), None)


def product_of(concept: Any) -> str:
    """The HCPCS or CPT code of a productOrService; empty where it has none."""
    return next((str(c.code) for c in getattr(concept, "coding", None) or () if str(c.system) in (HCPCS, CPT)), "")


def _coverage(claim: Any, named: Mapping[str, Any]) -> Any:
    insurances = sorted(claim.insurance or (), key=lambda i: not i.focal)
    return target(insurances[0].coverage, named) if insurances else None


def _diagnoses(claim: Any, named: Mapping[str, Any]) -> Iterator[str]:
    for diagnosis in claim.diagnosis or ():
        condition = target(diagnosis.diagnosisReference, named)
        yield from _icd10(diagnosis.diagnosisCodeableConcept or getattr(condition, "code", None))


def _icd10(concept: Any) -> Iterator[str]:
    codings = getattr(concept, "coding", None) or ()
    return (str(c.code).upper().replace(".", "") for c in codings if str(c.system) == ICD10)


def _requested(item: Any) -> Requested:
    period = item.servicedPeriod
    begins = _day(item.servicedDate or (period and period.start))
    units = item.quantity.value if item.quantity else None
    cancelled = any(str(e.url) == INFO_CANCELLED and e.valueBoolean for e in item.modifierExtension or ())
    return Requested(int(item.sequence), product_of(item.productOrService), units, begins, cancelled, _renews(item))


def _renews(item: Any) -> bool:
    """Whether its certification type (X12 1322) is R."""
    types = (e.valueCodeableConcept for e in item.extension or () if str(e.url).endswith(CERTIFICATION))
    return any("R" in _codes(t) for t in types)


def _valid_result(resource: Any) -> bool:
    return resource.get_resource_type() == "Observation" and resource.status in _VALID_RESULTS


def _result(observation: Any) -> Result:
    quantity = observation.valueQuantity
    concepts = [observation.valueCodeableConcept, *(observation.interpretation or ())]
    text = str(observation.valueString or "").strip().lower()
    answers = {c for concept in concepts for c in (*_codes(concept), _words(concept))} | {text}
    when = observation.effectiveDateTime or observation.effectiveInstant
    return Result(
        codes=_codes(observation.code),
        words=_words(observation.code),
        value=quantity.value if quantity and quantity.comparator not in {">", ">="} else None,
        unit=str(quantity.code or quantity.unit or "") if quantity else "",
        answers=frozenset(a for a in answers if a),
        on=_day(when or (observation.effectivePeriod and observation.effectivePeriod.start)),
    )


def _mentions(resources: list[Any], named: Mapping[str, Any], on: date) -> Iterator[Mention]:
    for resource in resources:
        if (read := _MENTIONING.get(resource.get_resource_type())) is not None:
            yield from read(resource, named, on)


def _statement(resource: Any, named: Mapping[str, Any], on: date) -> Iterator[Mention]:
    period = resource.effectivePeriod
    begins, ends = (_day(period.start), _day(period.end)) if period else (None, None)
    days = (min(ends or on, on) - begins).days if begins else None
    happened = resource.status not in {"not-taken", "intended", "entered-in-error", "unknown"}
    yield _mention(_medication(resource, named), happened, days)


def _prescription(resource: Any, named: Mapping[str, Any], _on: date) -> Iterator[Mention]:
    if resource.intent != "filler-order":
        yield _mention(_medication(resource, named), resource.status in {"active", "on-hold", "stopped", "completed"})


def _observed(resource: Any, _named: Mapping[str, Any], _on: date) -> Iterator[Mention]:
    if not _valid_result(resource):
        return
    days = _days(resource.valueQuantity)
    said_no = resource.valueBoolean is False or _is_no(resource.valueCodeableConcept, resource.valueString)
    words = f"{_words(resource.code)} {_words(resource.valueCodeableConcept)} {resource.valueString or ''}".lower()
    codes = _codes(resource.code) | _codes(resource.valueCodeableConcept)
    yield Mention(codes, words, not said_no and days != 0, days)


def _intolerance(resource: Any, _named: Mapping[str, Any], _on: date) -> Iterator[Mention]:
    yield _mention(resource.code, _stands(resource))


def _document(resource: Any, _named: Mapping[str, Any], _on: date) -> Iterator[Mention]:
    titles = [c.attachment.title for c in resource.content or () if c.attachment]
    words = " ".join(str(w) for w in (resource.description, _words(resource.type), *titles) if w)
    yield Mention(frozenset(), words.lower(), resource.status == "current", None)


def _answers(resource: Any, _named: Mapping[str, Any], _on: date) -> Iterator[Mention]:
    for item in resource.item or ():
        for given in item.answer or ():
            said_no = given.valueBoolean is False or _is_no(None, given.valueString)
            words = f"{item.text or ''} {given.valueString or ''} {getattr(given.valueCoding, 'display', None) or ''}"
            yield Mention(frozenset(), words.lower(), not said_no, _days(given.valueQuantity))
        yield from _answers(item, _named, _on)


def _information(claim: Any, _named: Mapping[str, Any], _on: date) -> Iterator[Mention]:
    for info in claim.supportingInfo or ():
        words = f"{_words(info.category)} {_words(info.code)} {info.valueString or ''}".lower()
        said_no = info.valueBoolean is False or _is_no(None, info.valueString)
        yield Mention(_codes(info.code), words, not said_no, _days(info.valueQuantity))


_MENTIONING = {
    "MedicationStatement": _statement,
    "MedicationRequest": _prescription,
    "Observation": _observed,
    "Condition": _intolerance,
    "AllergyIntolerance": _intolerance,
    "DocumentReference": _document,
    "QuestionnaireResponse": _answers,
    "Claim": _information,
}


def _medication(resource: Any, named: Mapping[str, Any]) -> Any:
    contained = {f"#{r.id}": r for r in resource.contained or ()}
    medication = target(resource.medicationReference, {**named, **contained})
    return resource.medicationCodeableConcept or getattr(medication, "code", None)


def _mention(concept: Any, happened: bool, days: int | None = None) -> Mention:
    return Mention(_codes(concept), _words(concept), happened, days)


def _stands(resource: Any) -> bool:
    """Whether a Condition or AllergyIntolerance is not withdrawn."""
    return not _codes(resource.verificationStatus) & {"refuted", "entered-in-error"}


def _is_no(concept: Any, text: Any) -> bool:
    said = str(text or "").strip().lower()
    return bool(_codes(concept) & _NO_CODES) or said in _NO_WORDS or said.startswith(_NO_BEGINNINGS)


def _days(quantity: Any) -> int | None:
    per = _DAYS_PER.get(str(quantity.code or quantity.unit or "").lower()) if quantity else None
    return None if per is None or quantity.value is None else int(quantity.value * per)


def _codes(concept: Any) -> frozenset[str]:
    return frozenset(str(c.code) for c in getattr(concept, "coding", None) or () if c.code)


def _words(concept: Any) -> str:
    if concept is None:
        return ""
    displays = [c.display for c in concept.coding or () if c.display]
    return " ".join(str(w) for w in (*displays, concept.text) if w).lower()


def _day(value: Any) -> date | None:
    return value.date() if isinstance(value, datetime) else value if isinstance(value, date) else None

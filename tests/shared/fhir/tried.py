"""Small resources that break invariants, and others that do not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

PATIENT = {"reference": "Patient/1"}
CONCEPT = {"text": "a"}
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-"


def observation(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": CONCEPT, **elements}


def appointment(status: str, **elements: Any) -> dict[str, Any]:
    someone = {"actor": PATIENT, "status": "accepted"}
    return {"resourceType": "Appointment", "status": status, "participant": [someone], **elements}


def bundle(type_: str, *entries: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": type_, **({"entry": list(entries)} if entries else {}), **elements}


def condition(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "subject": PATIENT, **elements}


def allergy(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "AllergyIntolerance", "patient": PATIENT, **elements}


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def task(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Task", "status": "requested", "intent": "order", **elements}


def patient(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **elements}


def order(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": PATIENT, **elements}


def timing(**elements: Any) -> dict[str, Any]:
    return order(occurrenceTiming={"repeat": elements})


def period(start: str, end: str) -> dict[str, Any]:
    return order(occurrencePeriod={"start": start, "end": end})


def limits(low: Any, high: Any) -> dict[str, Any]:
    return order(quantityRange={"low": low, "high": high})


def holding(contained: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return patient(contained=[contained], generalPractitioner=[{"reference": "#c"}], **elements)


ORG = {"resourceType": "Organization", "id": "c", "name": "a"}
GET = {"method": "GET", "url": "Patient/a"}
OK = {"status": "200"}
PERSON = {"resource": {"resourceType": "Patient", "id": "a"}}
URL = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"
ENTRY = PERSON | {"fullUrl": URL}
VERSIONED = {"resource": {"resourceType": "Patient", "meta": {"versionId": "2"}}, "fullUrl": URL}
HEADER = {"resourceType": "MessageHeader", "eventUri": "a:b", "source": {"endpoint": "http://a"}}
LETTER = {
    "resourceType": "Composition",
    "status": "final",
    "type": CONCEPT,
    "date": "2026",
    "author": [{"display": "a"}],
    "title": "a",
}
DOCUMENT = {"identifier": {"system": "a:b", "value": "1"}, "timestamp": "2026-11-21T00:00:00Z"}
LOINC = {"coding": [{"system": "http://loinc.org", "code": "1-1"}]}

# key: (broken, where), not broken
CASES: dict[str, tuple[list[tuple[dict[str, Any], str]], list[dict[str, Any]]]] = {
    "per-1": (
        [
            (period("2026-11-22", "2026-11-21"), "ServiceRequest.occurrence"),
            (period("2027", "2026-11-21"), "ServiceRequest.occurrence"),
            (period("2026-11-21T10:00:00Z", "2026-11-21T11:00:00+02:00"), "ServiceRequest.occurrence"),
        ],
        [
            period("2026-11-21", "2026-11-21"),
            period("2026-11", "2026-11-01"),
            period("2026-11-21T10:00:00Z", "2026-11-21"),
            period("2026-11-21T10:00:00+02:00", "2026-11-21T09:00:00Z"),
            period("2026-11-21T10:00:60Z", "2026-11-21T10:01:00Z"),
        ],
    ),
    "rng-2": (
        [(limits({"value": 2}, {"value": Decimal("1.9")}), "ServiceRequest.quantity")],
        [limits({"value": 2}, {"value": 2}), limits({"value": 2, "unit": "g"}, {"value": 1, "unit": "kg"})],
    ),
    "rat-1": (
        [(order(quantityRatio={"numerator": {"value": 1}}), "ServiceRequest.quantity")],
        [order(quantityRatio={"numerator": {"value": 1}, "denominator": {"value": 2}})],
    ),
    "qty-3": (
        [(order(quantityQuantity={"value": 1, "code": "mg"}), "ServiceRequest.quantity")],
        [order(quantityQuantity={"value": 1, "unit": "mg"})],
    ),
    "cpt-2": (
        [(patient(telecom=[{"value": "1"}]), "Patient.telecom[0]")],
        [patient(telecom=[{"value": "1", "system": "phone"}, {"use": "home"}])],
    ),
    "att-1": (
        [(patient(photo=[{"data": "AAAA"}]), "Patient.photo[0]")],
        [patient(photo=[{"url": "http://a"}, {"data": "AAAA", "contentType": "image/png"}])],
    ),
    "pat-1": (
        [(patient(contact=[{"gender": "male"}]), "Patient.contact[0]")],
        [patient(contact=[{"name": {"text": "a"}}])],
    ),
    "org-1": ([({"resourceType": "Organization"}, "Organization")], [{"resourceType": "Organization", "name": "a"}]),
    "org-2": (
        [({"resourceType": "Organization", "name": "a", "address": [{"use": "home"}]}, "Organization.address[0]")],
        [{"resourceType": "Organization", "name": "a", "address": [{"use": "work"}]}],
    ),
    "dom-2": (
        [(holding(ORG | {"contained": [ORG | {"id": "d"}], "partOf": {"reference": "#d"}}), "Patient.contained[0]")],
        [holding(ORG)],
    ),
    "dom-3": (
        [(patient(contained=[ORG]), "Patient.contained[0]")],
        [
            holding(ORG),
            patient(
                contained=[
                    {
                        "resourceType": "Encounter",
                        "status": "planned",
                        "class": {"code": "a"},
                        "subject": {"reference": "#"},
                    }
                ]
            ),
        ],
    ),
    "dom-4": (
        [(holding(ORG | {"meta": {"versionId": "1"}}), "Patient.contained[0].meta")],
        [holding(ORG | {"meta": {"source": "a:b"}})],
    ),
    "dom-5": ([(holding(ORG | {"meta": {"security": [{"code": "a"}]}}), "Patient.contained[0].meta")], [holding(ORG)]),
    "obs-3": (
        [(observation(referenceRange=[{"age": {"low": {"value": 1}}}]), "Observation.referenceRange[0]")],
        [observation(referenceRange=[{"text": "a"}])],
    ),
    "obs-6": (
        [(observation(valueString="a", dataAbsentReason=CONCEPT), "Observation")],
        [observation(dataAbsentReason=CONCEPT)],
    ),
    "obs-7": (
        [
            (
                observation(code=LOINC, valueString="a", component=[{"code": CONCEPT}, {"code": LOINC}]),
                "Observation.component[1].code",
            )
        ],
        [
            observation(code=LOINC, component=[{"code": LOINC}]),
            observation(code=LOINC, valueString="a", component=[{"code": CONCEPT}]),
        ],
    ),
    "app-1": (
        [(appointment("proposed") | {"participant": [{"status": "accepted"}]}, "Appointment.participant[0]")],
        [appointment("proposed")],
    ),
    "app-2": (
        [(appointment("proposed", start="2026-11-21T10:00:00Z"), "Appointment")],
        [appointment("proposed", start="2026-11-21T10:00:00Z", end="2026-11-21T11:00:00Z")],
    ),
    "app-3": (
        [(appointment("booked"), "Appointment"), (appointment("pending"), "Appointment")],
        [appointment("waitlist"), appointment("cancelled")],
    ),
    "app-4": (
        [(appointment("proposed", cancelationReason=CONCEPT), "Appointment")],
        [appointment("cancelled", cancelationReason=CONCEPT)],
    ),
    "prr-1": ([(order(orderDetail=[CONCEPT]), "ServiceRequest")], [order(orderDetail=[CONCEPT], code=CONCEPT)]),
    "Task inv-1": (
        [(task(authoredOn="2026-11-21", lastModified="2026-11-20"), "Task")],
        [task(authoredOn="2026-11-21", lastModified="2026-11-21"), task(lastModified="2026")],
    ),
    "Parameters.parameter inv-1": (
        [({"resourceType": "Parameters", "parameter": [{"name": "a"}]}, "Parameters.parameter[0]")],
        [{"resourceType": "Parameters", "parameter": [{"name": "a", "valueString": "b"}]}],
    ),
    "con-4": (
        [(condition(abatementString="a", clinicalStatus=coded(CLINICAL, "active")), "Condition")],
        [condition(abatementString="a", clinicalStatus=coded(CLINICAL, "resolved"))],
    ),
    "con-5": (
        [
            (
                condition(
                    clinicalStatus=coded(CLINICAL, "active"), verificationStatus=coded(VERIFICATION, "entered-in-error")
                ),
                "Condition",
            )
        ],
        [condition(verificationStatus=coded(VERIFICATION, "entered-in-error"))],
    ),
    "ait-1": ([(allergy(), "AllergyIntolerance")], [allergy(clinicalStatus=coded(ALLERGY + "clinical", "active"))]),
    "ait-2": (
        [
            (
                allergy(
                    clinicalStatus=coded(ALLERGY + "clinical", "active"),
                    verificationStatus=coded(ALLERGY + "verification", "entered-in-error"),
                ),
                "AllergyIntolerance",
            )
        ],
        [allergy(verificationStatus=coded(ALLERGY + "verification", "entered-in-error"))],
    ),
    "bdl-1": ([(bundle("collection", total=1), "Bundle")], [bundle("searchset", total=1)]),
    "bdl-2": (
        [(bundle("collection", ENTRY, PERSON | {"search": {"mode": "match"}}), "Bundle.entry[1].search")],
        [bundle("searchset", PERSON | {"search": {"mode": "match"}})],
    ),
    "bdl-3": (
        [
            (bundle("transaction", ENTRY), "Bundle.entry[0].request"),
            (bundle("collection", PERSON | {"request": GET}), "Bundle.entry[0].request"),
        ],
        [bundle("transaction", {"request": GET}), bundle("batch", {"request": GET})],
    ),
    "bdl-4": (
        [(bundle("transaction-response", ENTRY), "Bundle.entry[0].response")],
        [bundle("batch-response", {"response": OK})],
    ),
    "bdl-5": ([(bundle("collection", {"fullUrl": URL}), "Bundle.entry[0]")], [bundle("collection", ENTRY)]),
    "bdl-7": (
        [(bundle("collection", ENTRY, PERSON, ENTRY), "Bundle.entry[2].fullUrl")],
        [bundle("collection", ENTRY, VERSIONED), bundle("history", *([ENTRY | {"request": GET, "response": OK}] * 2))],
    ),
    "bdl-8": (
        [(bundle("collection", PERSON | {"fullUrl": "http://a/Patient/1/_history/2"}), "Bundle.entry[0]")],
        [bundle("collection", ENTRY)],
    ),
    "bdl-9": (
        [(bundle("document", {"resource": LETTER}, timestamp="2026-11-21T00:00:00Z"), "Bundle")],
        [bundle("document", {"resource": LETTER}, **DOCUMENT)],
    ),
    "bdl-10": (
        [(bundle("document", {"resource": LETTER}, identifier=DOCUMENT["identifier"]), "Bundle")],
        [bundle("document", {"resource": LETTER}, **DOCUMENT)],
    ),
    "bdl-11": (
        [(bundle("document", ENTRY, **DOCUMENT), "Bundle")],
        [bundle("document", {"resource": LETTER}, **DOCUMENT)],
    ),
    "bdl-12": ([(bundle("message", ENTRY, {"resource": HEADER}), "Bundle")], [bundle("message", {"resource": HEADER})]),
    "tim-1": ([(timing(duration=1), "ServiceRequest.occurrence.repeat")], [timing(duration=1, durationUnit="h")]),
    "tim-2": ([(timing(period=1), "ServiceRequest.occurrence.repeat")], [timing(period=1, periodUnit="d")]),
    "tim-4": (
        [(timing(duration=-1, durationUnit="h"), "ServiceRequest.occurrence.repeat")],
        [timing(duration=0, durationUnit="h")],
    ),
    "tim-5": (
        [(timing(period=Decimal("-0.1"), periodUnit="d"), "ServiceRequest.occurrence.repeat")],
        [timing(period=0, periodUnit="d")],
    ),
    "tim-8": ([(timing(countMax=2), "ServiceRequest.occurrence.repeat")], [timing(count=1, countMax=2)]),
    "tim-9": ([(timing(offset=5, when=["CM"]), "ServiceRequest.occurrence.repeat")], [timing(offset=5, when=["ACM"])]),
    "tim-10": (
        [(timing(timeOfDay=["09:00:00"], when=["ACM"]), "ServiceRequest.occurrence.repeat")],
        [timing(when=["ACM"])],
    ),
}

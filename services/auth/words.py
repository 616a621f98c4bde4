"""The systems, codes and extensions authorization writes and reads, and how an element is found by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from shared.core import CANONICAL, IDENTIFIERS, Resource

PREFIX = "au"

ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
NPI = "http://hl7.org/fhir/sid/us-npi"
UCUM = "http://unitsofmeasure.org"
PLACE_OF_SERVICE = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
X12_REVIEW_ACTION = "https://codesystem.x12.org/005010/306"
X12_PROGNOSIS = "https://codesystem.x12.org/005010/923"
PROGNOSIS = "75328-5"
"""LOINC code of a prognosis."""

INFO_CANCELLED = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/modifierextension-infoCancelled"
"""Da Vinci PAS: an item of an earlier request that is asked for no more."""

ANSWER = CANONICAL + "CodeSystem/answer"
APPOINTMENT_KIND = CANONICAL + "CodeSystem/appointment-kind"
BENEFIT = CANONICAL + "CodeSystem/benefit"
BENEFIT_FINDING = CANONICAL + "CodeSystem/benefit-finding"
CHANNEL = CANONICAL + "CodeSystem/acquisition-channel"
CRITERION = CANONICAL + "CodeSystem/criterion"
DRUG = CANONICAL + "CodeSystem/drug"
GAP = CANONICAL + "CodeSystem/gap"
HOME_VISIT = CANONICAL + "CodeSystem/home-visit-kind"
OUTPUT = CANONICAL + "CodeSystem/preauthorization-output"
QUESTION = CANONICAL + "CodeSystem/question"
SITE_OF_CARE = CANONICAL + "CodeSystem/site-of-care"
STATUS = CANONICAL + "CodeSystem/preauthorization-status"
TASK_CODE = CANONICAL + "CodeSystem/task-code"

AT_PAYER = CANONICAL + "StructureDefinition/at-payer"
COVERAGE_ASSERTION = CANONICAL + "StructureDefinition/coverage-assertion"
AUTHORIZATION_PERIOD = CANONICAL + "StructureDefinition/authorization-period"
COST_SHARE = CANONICAL + "StructureDefinition/cost-share"
DOSE = CANONICAL + "StructureDefinition/dose"
EVENT_NUMBER = CANONICAL + "StructureDefinition/event-number"
EVIDENCE = CANONICAL + "StructureDefinition/evidence"
HOLD = CANONICAL + "StructureDefinition/hold"
OCCASION = CANONICAL + "StructureDefinition/occasion"
ORDER = CANONICAL + "StructureDefinition/order"
REGIMEN = CANONICAL + "StructureDefinition/regimen"

ENTERED = IDENTIFIERS + "entered"
"""Names an answer by the Task on which a person entered it."""
APPOINTMENT_ID = IDENTIFIERS + "appointment"
CHARGE_ID = IDENTIFIERS + "dose"
PATIENT_ID = IDENTIFIERS + "patient"
PAYER_ID = IDENTIFIERS + "payer"
ROLE_ID = IDENTIFIERS + "role"
SITE_ID = IDENTIFIERS + "site"

COORDINATOR = "authorization-coordinator"

PEER = "peer-to-peer"
"""A talk with a physician of the payer: as an answer, as a question and as a kind of Appointment."""


def concept(system: str, code: str, text: str = "") -> dict[str, Any]:
    """A CodeableConcept of one coding, with text where given."""
    coded: dict[str, Any] = {"coding": [{"system": system, "code": code}]}
    return coded | ({"text": text} if text else {})


def code_of(coded: Mapping[str, Any] | None, system: str) -> str | None:
    """The first code of this system in a CodeableConcept."""
    return next((c["code"] for c in (coded or {}).get("coding", ()) if c.get("system") == system and "code" in c), None)


def extension(element: Mapping[str, Any], url: str) -> Mapping[str, Any] | None:
    """The first extension with this url."""
    return next((e for e in element.get("extension", ()) if e.get("url") == url), None)


def part(element: Mapping[str, Any], url: str, name: str) -> Any:
    """The value of the part `name` of a complex extension, or None."""
    inner = extension(extension(element, url) or {}, name)
    return None if inner is None else next((v for k, v in inner.items() if k.startswith("value")), None)


def target(element: Mapping[str, Any] | None) -> str | None:
    """`Type/id` of a Reference, without a version."""
    literal = (element or {}).get("reference")
    return literal.partition("/_history/")[0] if isinstance(literal, str) else None


def references(value: Any) -> Iterator[str]:
    """Every literal reference inside an element, in document order."""
    if isinstance(value, dict):
        if found := target(value):
            yield found
        for inner in value.values():
            if inner.__class__ is not str:
                yield from references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from references(inner)


def task_code(task: Resource) -> str | None:
    """Our own code of a Task."""
    return code_of(task.get("code"), TASK_CODE)


def is_visit(appointment: Resource) -> bool:
    """Whether the patient comes, or is come to; a talk about him is no visit."""
    return all(code_of(c, APPOINTMENT_KIND) != PEER for c in appointment.get("serviceCategory", ()))


def site_of_care(order: Resource) -> str | None:
    """The code of the order's site of care."""
    return next((c for place in order.get("locationCode", ()) if (c := code_of(place, SITE_OF_CARE))), None)


def day(text: str | None) -> date | None:
    """The date of a FHIR date or dateTime given at least to the day; None for a coarser or missing one."""
    return date.fromisoformat(text[:10]) if text and len(text) >= 10 else None


def instant(text: str, zone: tzinfo) -> datetime:
    """The instant of a FHIR date, dateTime or instant; a date counts from its first moment in this zone."""
    if "T" not in text:
        return datetime.combine(date.fromisoformat(text), time(), zone)
    return datetime.fromisoformat(text.replace(":60", ":59"))  # a leap second, which Python does not know


def local_day(text: str | None, zone: tzinfo) -> date | None:
    """The date of a FHIR date, or of a dateTime or instant as the clock of this zone has it."""
    on = day(text)
    if text is None or on is None or not MINYEAR < on.year < MAXYEAR:
        return on
    return instant(text, zone).astimezone(zone).date()


def days_after(on: date, days: int) -> date:
    """The date so many days later, at most the last there is."""
    return on + timedelta(days=min(days, (date.max - on).days))


def number(value: Any) -> Decimal | None:
    """A JSON number as an exact decimal, or None."""
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def unversioned(resource: Resource) -> dict[str, Any]:
    """A stored resource as its owner would save it again."""
    return {k: v for k, v in resource.items() if k != "meta"}


def order_of(resource: Resource) -> str | None:
    """`ServiceRequest/id` of the order a resource of ours is about."""
    return target((extension(resource, ORDER) or {}).get("valueReference"))


def period_of(resource: Mapping[str, Any]) -> int:
    """The ordinal of the period a request or a Task of ours is about; the first where none is said."""
    return int((extension(resource, AUTHORIZATION_PERIOD) or {}).get("valuePositiveInt", 1))


def period_said(ordinal: int) -> list[dict[str, Any]]:
    """The extension that says a period; the first needs none."""
    return [{"url": AUTHORIZATION_PERIOD, "valuePositiveInt": ordinal}] if ordinal > 1 else []


def npi_of(person: Mapping[str, Any]) -> str | None:
    """The NPI of a person or an organization."""
    return next((i["value"] for i in person.get("identifier", ()) if i.get("system") == NPI and "value" in i), None)


def person_name(person: Mapping[str, Any]) -> str:
    """How a person is called: as written, else given and family names; empty where no name is known."""
    name: Mapping[str, Any] = next(iter(person.get("name", ())), {})
    return name.get("text") or " ".join([*name.get("given", ()), name.get("family", "")]).strip()


def member_number(coverage: Mapping[str, Any]) -> str | None:
    """The number by which a payer knows the member."""
    numbers = (i["value"] for i in coverage.get("identifier", ()) if "value" in i)
    return coverage.get("subscriberId") or next(numbers, None)


def is_entered(response: Resource) -> bool:
    """Whether a person entered an answer, and the payer did not send it."""
    return any(i.get("system") == ENTERED for i in response.get("identifier", ()))


def question_code(question: Resource) -> str | None:
    """What an authorization-question asks."""
    return next((code_of(i.get("type"), QUESTION) for i in question.get("input", ())), None)


def answer_of(question: Resource) -> str | None:
    """What a person answered: the code of the first `answer` of a completed question."""
    if question["status"] != "completed":
        return None
    return next((code for o in question.get("output", ()) if (code := code_of(o.get("type"), ANSWER))), None)


def starts_on(order: Resource) -> date | None:
    """The first date of service an order names."""
    return day((order.get("occurrencePeriod") or {}).get("start"))

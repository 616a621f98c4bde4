"""Reads single records: whom they are about, when they are from, and whether they stand; no judgement of a referral."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from services.intake.codes import (
    ALLERGY_CERTAINTY,
    CALLED_OFF,
    CONDITION_CERTAINTY,
    KNOWN_AS,
    PLACER_CLIENT,
    code_of,
    typed,
)
from shared.borders import undeclared
from shared.core import Resource

SUBJECT = {
    "AllergyIntolerance": "patient",
    "ClaimResponse": "patient",
    "Consent": "patient",
    "Coverage": "beneficiary",
    "Device": "patient",
    "Immunization": "patient",
    "RelatedPerson": "patient",
    "SupplyDelivery": "patient",
    "Task": "for",
}
"""Element naming the patient, where it is not `subject`."""

REFUTED = frozenset({"refuted", "entered-in-error"})
WITHDRAWN = frozenset({"cancelled", "entered-in-error", "superseded"})

_WRITTEN = ("versionId", "lastUpdated")


def bare(resource: Resource) -> dict[str, Any]:
    """A resource without its meta: what its source said, not when or in which version."""
    return {k: v for k, v in resource.items() if k != "meta"}


def unversioned(resource: Resource) -> dict[str, Any]:
    """A stored resource as a decision may save it again: without what the run loop writes."""
    meta = {k: v for k, v in undeclared(resource.get("meta", {})).items() if k not in _WRITTEN}
    return bare(resource) | ({"meta": meta} if meta else {})


def literal(element: Mapping[str, Any] | None) -> str | None:
    """`Type/id` of a Reference, without base address or version."""
    text = (element or {}).get("reference")
    if not isinstance(text, str) or "/" not in text:
        return None
    return "/".join(text.partition("/_history/")[0].split("/")[-2:])


def subject_of(resource: Resource) -> str | None:
    """The id of the Patient a resource is about, by its literal reference; a Patient is about himself."""
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    found = literal(resource.get(SUBJECT.get(resource["resourceType"], "subject")))
    return found.removeprefix("Patient/") if found and found.startswith("Patient/") else None


def day(text: Any) -> date | None:
    """The day of a FHIR date, dateTime or instant as written; None unless it names a day."""
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def identifiers(resource: Resource | None, system: str) -> Iterator[str]:
    """Values of a resource's identifiers of one system."""
    for identifier in (resource or {}).get("identifier", ()):
        if identifier.get("system") == system and identifier.get("value"):
            yield str(identifier["value"])


def taken_on(observation: Resource) -> date | None:
    """The day a result belongs to."""
    period = observation.get("effectivePeriod", {})
    return day(observation.get("effectiveDateTime") or observation.get("effectiveInstant") or period.get("start"))


def holds(record: Resource) -> bool:
    """Whether a Condition or an AllergyIntolerance has not been refuted or entered in error."""
    certainty = record.get("verificationStatus")
    return not {code_of(certainty, system) for system in (CONDITION_CERTAINTY, ALLERGY_CERTAINTY)} & REFUTED


def stands(record: Resource) -> bool:
    """Whether nobody has taken a record back, refuted it or put a later one in its place."""
    said = {record.get("status"), record.get("docStatus")}
    return holds(record) and not said & WITHDRAWN


def denies(consent: Resource) -> bool:
    """Whether a Consent says no."""
    return bool(consent.get("provision", {}).get("type") == "deny")


def force(medication: Resource) -> int:
    """0 for a prescription in force, 1 for one that is done, 2 for one taken back."""
    status = medication.get("status")
    return 2 if status in CALLED_OFF["MedicationRequest"] else int(status == "completed")


def member_id(coverage: Resource) -> str | None:
    """The member's number: subscriberId, else the identifier of type MB."""
    written = (i.get("value") for i in coverage.get("identifier", ()) if typed(i, "MB"))
    return coverage.get("subscriberId") or next((v for v in written if v), None)


def placer_client(task: Resource | None) -> str | None:
    """The client who placed a referral, as our own extension on its Task says."""
    extensions = (task or {}).get("extension", ())
    return next((e["valueString"] for e in extensions if e.get("url") == PLACER_CLIENT), None)


def known_as(task: Resource) -> list[str]:
    """Ids of the other records of the same person, as our own extension on a referral Task says."""
    found = (literal(e.get("valueReference")) for e in task.get("extension", ()) if e.get("url") == KNOWN_AS)
    return [f.removeprefix("Patient/") for f in found if f]


def named_by(task: Resource, kin: Iterable[str]) -> list[Mapping[str, Any]]:
    """The extensions of a referral Task: whose it is, and these other records of the same person."""
    kept = [e for e in task.get("extension", ()) if e.get("url") != KNOWN_AS]
    return [*kept, *({"url": KNOWN_AS, "valueReference": {"reference": f"Patient/{k}"}} for k in kin)]


def placed_by(task: Resource, client: str | None) -> dict[str, Any]:
    """The Task as placed by this client, whatever its sender wrote there: answers go to whom it really came from."""
    sent = [e for e in task.get("extension", ()) if e.get("url") != PLACER_CLIENT]
    ours = [{"url": PLACER_CLIENT, "valueString": client}] if client is not None else []
    return {k: v for k, v in task.items() if k != "extension"} | ({"extension": e} if (e := sent + ours) else {})

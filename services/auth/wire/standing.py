"""Says what of a chart a payer may be shown at all: a clinical record that stands, and that nobody restricted.

Source: HL7 v3-Confidentiality (R restricted, V very restricted), v3-ActCode (sensitivities such as PSYTHPN, refrains
and obligations); FHIR R4 security labels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from shared.core import PRACTICE_ONLY_LABEL, Resource

CLINICAL = (
    "AllergyIntolerance",
    "Condition",
    "DocumentReference",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
)
"""What of that an order cites a payer is shown. Not, for one, to what else the patient has consented."""

EVIDENCE_KINDS = (*CLINICAL, "QuestionnaireResponse")
"""What a request may carry: that, and our own answers to a question set."""

NOT_STANDING = {"entered-in-error", "superseded"}

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
SENSITIVITY = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
RESTRICTED = {"R", "V"}


def may_travel(resource: Resource, kinds: Collection[str] = CLINICAL) -> bool:
    """Whether a payer may be shown a record without a person saying so."""
    return resource["resourceType"] in kinds and stands(resource) and not is_restricted(resource)


def stands(resource: Resource) -> bool:
    """Whether a record was neither taken back as entered in error nor replaced by another."""
    return NOT_STANDING.isdisjoint(_statuses(resource))


def _statuses(resource: Resource) -> Iterator[Any]:
    yield from (resource[k] for k in ("status", "docStatus") if k in resource)
    yield from (c.get("code") for c in (resource.get("verificationStatus") or {}).get("coding", ()))


def is_restricted(resource: Resource) -> bool:
    """Whether a label keeps a record to the practice, restricts it, or calls it sensitive."""
    return is_the_practices(resource) or any(map(_restricts, _labels(resource)))


def is_the_practices(resource: Resource) -> bool:
    """Whether a label keeps a record to the practice."""
    return PRACTICE_ONLY_LABEL in [{k: label.get(k) for k in PRACTICE_ONLY_LABEL} for label in _labels(resource)]


def _labels(resource: Resource) -> Iterable[Mapping[str, Any]]:
    found: Iterable[Mapping[str, Any]] = (resource.get("meta") or {}).get("security", ())
    return found


def _restricts(label: Mapping[str, Any]) -> bool:
    system, code = label.get("system"), label.get("code")
    return code in RESTRICTED if system == CONFIDENTIALITY else system == SENSITIVITY

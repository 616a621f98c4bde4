"""What a client's deletion makes of a record: entered in error, tagged as taken back, with its history kept.

Nothing accepted is lost: the record is another version through its owner, who draws the consequences; reads answer 410.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.core import Resource
from shared.fhir.searching import NULLIFIED

_ERROR = "entered-in-error"
_STATUS = frozenset(
    (
        "Consent", "Coverage", "Device", "DeviceUseStatement", "DocumentReference", "Encounter", "Immunization",
        "MedicationDispense", "MedicationRequest", "MedicationStatement", "Observation", "ServiceRequest",
        "SupplyDelivery",
    )
)  # fmt: skip
_VERIFIED: Mapping[str, str] = {
    "AllergyIntolerance": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
    "Condition": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
}
"""Kinds whose verification status says it, with its code system; they may then have no clinical status."""

DELETABLE = _STATUS | frozenset(_VERIFIED)
"""Kinds that can say of themselves that they were entered in error."""


def nullified(resource: Resource) -> dict[str, Any]:
    """The version that takes a record back; when, its source does not say, so it counts as it arrives."""
    kind = resource["resourceType"]
    kept = {k: v for k, v in resource.items() if kind not in _VERIFIED or k != "clinicalStatus"}
    system, _, code = NULLIFIED.partition("|")
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    tags = [*meta.get("tag", ()), {"system": system, "code": code}]
    said = {"status": _ERROR} if kind in _STATUS else {"verificationStatus": _verified(kind)}
    return {**kept, "meta": {**meta, "tag": tags}, **said}


def _verified(kind: str) -> dict[str, Any]:
    return {"coding": [{"system": _VERIFIED[kind], "code": _ERROR}]}

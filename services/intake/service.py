"""Declares intake: what it owns, listens to, says, delivers and answers searches by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.intake import bundles
from services.intake.coordinator import Policy, coordinate
from services.intake.deliver import placer
from services.intake.entries import RECEIVED
from services.intake.gather import gather_facts
from services.intake.records import subject_of
from shared.core import Resource, Service
from shared.policy import load_figures
from shared.settings import Site

POLICIES = Path(__file__).with_name("policies")

REASONS = frozenset({
    "referral-accepted", "referral-completed", "referral-changed", "referral-revoked", "referral-reported",
    "observation-received", "dispense-received", "record-received", "question-answered", "placer-unreached",
})  # fmt: skip


def by_identifier(resource: Resource) -> Sequence[str]:
    """`value` and `system|value` of each identifier."""
    listed = resource.get("identifier") or []
    return [v for i in listed if "value" in i for v in (i["value"], f"{i.get('system', '')}|{i['value']}")]


def by_patient(resource: Resource) -> Sequence[str]:
    """`id` and `Patient/id` of the patient."""
    patient = subject_of(resource)
    return [patient, f"Patient/{patient}"] if patient else []


def by_code(resource: Resource) -> Sequence[str]:
    """`code` and `system|code` of each coding of `code`."""
    codings: list[dict[str, Any]] = resource.get("code", {}).get("coding", [])
    return [v for c in codings if "code" in c for v in (c["code"], f"{c.get('system', '')}|{c['code']}")]


def by_status(resource: Resource) -> Sequence[str]:
    """The status."""
    return [resource["status"]] if "status" in resource else []


SEARCH: Mapping[str, Mapping[str, Callable[[Resource], Sequence[str]]]] = {
    "Task": {"identifier": by_identifier, "patient": by_patient, "code": by_code, "status": by_status},
    "ServiceRequest": {"identifier": by_identifier, "patient": by_patient, "status": by_status},
    "MedicationRequest": {"identifier": by_identifier, "patient": by_patient},
    "Patient": {"identifier": by_identifier},
    "Observation": {"patient": by_patient, "code": by_code},
    "Coverage": {"patient": by_patient},
    "MedicationDispense": {"patient": by_patient},
}


def declared(site: Site) -> Service:
    """Intake of one practice; it decides by the draft `intake/requirements` where the practice adopted it."""
    adopted = [a.policy for a in site.adopted]
    return Service(
        name="intake",
        prefix="in",
        owns=frozenset(RECEIVED),
        listens=frozenset({"Task", "Appointment"}),
        reasons=REASONS,
        coordinate=coordinate,
        gather=gather_facts,
        policy=Policy(load_figures("intake", POLICIES, adopted), site),
        channels=(placer(site),),
        search=SEARCH,
        door=bundles,
    )

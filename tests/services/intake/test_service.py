"""What intake declares holds of what it does: kinds, reasons, searches, facts, borders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from services.intake.doors import bundles
from services.intake.gather import gather_facts
from services.intake.persons.kinship import links
from services.intake.service import declared
from shared.core import Event, reference
from shared.fhir.profiles import r4

NAMES = ("iron-meets-criteria", "iron-criteria-not-met", "infliximab-pended", "denied", "incomplete")


class Reader:
    """A store of plain dictionaries; `lanes` says which lane each resource is in."""

    def __init__(self, *resources: Any, lane: str = "") -> None:
        self.resources, self.lane = resources, lane

    async def of_lane(self, lane: str, *types: str) -> list[Any]:
        return [r for r in self.resources if lane == self.lane]

    async def read(self, resource_id: str) -> Any:
        return next((r for r in self.resources if r["id"] == resource_id), None)

    async def several(self, ids: Iterable[str]) -> dict[str, Any]:
        return {i: found for i in ids if (found := await self.read(i)) is not None}

    async def search(self, resource_type: str, parameter: str, value: str) -> list[Any]:
        return [r for r in self.resources if (resource_type, parameter) == ("Patient", "link") and value in links(r)]


@pytest.mark.parametrize("name", NAMES)
def test_what_intake_says_is_declared_and_legal(name: str, desk: Any, example: Any) -> None:
    service, decision = declared(desk.policy.site), desk.push(example(name))
    assert decision.reason in service.reasons
    for resource in decision.saves:
        assert resource["resourceType"] in service.owns
        assert resource["id"].startswith(service.prefix + "-")
        assert r4().check(resource) == []


def test_it_decides_by_the_drafts_the_practice_adopted(site: Any) -> None:
    assert "intake/requirements" in declared(site).policy.figures.adopted


def test_a_referral_is_found_by_its_placer_identifier(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    task, search = desk.referral, declared(desk.policy.site).search["Task"]
    assert "https://ehr.mercy.example/id/referral|REF-2026-104417" in search["identifier"](task)
    assert "REF-2026-104417" in search["identifier"](task)
    assert search["patient"](task) == [desk.one("Patient")["id"], reference(desk.one("Patient"))]
    assert "referral" in search["code"](task)
    assert search["status"](task) == ["accepted"]


async def test_facts_are_the_patients_lane(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    lane = f"patient/{desk.one('Patient')['id']}"
    event = Event("message", "said", lane, desk.at, desk.at)
    facts = await gather_facts(event, Reader(*desk.held.values(), lane=lane), frozenset({lane}))
    assert facts.patient == desk.one("Patient")["id"]
    assert facts.resources == desk.held


async def test_a_record_in_another_patients_lane_is_seen_by_its_id(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    arrival = bundles.resolved(example("duplicate"), "mercy-ehr")
    assert isinstance(arrival, bundles.Arrival)
    event = Event("command", "referral-received", "patient/in-other", desk.at, desk.at, arrival.resources)
    held = Reader(*desk.held.values(), lane="patient/somebody")
    facts = await gather_facts(event, held, frozenset())
    assert facts.resources[reference(desk.referral)] == desk.referral

"""What the service declares: figures with sources, search values, what is gathered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.auth.gather import gather_facts
from services.auth.policy import AuthPolicy
from services.auth.service import declared
from services.auth.words import references
from shared.catalogue import drug
from shared.core import Event, Resource
from tests.services.auth.journey import Journey, Store
from tests.services.auth.patient import LANE, NOW, PRACTICE, appointment, payer, policy, practice

COVERED = [
    (p, d)
    for p in ("prairie-health", "lakeland-advantage")
    for d in (
        "ferric-carboxymaltose", "iron-sucrose", "ferric-derisomaltose", "infliximab", "infliximab-dyyb",
    )
]  # fmt: skip


@pytest.mark.parametrize(("payer_id", "key"), COVERED)
def test_each_payer_has_one_policy_for_each_drug(payer_id: str, key: str) -> None:
    known, found = drug(key), policy().payer(payer_id)
    assert known is not None
    assert found is not None
    figure = policy().criteria(found, known, (), NOW.date())
    assert figure is not None
    assert figure.value["covered"] or figure.value["preferred"]
    assert figure.draft


def test_a_draft_decides_only_where_it_was_adopted() -> None:
    iron, prairie = drug("ferric-carboxymaltose"), payer("prairie-health", "commercial")
    assert iron is not None
    assert policy(practice("practice")).criteria(prairie, iron, (), NOW.date()) is None
    assert policy(practice("prairie-health-iv-iron")).criteria(prairie, iron, (), NOW.date()) is not None


def test_a_policy_of_a_diagnosis_group_comes_before_the_general_one() -> None:
    iron, prairie = drug("ferric-carboxymaltose"), payer("prairie-health", "commercial")
    general = policy()
    assert iron is not None
    figure = general.criteria(prairie, iron, (), NOW.date())
    assert figure is not None
    heart = replace(figure, applies_to={**figure.applies_to, "icd10": ["I50"]})
    both = AuthPolicy(replace(general.figures, figures=(*general.figures.figures, heart)), PRACTICE)
    assert both.criteria(prairie, iron, ("I50.22",), NOW.date()) is heart
    assert both.criteria(prairie, iron, ("D50.0",), NOW.date()) == figure


def test_a_claim_is_found_by_its_identifier_and_a_task_by_its_order() -> None:
    journey = Journey().approved()
    journey.hears(appointment())
    search = declared(PRACTICE).search
    claim = journey.one("Claim")
    assert f"https://carepod.example/id/claim|{claim['id']}" in search["Claim"]["identifier"](claim)
    assert "in-order" in search["Task"]["based-on"](journey.task)
    assert "preauthorization" in search["Task"]["code"](journey.task)
    assert "approved" in search["Task"]["business-status"](journey.task)
    assert claim["id"] in search["ClaimResponse"]["request"](journey.one("ClaimResponse"))
    for kind, parameters in search.items():
        for resource in journey.of(kind):
            assert all(isinstance(v, str) for values in parameters.values() for v in values(resource))


async def test_parties_received_with_another_patient_are_gathered_too() -> None:
    journey = Journey().benefit_known()
    here = {k: r for k, r in journey.store.known.items() if r["resourceType"] not in ("Practitioner", "Organization")}

    class Elsewhere(Store):
        async def of_lane(self, lane: str, *types: str) -> list[Resource]:
            return list(here.values())

    facts = await gather_facts(Event("message", "told", LANE, NOW, NOW), Elsewhere(journey.store.known), frozenset())
    assert {"Practitioner/in-doctor", "Organization/in-clinic"} <= set(facts.known)
    assert "Practitioner/in-doctor" in set(references(facts.known["PractitionerRole/in-role"]))

"""Who speaks for a child, or cares for a patient, is told only while he does; another, or a person, is told instead."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import respx

from services.intake.notices.sending import REFUSED, SENT
from shared.core import Resource, reference
from tests.services.intake.conftest import Desk
from tests.services.intake.notices.test_carrying import GATEWAY, World, carried, mailbox, notice, world
from tests.services.intake.notices.told import (
    EMAIL,
    EVENING,
    Example,
    booked,
    born,
    code,
    notices,
    questions,
    sent,
    without_consent,
)

__all__ = ["mailbox", "world"]

PHONE = {"system": "phone", "use": "mobile", "value": "402-555-0100"}


def role(*codes: str) -> list[dict[str, Any]]:
    return [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": c}]} for c in codes]


def mother(**elements: Any) -> dict[str, Any]:
    """A mother with these elements; without those that are None."""
    known = {
        "resourceType": "RelatedPerson",
        "patient": {"reference": "Patient/in-1"},
        "relationship": role("MTH"),
        "telecom": [PHONE, EMAIL],
    }
    return changed(known, elements)


def changed(person: Resource, elements: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in {**person, **elements}.items() if v is not None}


def push(desk: Desk, bundle: dict[str, Any], *people: dict[str, Any]) -> None:
    """A referral with people beside the patient."""
    url = next(e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    for number, person in enumerate(people, start=1):
        named = {"identifier": [{"system": "https://ehr.example/id/person", "value": f"P-{number}"}]}
        resource = {**person, **named, "patient": {"reference": url}}
        bundle["entry"].append({"resource": resource, "request": {"method": "POST", "url": "RelatedPerson"}})
    desk.push(bundle)


def of_a_child(bundle: dict[str, Any]) -> dict[str, Any]:
    return born(bundle, birthDate="2015-03-01")


def person(desk: Desk, number: int = 1) -> Resource:
    return next(p for p in desk.all("RelatedPerson") if p["identifier"][0]["value"] == f"P-{number}")


def told(desk: Desk, of: Resource) -> set[str]:
    """How the notices to somebody stand."""
    return {n["status"] for n in notices(desk) if n["recipient"][0]["reference"] == reference(of)}


GONE = [
    {"active": False},
    {"period": {"end": "2026-11-20"}},
    {"period": {"start": "2026-11-22"}},
    {"relationship": None},
    {"relationship": role("SIB")},
]


@respx.mock
@pytest.mark.parametrize("changes", GONE, ids=str)
async def test_who_no_longer_speaks_gets_no_notice_that_was_on_its_way(world: World, changes: dict[str, Any]) -> None:
    route = respx.post(GATEWAY).respond(201)
    waiting = notice(recipient=[{"reference": "RelatedPerson/in-mother"}])
    assert await carried(world, waiting, waiting, mother(id="in-mother", **changes)) == REFUSED
    assert not route.called


@respx.mock
@pytest.mark.parametrize("changes", [{}, {"period": {"end": "2026-11-21"}}, {"relationship": role("SIB", "GUARD")}])
async def test_who_speaks_to_the_last_day_gets_it(world: World, changes: dict[str, Any]) -> None:
    respx.post(GATEWAY).respond(201)
    waiting = notice(recipient=[{"reference": "RelatedPerson/in-mother"}])
    assert await carried(world, waiting, waiting, mother(id="in-mother", **changes)) == SENT


@respx.mock
@pytest.mark.parametrize(("about", "reason"), [("logistics", SENT), ("therapy-overview", SENT), ("welcome", REFUSED)])
async def test_a_carer_gets_what_carers_are_told_and_nothing_else(world: World, about: str, reason: str) -> None:
    respx.post(GATEWAY).respond(201)
    category = [{"coding": [{"system": "https://carepod.example/fhir/CodeSystem/patient-notice", "code": about}]}]
    waiting = notice(recipient=[{"reference": "RelatedPerson/in-carer"}], category=category)
    carer = mother(id="in-carer", relationship=role("CAREGIVER"))
    assert await carried(world, waiting, waiting, carer) == reason


@pytest.mark.parametrize("changes", GONE, ids=str)
@pytest.mark.parametrize("evening", [False, True])
def test_what_was_for_who_no_longer_speaks_is_withdrawn_and_a_person_is_asked_whom_to_tell(
    writing: Desk, example: Example, changes: dict[str, Any], evening: bool
) -> None:
    writing.at = EVENING if evening else writing.at
    push(writing, of_a_child(example("iron-meets-criteria")), mother())
    assert told(writing, person(writing)) == {"on-hold" if evening else "active"}
    writing.send(changed(person(writing), changes))
    assert told(writing, person(writing)) == {"revoked"}
    assert questions(writing)["nobody-to-tell"] == "requested"


def test_what_a_mother_was_told_stays_told_when_she_no_longer_speaks(writing: Desk, example: Example) -> None:
    push(writing, of_a_child(example("iron-meets-criteria")), mother())
    sent(writing, "welcome")
    writing.send({**person(writing), "active": False})
    assert {code(n): n["status"] for n in notices(writing)} == {"welcome": "completed", "therapy-overview": "revoked"}


def test_who_speaks_instead_is_told_instead(writing: Desk, example: Example) -> None:
    push(writing, of_a_child(example("iron-meets-criteria")), mother(), mother(relationship=role("FTH"), active=False))
    writing.send({**person(writing, 2), "active": True})
    writing.send({**person(writing), "active": False})
    assert told(writing, person(writing)) == {"revoked"}
    assert told(writing, person(writing, 2)) == {"active"}


def test_who_speaks_again_is_asked_after_all_and_not_told_twice(writing: Desk, example: Example) -> None:
    push(writing, of_a_child(without_consent(example("iron-meets-criteria"))), mother())
    sent(writing, "welcome")
    writing.send({**person(writing), "active": False})
    writing.send({**person(writing), "active": True})
    stand = [(code(n), n["status"]) for n in notices(writing)]
    assert stand.count(("consent-request", "revoked")) == 1
    assert stand.count(("consent-request", "active")) == 1
    assert [s for c, s in stand if c == "welcome"] == ["completed"]


def test_a_refusal_for_who_no_longer_speaks_is_tried_by_no_other_medium(writing: Desk, example: Example) -> None:
    push(writing, of_a_child(example("iron-meets-criteria")), mother(period={"end": "2026-11-21"}))
    writing.at += timedelta(days=1)
    sent(writing, "welcome", "notice-refused")
    welcome = next(n for n in notices(writing) if code(n) == "welcome")
    assert (welcome["status"], len(welcome["medium"])) == ("revoked", 1)
    assert questions(writing)["nobody-to-tell"] == "requested"


def test_who_no_longer_cares_for_an_adult_is_told_no_visits(writing: Desk, example: Example) -> None:
    push(writing, example("iron-meets-criteria"), mother(relationship=role("CAREGIVER")))
    booked(writing, "2026-12-01T09:00:00-06:00")
    carer, patient = person(writing), writing.one("Patient")
    assert told(writing, carer) == {"active"}
    writing.send({**carer, "active": False})
    assert told(writing, carer) == {"revoked"}
    assert told(writing, patient) == {"active"}

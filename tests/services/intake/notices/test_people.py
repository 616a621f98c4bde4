"""Whom a notice goes to: of age at, below and above the threshold of his state, who speaks for a minor, which media."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.intake.facts import Facts
from services.intake.notices.people import age, carers, contacts, speaker
from services.intake.service import POLICIES
from shared.policy import Figures, load_figures

ON = date(2026, 11, 21)
PHONE = {"system": "phone", "use": "mobile", "value": "402-555-0173"}


@pytest.fixture(scope="module")
def figures() -> Figures:
    return load_figures("intake", POLICIES, ["intake/notices"])


def patient(born: str | None = "1981-04-09", state: str = "IA", **elements: Any) -> dict[str, Any]:
    told = {"telecom": [PHONE], "address": [{"state": state}], **elements}
    return {"resourceType": "Patient", "id": "in-1", **({"birthDate": born} if born else {}), **told}


def related(code: str, number: int = 1, **elements: Any) -> dict[str, Any]:
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": code}]}
    return {
        "resourceType": "RelatedPerson",
        "id": f"in-r{number}",
        "patient": {"reference": "Patient/in-1"},
        "relationship": [role],
        "telecom": [{"system": "email", "value": "parent@home.example"}],
        **elements,
    }


def known(*resources: dict[str, Any]) -> Facts:
    return Facts("in-1", {f"{r['resourceType']}/{r['id']}": r for r in resources})


@pytest.mark.parametrize(
    "born, state, of_age",
    [
        ("2008-11-22", "IA", False),
        ("2008-11-21", "IA", True),
        ("2008-11-20", "IA", True),
        ("2008-11-21", "NE", False),
        ("2007-11-22", "NE", False),
        ("2007-11-21", "NE", True),
        ("2005-11-22", "MS", False),
        ("2005-11-21", "MS", True),
    ],
)
def test_a_patient_is_written_to_himself_from_the_age_of_majority_of_his_state(
    figures: Figures, born: str, state: str, of_age: bool
) -> None:
    found = speaker(known(patient(born, state)), ON, figures)
    assert (found is not None) == of_age


@pytest.mark.parametrize("role", ["GUARD", "MTH", "FTH", "PRN"])
def test_a_parent_or_guardian_speaks_for_a_minor(figures: Figures, role: str) -> None:
    found = speaker(known(patient("2015-01-01"), related(role)), ON, figures)
    assert found is not None
    assert (found.reference, found.media) == ("RelatedPerson/in-r1", ("mail",))


@pytest.mark.parametrize(
    "person",
    [
        related("SIB"),
        related("MTH", active=False),
        related("MTH", telecom=[]),
        related("MTH", period={"end": "2026-11-20"}),
        related("MTH", period={"start": "2026-11-22"}),
    ],
)
def test_nobody_else_speaks_for_a_minor(figures: Figures, person: dict[str, Any]) -> None:
    assert speaker(known(patient("2015-01-01"), person), ON, figures) is None


def test_a_patient_of_unknown_age_is_not_written_to(figures: Figures) -> None:
    assert speaker(known(patient(None)), ON, figures) is None


def test_without_an_adopted_age_nobody_is_written_to() -> None:
    assert speaker(known(patient()), ON, load_figures("intake", POLICIES, [])) is None


def test_an_adult_is_not_spoken_for_by_his_parent(figures: Figures) -> None:
    found = speaker(known(patient(), related("MTH")), ON, figures)
    assert found is not None
    assert found.reference == "Patient/in-1"


@pytest.mark.parametrize(
    "born, years", [("1981", 44), ("1981-11", 44), ("1981-11-21", 45), ("1981-11-22", 44), ("1980-10", 46), ("x", None)]
)
def test_an_imprecise_date_of_birth_counts_as_its_last_day(born: str, years: int | None) -> None:
    assert age(patient(born), ON) == years


def test_contacts_are_used_by_rank_and_a_landline_or_an_old_one_not_at_all() -> None:
    listed = [
        {"system": "phone", "use": "home", "value": "402-555-0100"},
        {"system": "email", "value": "old@home.example", "use": "old"},
        {"system": "email", "value": "gone@home.example", "period": {"end": "2026-11-20"}},
        {"system": "email", "value": "a@home.example", "rank": 2},
        {"system": "sms", "value": "402-555-0171", "rank": 1},
        {"system": "fax", "value": "402-555-0172"},
    ]
    assert contacts(patient(telecom=listed), ON) == (("text", "402-555-0171"), ("mail", "a@home.example"))


def test_who_cares_for_the_patient_is_found_beside_him() -> None:
    assert [c.reference for c in carers(known(patient(), related("CAREGIVER"), related("SIB", 2)), ON)] == [
        "RelatedPerson/in-r1"
    ]


@pytest.mark.parametrize(
    "communication, tag, understood",
    [
        ([], "en", True),
        ([("es-MX", False)], "es", True),
        ([("en", False), ("es", True)], "es", True),
        ([("vi", True)], "en", False),
    ],
)
def test_a_patient_is_written_to_in_the_language_he_prefers_where_there_are_words_in_it(
    figures: Figures, communication: list[tuple[str, bool]], tag: str, understood: bool
) -> None:
    listed = [{"language": {"coding": [{"code": c}]}, "preferred": p} for c, p in communication]
    found = speaker(known(patient(communication=listed)), ON, figures)
    assert found is not None
    assert (found.language, found.is_understood) == (tag, understood)

"""What a resource is found by."""

from __future__ import annotations

import pytest

from shared.fhir.searching import (
    codes,
    dates,
    identifiers,
    names,
    normal,
    participants,
    references,
    refers,
    span,
    tags,
    type_of,
)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-11-22", "2026-11-22", "2026-11-22"),
        ("2026-11-22T10:00Z", "2026-11-22T10:00:00.000000Z", "2026-11-22T10:00:59.999999Z"),
        ("2026-11-22T10:00:00-05:00", "2026-11-22T15:00:00.000000Z", "2026-11-22T15:00:00.999999Z"),
        ("2026-11-22T10:00:00.12Z", "2026-11-22T10:00:00.120000Z", "2026-11-22T10:00:00.129999Z"),
        ("2026-11-22T10:00:00.123456Z", "2026-11-22T10:00:00.123456Z", "2026-11-22T10:00:00.123456Z"),
        ("2026-11-22T10:00:00", "2026-11-22T10:00:00.000000Z", "2026-11-22T10:00:00.999999Z"),
    ],
)
def test_a_date_means_everything_between_its_first_and_its_last_moment(text: str, first: str, last: str) -> None:
    assert span(text) == (first, last)


@pytest.mark.parametrize(
    "text", ["", "x", "26", "2026-13", "2026-00", "2026-02-30", "2026-11-00", "0000", "2026-11-22T25:00Z", "2026-1-1",
             "2026-11-22T10", "٢٠٢٦", "9999-12-31T23:59:59-14:00"]
)  # fmt: skip
def test_what_is_no_date_means_nothing(text: str) -> None:
    assert span(text) is None


def test_a_time_is_found_by_its_instant_and_by_its_day_where_it_was_written() -> None:
    late = {"start": "2026-11-22T22:30:00-05:00"}
    assert dates("start")(late) == ["2026-11-23T03:30:00.000000Z/2026-11-23T03:30:00.999999Z", "2026-11-22/2026-11-22"]
    assert dates("birthDate")({"birthDate": "1980-05"}) == ["1980-05-01/1980-05-31"]
    assert dates("start")({"start": "soon"}) == dates("start")({}) == []


def test_a_period_without_an_end_never_ends() -> None:
    open_ended = {"period": {"start": "2026-11-22T10:00:00Z"}}
    assert dates("period")(open_ended) == ["2026-11-22/9999-12-31"]
    whole = {"period": {"start": "2026-11-22T10:00:00Z", "end": "2026-11-23T10:00:00Z"}}
    assert dates("period")(whole) == [
        "2026-11-22/2026-11-23",
        "2026-11-22T10:00:00.000000Z/2026-11-23T10:00:00.999999Z",
    ]
    assert dates("period")({"period": {}}) == []


def test_a_reference_is_found_by_type_and_id_by_id_alone_or_by_the_identifier_it_names() -> None:
    found = references("focus", "owner")(
        {
            "focus": {"reference": "https://x.example/fhir/ServiceRequest/1/_history/2"},
            "owner": {"identifier": {"system": "s", "value": "v"}},
        }
    )
    assert found == ["ServiceRequest/1", "1", "v", "s|v"]
    assert references("focus")({"focus": {"reference": "#p"}}) == []
    assert references("basedOn")({"basedOn": [{"reference": "A/1"}, {"display": "x"}]}) == ["A/1", "1"]


def test_tokens_are_found_with_and_without_their_system() -> None:
    assert identifiers({"identifier": [{"system": "s", "value": "1"}, {"value": "2"}, {"system": "s"}]}) == [
        "1", "s|1", "2", "|2",
    ]  # fmt: skip
    category = {"category": [{"coding": [{"system": "s", "code": "a"}]}, {"text": "b"}]}
    assert codes("category")(category) == ["a", "s|a"]
    assert tags({"meta": {"tag": [{"system": "s", "code": "t"}]}}) == ["t", "s|t"]
    assert tags({}) == codes("code")({}) == identifiers({}) == []


def test_names_are_found_without_case_and_accents() -> None:
    patient = {"name": [{"family": "Müller", "given": ["José", "Ana"], "text": "José Müller"}]}
    assert names(patient) == ["jose muller", "muller", "jose", "ana"]
    assert names({"name": "Clínica"}) == ["clinica"]
    assert normal("  ÅSE ") == "ase"


def test_of_the_participants_of_a_visit_only_patients_count() -> None:
    visit = {"participant": [{"actor": {"reference": "Patient/1"}}, {"actor": {"reference": "Location/2"}}, {}]}
    assert participants(visit) == ["Patient/1", "1"]


def test_the_type_of_a_parameter_follows_from_its_name() -> None:
    assert [type_of(n) for n in ("patient", "date", "name", "status")] == ["reference", "date", "string", "token"]
    assert refers("patient", "Patient")
    assert refers("focus", "Claim")
    assert not refers("patient", "Claim")
    assert not refers("status", "Claim")

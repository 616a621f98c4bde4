"""What `Appointment/$readiness` says of a visit."""

from __future__ import annotations

from typing import Any

import pytest

from shared.fhir.profiles import r4
from shared.visits.elements import extension
from shared.visits.readiness import readiness_of


def visit(**statuses: str) -> dict[str, Any]:
    """An Appointment with these requirements."""
    written = [
        extension("visit-readiness", requirement__valueCode=name, status__valueCode=status, deadline__valueCode="book")
        for name, status in statuses.items()
    ]
    return {"resourceType": "Appointment", "extension": [extension("dose", number__valuePositiveInt=1), *written]}


@pytest.mark.parametrize(
    ("statuses", "ready"),
    [
        ({"authorized": "met", "consented": "not-needed", "rems-cleared": "overridden"}, True),
        ({"authorized": "met", "consented": "unmet"}, False),
        ({}, True),
    ],
)
def test_a_visit_is_ready_when_nothing_is_unmet(statuses: dict[str, str], ready: bool) -> None:
    said = readiness_of(visit(**statuses))
    assert said["parameter"][0] == {"name": "ready", "valueBoolean": ready}
    assert [p["part"][0]["valueCode"] for p in said["parameter"][1:]] == list(statuses)
    assert r4().check(said) == []


def test_each_requirement_says_what_it_rests_on_and_who_has_it() -> None:
    appointment = visit(authorized="unmet")
    appointment["extension"][1]["extension"] += [
        {"url": "holder", "valueString": "auth"},
        {"url": "evidence", "valueReference": {"reference": "Task/au-1"}},
    ]
    (_, requirement) = readiness_of(appointment)["parameter"]
    assert {"name": "holder", "valueString": "auth"} in requirement["part"]
    assert {"name": "evidence", "valueReference": {"reference": "Task/au-1"}} in requirement["part"]

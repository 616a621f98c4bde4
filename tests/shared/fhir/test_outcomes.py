"""An outcome says each issue in FHIR's form."""

from __future__ import annotations

from shared.fhir.outcomes import Issue, outcome
from shared.fhir.profiles import r4


def test_each_issue_is_said_with_severity_code_place_and_rule() -> None:
    issues = [Issue("required", "Task.status", "is required"), Issue("invariant", "", "start first", rule="per-1")]
    assert outcome(issues)["issue"] == [
        {"severity": "error", "code": "required", "diagnostics": "is required", "expression": ["Task.status"]},
        {"severity": "error", "code": "invariant", "diagnostics": "per-1: start first"},
    ]


def test_a_demand_of_a_profile_is_said_with_its_name() -> None:
    profile = "https://example.org/StructureDefinition/p|1.0"
    issues = [
        Issue("required", "Task.owner", "is required", profile=profile),
        Issue("invariant", "Task", "who answered", rule="p-1", profile=profile),
    ]
    assert [issue["diagnostics"] for issue in outcome(issues)["issue"]] == [
        f"{profile}: is required",
        f"p-1 of {profile}: who answered",
    ]


def test_an_outcome_without_issues_still_has_the_one_that_fhir_demands() -> None:
    assert [issue["severity"] for issue in outcome([])["issue"]] == ["information"]


def test_an_outcome_is_itself_legal() -> None:
    refused = r4().check({"resourceType": "Patient", "gender": "x", "name": []})
    assert r4().check(outcome(refused)) == []
    assert r4().check(outcome([])) == []

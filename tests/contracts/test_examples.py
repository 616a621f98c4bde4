"""Every file of ../shared/examples has the verdict recorded for it, and a second parser or a quoted rule agrees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.fhir.json import decode
from shared.fhir.outcomes import Issue
from shared.fhir.profiles import Validator, r4
from tests.contracts.second import refused

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1].parent / "shared" / "examples"
VERDICTS = yaml.safe_load((HERE / "verdicts.yaml").read_text())
RESOURCES: dict[str, dict[str, Any]] = VERDICTS["resources"]
CAREDOVE = "vendor-ereferral-caredove/r4-caredove-bundle.json"
PAS_UPDATE = "davinci-pas-2.2.1/Bundle-HomecareAuthorizationUpdateBundleExample.json"


def issues(name: str) -> list[Issue]:
    return r4().check(decode((EXAMPLES / name).read_bytes()))


def second_opinion(name: str) -> list[tuple[str | int, ...]]:
    """Where fhir.resources (R4B) finds an error."""
    return refused(json.loads((EXAMPLES / name).read_bytes()))


def test_every_file_is_listed() -> None:
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*") if path.is_file()}
    files = {name for name in files if name != "README.md"}
    assert files == (RESOURCES.keys() | VERDICTS["others"].keys()) - {"README.md"}


@pytest.mark.parametrize("name", RESOURCES)
def test_the_verdict_is_as_recorded(name: str) -> None:
    recorded = RESOURCES[name]["verdict"]
    expected = [] if recorded == "valid" else [tuple(issue) for issue in recorded]
    assert [(issue.code, issue.expression) for issue in issues(name)] == expected


@pytest.mark.parametrize("name", [n for n, v in RESOURCES.items() if v["second_opinion"] == "R4B"])
def test_the_second_parser_agrees(name: str) -> None:
    assert bool(second_opinion(name)) == (RESOURCES[name]["verdict"] != "valid")


@pytest.mark.parametrize("name", [n for n, v in RESOURCES.items() if v["second_opinion"] != "R4B"])
def test_a_quoted_rule_stands_only_where_the_second_parser_disagrees(name: str) -> None:
    assert bool(second_opinion(name)) != (RESOURCES[name]["verdict"] != "valid")


@pytest.mark.parametrize("name", [n for n in VERDICTS["others"] if n.endswith(".json")])
def test_what_is_no_resource_is_refused_as_such(name: str) -> None:
    assert [issue.expression for issue in issues(name)] == ["resourceType"]


def test_the_vendor_bundle_gets_every_issue_the_second_parser_finds_and_more() -> None:
    ours = {issue.expression for issue in issues(CAREDOVE)}
    theirs = {path(loc) for loc in second_opinion(CAREDOVE)}
    assert len(issues(CAREDOVE)) >= 18
    assert {expression.strip() for expression in theirs} - ours == {"Bundle.entry[11].resource.businessStatus"}
    assert any("'businessStatus'" in issue.diagnostics for issue in issues(CAREDOVE))


def path(loc: tuple[str | int, ...]) -> str:
    return "Bundle" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)


def test_an_understood_modifier_extension_is_let_in() -> None:
    update = decode((EXAMPLES / PAS_UPDATE).read_bytes())
    [modifier] = update["entry"][0]["resource"]["item"][1]["modifierExtension"]
    assert Validator(modifiers=[modifier["url"]]).check(update) == []


def test_no_value_of_a_file_is_said_in_its_refusal() -> None:
    said = " ".join(issue.diagnostics + issue.expression for issue in issues(CAREDOVE))
    assert not any(word in said for word in ("Smith", "Penicillin", "McContact", "4455", "NEEDS"))

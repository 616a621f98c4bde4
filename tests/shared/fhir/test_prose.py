"""What FHIR demands in words alone of Bundles, Attachments and code systems is demanded, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from shared.fhir.invariants import Unknown
from shared.fhir.problems import Scope
from shared.fhir.profiles import r4
from shared.fhir.prose import RULES

BASE = "http://a.example/fhir/"
URN = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"


def patient(id_: str = "a", **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id_, **elements}


def entry(url: str, resource: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return {"fullUrl": url, "resource": resource, **elements}


def bundle(type_: str, *entries: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries), **elements}


def message(url: str, *focus: str) -> dict[str, Any]:
    header = {"resourceType": "MessageHeader", "id": "m", "focus": [{"reference": text} for text in focus]}
    return bundle("message", entry(url, header), entry(f"{BASE}Patient/a", patient()))


def letter(*entries: str, **versions: str) -> dict[str, Any]:
    sections = [{"entry": [{"reference": text} for text in entries]}]
    first = entry(f"{BASE}Composition/c", {"resourceType": "Composition", "id": "c", "section": sections})
    made = [entry(f"{BASE}Patient/a", patient(meta={"versionId": v})) for v in versions.values()]
    return bundle("document", first, *made)


JUNK: list[Any] = [None, 1, "a", [], [1], [None], {}, [{"resource": 1}], [{"fullUrl": 1, "resource": {}}]]
OUTCOME = {"resourceType": "OperationOutcome", "issue": []}

# what is broken, where; what is not
CASES: list[tuple[str, dict[str, Any], list[str], dict[str, Any]]] = [
    (
        "Bundle",
        bundle("collection", entry("Patient/a", patient())),
        [".entry[0].fullUrl"],
        message(f"{BASE}MessageHeader/m"),
    ),
    (
        "Bundle",
        bundle("collection", entry(f"{BASE}Patient/b", patient())),
        [".entry[0].fullUrl"],
        bundle("collection", entry(f"{BASE}Patient/a", patient()), entry(URN, patient("b"))),
    ),
    (
        "Bundle",
        bundle("searchset", {"resource": {"resourceType": "Patient"}}),
        [".entry[0].resource"],
        bundle("searchset", {"resource": OUTCOME}, {"resource": patient()}),
    ),
    (
        "Bundle",
        bundle("searchset", {"resource": patient(), "search": {"mode": "outcome"}}),
        [".entry[0].resource"],
        bundle("searchset", {"resource": OUTCOME, "search": {"mode": "outcome"}}),
    ),
    (
        "Bundle",
        bundle("searchset", link=[{"relation": "self"}, {"relation": "next"}, {"relation": "self"}]),
        [".link[2]"],
        bundle("searchset", link=[{"relation": "item"}, {"relation": "item"}, {"relation": "self"}]),
    ),
    (
        "Bundle",
        message(URN, "Patient/a"),
        [".entry[0].resource.focus[0].reference"],
        message(f"{BASE}MessageHeader/m", "Patient/a", f"{BASE}Patient/a"),
    ),
    (
        "Bundle",
        letter("Patient/a/_history/3", "Patient/a", x="1", y="2"),
        [".entry[0].resource.section[0].entry[0].reference", ".entry[0].resource.section[0].entry[1].reference"],
        letter("Patient/a/_history/1", "Patient/a/_history/2", x="1", y="2"),
    ),
    ("Attachment", {"data": "AAAA", "size": 4}, [""], {"data": "AAA=", "size": 2}),
    ("Coding", {"system": "loinc"}, [""], {"system": "urn:oid:1.2"}),
    ("ValueSet.compose.include", {"system": "#a"}, [""], {"valueSet": ["a:b"]}),
]  # fmt: skip


def broken(path: str, value: dict[str, Any]) -> list[str]:
    said = [rule(value, Scope({})) for rule, _ in RULES[path]]
    assert not any(isinstance(places, Unknown) for places in said)
    return [at for places in said if places for at in (places if isinstance(places, list) else [""])]


@pytest.mark.parametrize("at", range(len(CASES)))
def test_what_the_text_forbids_is_found_where_it_is(at: int) -> None:
    path, wrong, where, _ = CASES[at]
    assert broken(path, wrong) == where


@pytest.mark.parametrize("at", range(len(CASES)))
def test_what_the_text_allows_is_let_in(at: int) -> None:
    path, _, _, right = CASES[at]
    assert broken(path, right) == []


@pytest.mark.parametrize("path", RULES)
@pytest.mark.parametrize(
    "junk", [None, 1, "a", [], [1], [None], {}, [{"resource": 1}], [{"fullUrl": 1, "resource": {}}]]
)
def test_no_rule_is_brought_down_by_malformed_elements(path: str, junk: Any) -> None:
    names = ["entry", "link", "type", "resource", "fullUrl", "data", "size", "system", "relation"]
    for name in names:
        for type_ in ("message", "document", "searchset"):
            assert broken(path, {"type": type_, name: junk}) is not None


def test_the_validator_asks_these_rules() -> None:
    found = {issue.expression for issue in r4().check(message(URN, "Patient/a"))}
    assert "Bundle.entry[0].resource.focus[0].reference" in found

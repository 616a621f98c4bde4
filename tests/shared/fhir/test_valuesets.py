"""A value set is listed only where every one of its codes is known."""

from __future__ import annotations

from typing import Any

import pytest

from shared.fhir.valuesets import expansions

S, T, V = "https://example.org/s", "https://example.org/t", "https://example.org/vs/"
TREE = [
    {"code": "animal", "concept": [{"code": "cat", "concept": [{"code": "kitten"}]}, {"code": "dog"}]},
    {"code": "rock"},
]


def system(content: str = "complete", **more: Any) -> dict[str, Any]:
    return {"resourceType": "CodeSystem", "url": S, "content": content, "concept": TREE} | more


def value_set(
    name: str, *include: dict[str, Any], exclude: tuple[dict[str, Any], ...] = (), **more: Any
) -> dict[str, Any]:
    compose = {"include": list(include)} | ({"exclude": list(exclude)} if exclude else {})
    return {"resourceType": "ValueSet", "url": V + name, "compose": compose} | more


def listed(*definitions: dict[str, Any], of: str = "a") -> Any:
    found, unlisted = expansions([V + of], definitions)
    return found.get(V + of) or unlisted[V + of]


def codes(*names: str) -> dict[str, Any]:
    return {"system": T, "concept": [{"code": name} for name in names]}


def test_a_whole_code_system_is_listed_to_its_leaves() -> None:
    assert listed(value_set("a", {"system": S}), system()) == {S: ["animal", "cat", "dog", "kitten", "rock"]}


@pytest.mark.parametrize("definition", [system("fragment"), system(url="https://example.org/other")])
def test_codes_that_are_not_at_hand_leave_it_open(definition: dict[str, Any]) -> None:
    assert listed(value_set("a", {"system": S}), definition) == f"codes of {S} are not among the definitions at hand"


@pytest.mark.parametrize(("op", "expected"), [("is-a", ["cat", "kitten"]), ("descendent-of", ["kitten"])])
def test_a_filter_by_hierarchy_is_read(op: str, expected: list[str]) -> None:
    rule = {"property": "concept", "op": op, "value": "cat"}
    assert listed(value_set("a", {"system": S, "filter": [rule]}), system()) == {S: expected}


def test_any_other_filter_leaves_it_open() -> None:
    rule = {"property": "status", "op": "=", "value": "active"}
    assert "filter" in listed(value_set("a", {"system": S, "filter": [rule]}), system())


def test_what_is_excluded_is_not_in_it() -> None:
    assert listed(value_set("a", codes("x", "y"), exclude=(codes("y"),))) == {T: ["x"]}


def test_value_sets_are_composed_of_others() -> None:
    one, two = value_set("one", codes("x", "y")), value_set("two", codes("y", "z"))
    assert listed(value_set("a", {"valueSet": [V + "one"]}, {"valueSet": [V + "two|1.0"]}), one, two) == {
        T: ["x", "y", "z"]
    }
    assert listed(value_set("a", {"valueSet": [V + "one", V + "two"]}), one, two) == {T: ["y"]}
    assert "not among" in listed(value_set("a", {"valueSet": [V + "nowhere"]}))


def test_a_circle_of_value_sets_comes_to_an_end() -> None:
    assert "not among" in listed(value_set("a", {"valueSet": [V + "a"]}))


def test_an_expansion_stands_for_a_composition_that_cannot_be_read() -> None:
    contains = [
        {"system": T, "code": "x", "contains": [{"system": T, "code": "y"}]},
        {"abstract": True, "contains": []},
    ]
    whole = value_set("a", {"system": S}, expansion={"contains": contains})
    assert listed(whole) == {T: ["x", "y"]}
    part = value_set("a", {"system": S}, expansion={"total": 9, "contains": contains})
    assert "not at hand" in listed(part)

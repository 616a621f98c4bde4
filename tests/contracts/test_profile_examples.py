"""Every profile has examples that hold, and for each of its demands one that is refused for just that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from contracts.build import read
from contracts.conformance.examples import EXAMPLES, Example, examples
from contracts.demands import Contract, contracts, is_slice, r4, unsliced
from shared.core import CANONICAL
from shared.fhir import profiles
from shared.fhir.outcomes import Issue
from shared.settings import ROOT

PROFILE = CANONICAL + "StructureDefinition/"
GAPS = yaml.safe_load((ROOT / "contracts" / "profiles" / "gaps.yaml").read_text(encoding="utf-8"))
KINDS: Mapping[str, frozenset[str]] = {
    "min": frozenset({"required"}),
    "max": frozenset({"structure"}),
    "fixed": frozenset({"value"}),
    "pattern": frozenset({"value"}),
    "binding": frozenset({"code-invalid"}),
    "types": frozenset({"structure", "value"}),
}
"""How a demand, by its column, is refused."""
COUNTED = ("min", "max")


@cache
def demanded() -> Mapping[str, Contract]:
    """name -> contract of every profile on resources; extensions show in the profiles that use them."""
    known = contracts(read(), r4())
    return {url.removeprefix(PROFILE): c for url, c in known.items() if c.type != "Extension"}


@cache
def shown() -> Mapping[str, tuple[Example, ...]]:
    """name -> examples of every profile that has some."""
    found: dict[str, list[Example]] = {}
    for example in examples():
        found.setdefault(named(example), []).append(example)
    return {name: tuple(listed) for name, listed in found.items()}


def named(example: Example) -> str:
    """The name of the profile it is an example of."""
    return example.name.partition("/")[0]


def errors(example: Example) -> list[Issue]:
    issues = profiles.carepod().check(example.resource, (example.profile,))
    return [i for i in issues if i.severity in ("fatal", "error")]


def place(expression: str) -> str:
    """A FHIRPath expression without its indexes."""
    return re.sub(r"\[\d+\]", "", expression)


NAMES = sorted(demanded())
WHOLE = [e for listed in shown().values() for e in listed if e.issue is None]
WRONG = [e for listed in shown().values() for e in listed if e.issue is not None]


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_shown_minimal_full_and_broken(name: str) -> None:
    listed = shown().get(name, ())
    assert {f"{name}/minimal", f"{name}/full"} <= {e.name for e in listed if e.issue is None}
    assert any(e.issue is not None for e in listed)
    assert len({e.name for e in listed}) == len(listed)


def test_no_examples_are_left_of_a_profile_that_is_gone() -> None:
    assert set(shown()) <= set(NAMES)


@pytest.mark.parametrize("example", WHOLE, ids=lambda e: e.name)
def test_a_valid_example_meets_its_profile_and_declares_it(example: Example) -> None:
    assert errors(example) == []
    version = read()["structures"][example.profile]["version"]
    assert f"{example.profile}|{version}" in example.resource["meta"]["profile"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_can_be_left_out_of_a_minimal_example(name: str) -> None:
    minimal = next(e for e in shown()[name] if e.name == f"{name}/minimal")
    for element in minimal.resource.keys() - {"resourceType", "meta"}:
        rest = {k: v for k, v in minimal.resource.items() if k != element}
        assert errors(Example(minimal.name, rest)), element


@pytest.mark.parametrize("example", WRONG, ids=lambda e: e.name)
def test_a_broken_example_is_refused_for_what_is_broken(example: Example) -> None:
    said = example.issue or {}
    found = [(i.code, i.expression, i.rule) for i in errors(example)]
    assert (said["code"], said["expression"], said.get("rule", "")) in found


# Every demand of a profile is broken by an example


def breaches(contract: Contract) -> Iterator[tuple[str, str]]:
    """(place, rule) or (place, column) of every demand that can be broken by itself."""
    picking = frozenset(discriminators(contract))
    for id_, columns in contract.demands.items():
        yield from ((unsliced(id_).replace("[x]", ""), rule) for rule in columns.get("constraints", {}))
        for column in KINDS.keys() & columns.keys():
            if counts(id_, column, columns) and (id_ not in picking or (is_slice(id_) and column in COUNTED)):
                yield unsliced(id_).replace("[x]", ""), column


def counts(id_: str, column: str, columns: Mapping[str, Any]) -> bool:
    """Whether it is this profile's own demand: not an extension's, unfolded in it, nor what any SimpleQuantity asks."""
    unfolded = "extension:" in id_.rpartition(".")[0] and not is_slice(id_)
    simple = columns.get("at") == "Quantity.comparator"
    typed = is_slice(id_) and column == "types"
    loose = column == "binding" and columns["binding"]["strength"] != "required"
    return not (unfolded or simple or typed or loose)


def discriminators(contract: Contract) -> Iterator[str]:
    """Ids of the elements by which items fall into slices: another value there is another slice, not a breach."""
    for slice_ in filter(is_slice, contract.demands):
        slicing = contract.demands.get(slice_.rpartition(":")[0], {}).get("slicing", {})
        for discriminator in slicing.get("discriminator", ()):
            path = discriminator["path"].removeprefix("$this").split(".")
            yield from (".".join([slice_, *path[:n]]).removesuffix(".") for n in range(1, len(path) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_each_demand_of_a_profile_is_broken_by_an_example(name: str) -> None:
    broken = [e.issue for e in shown()[name] if e.issue is not None]
    rules = {(place(i["expression"]), i.get("rule", "")) for i in broken}
    found = {
        (place(i["expression"]).removesuffix(end), i["code"]) for i in broken for end in ("", ".coding", ".reference")
    }
    missing = [
        (where, what)
        for where, what in breaches(demanded()[name])
        if (where, what) not in rules and not {(where, code) for code in KINDS.get(what, ())} & found
    ]
    assert missing == []


# What the placer is told


@pytest.mark.parametrize("example", [e for e in WRONG if named(e) in GAPS], ids=lambda e: e.name)
def test_an_unmet_demand_on_a_referral_is_one_gap(example: Example) -> None:
    unmet = [i for i in errors(example) if i.profile]
    assert len({GAPS[named(example)][i.rule or place(i.expression)]["gap"] for i in unmet}) == 1


def test_each_gap_is_told_of_something_that_can_be_missing() -> None:
    told = {(name, key) for name, rows in GAPS.items() for key in rows}
    missing = {(named(e), e.issue.get("rule") or place(e.issue["expression"])) for e in WRONG if e.issue is not None}
    assert told - missing == set()


def test_each_gap_is_one_of_the_code_system() -> None:
    codes = set(read()["codeSystems"][CANONICAL + "CodeSystem/gap"])
    assert {row["gap"] for rows in GAPS.values() for row in rows.values()} - codes == set()


def test_every_example_is_kept_as_plain_json() -> None:
    for path in EXAMPLES.glob("*/*.json"):
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n", path

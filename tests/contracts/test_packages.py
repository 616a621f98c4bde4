"""The examples inside the US Core, PAS and CRD packages meet base R4 and what they claim, but for rules quoted here."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.fhir.definitions import Definitions
from shared.fhir.definitions import r4 as definitions
from shared.fhir.json import decode
from shared.fhir.profiles import Validator, r4
from tests.shared.fhir.mutants import mutants
from tests.shared.fhir.profile_mutants import Mutants

HERE = Path(__file__).resolve().parent
PACKAGES = HERE.parents[1].parent / "shared" / "packages"
SECOND_OPINION: dict[str, Any] = yaml.safe_load((HERE / "conformance" / "packages.yaml").read_text())["verdicts"]

MODIFIER = (
    "R4 on modifierExtension: 'Applications processing a resource are required to check for modifier extensions.'"
)
FULL_URL = "R4 Bundle.entry.fullUrl: 'The fullUrl SHALL NOT disagree with the id in the resource'"
UNCHECKED_BASE = {
    "hl7.fhir.us.davinci-pas-2.2.1": {
        "Bundle-HomecareAuthorizationUpdateBundleExample.json": (
            ["extension", "Bundle.entry[0].resource.item[1].modifierExtension[0]"],
            MODIFIER,
        ),
        "Claim-HomecareAuthorizationUpdateExample.json": (
            ["extension", "Claim.item[1].modifierExtension[0]"],
            MODIFIER,
        ),
    },
}
"""Where a definition of the package is wanted to read the example at all."""

REFUSED = {
    "hl7.fhir.us.core-6.1.0": {
        "Bundle-66c8856b-ba11-4876-8aa8-467aad8c11a2.json": (["invariant", "Bundle.entry[2].fullUrl"], FULL_URL),
        "Bundle-docref-example-2.json": (["invariant", "Bundle.entry[2].fullUrl"], FULL_URL),
    },
}
"""An example's own faults: the rule is quoted, and the official validator refuses it too."""

COUNTS = {
    "hl7.fhir.us.core-6.1.0": 183,
    "hl7.fhir.us.core-8.0.0": 228,
    "hl7.fhir.us.davinci-crd-2.0.1": 16,
    "hl7.fhir.us.davinci-pas-2.2.1": 47,
}
NOT_AT_HAND = {"http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire"}
"""Profiles that examples claim and no package here defines."""

PROFILED = [name for name in COUNTS if "crd" not in name]


def examples(package: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(PACKAGES / f"{package}.tgz") as members:
        for member in members:
            name = Path(member.name).name
            if "/example/" in member.name and name.endswith(".json") and not name.startswith("."):
                opened = members.extractfile(member)
                assert opened is not None
                yield name, opened.read()


@cache
def of(package: str) -> Definitions:
    """R4, its own profiles and extensions, and those of one package."""
    return definitions().with_hl7().with_package((PACKAGES / f"{package}.tgz").read_bytes())


def refused(found: dict[str, list[Any]]) -> dict[str, list[str]]:
    errors = {name: [i for i in issues if i.severity == "error"] for name, issues in found.items()}
    return {
        name: [part for i in issues for part in (i.code, i.expression)] for name, issues in errors.items() if issues
    }


def quoted(package: str, *tables: dict[str, dict[str, tuple[list[str], str]]]) -> dict[str, list[str]]:
    return {name: issue for table in tables for name, (issue, _) in table.get(package, {}).items()}


@pytest.mark.slow
@pytest.mark.parametrize("package", COUNTS)
def test_only_what_breaks_a_quoted_rule_of_base_r4_is_refused(package: str) -> None:
    found = {name: r4().check(decode(body)) for name, body in examples(package)}
    assert refused(found) == quoted(package, UNCHECKED_BASE, REFUSED)
    assert len(found) == COUNTS[package]


@pytest.mark.slow
@pytest.mark.parametrize("package", COUNTS)
def test_examples_meet_the_profiles_they_claim(package: str) -> None:
    validator = Validator(of(package))
    found = {name: validator.check(decode(body), claimed=True) for name, body in examples(package)}
    assert refused(found) == quoted(package, REFUSED)
    unknown = {i.profile for issues in found.values() for i in issues if i.code == "not-found"}
    assert unknown <= NOT_AT_HAND
    assert not [i for issues in found.values() for i in issues if i.code == "not-supported"]
    assert len(refused(found)) <= 0.02 * len(found)


@pytest.mark.parametrize("package", REFUSED)
def test_the_official_validator_refuses_what_is_refused_here(package: str) -> None:
    for name in REFUSED[package]:
        _, verdict = SECOND_OPINION[f"{package} {name}"]
        assert verdict != "valid"


@pytest.mark.slow
@pytest.mark.parametrize("package", ["hl7.fhir.us.core-8.0.0", "hl7.fhir.us.davinci-pas-2.2.1"])
def test_every_single_defect_mutant_of_one_example_of_each_type_is_refused(package: str) -> None:
    resources = (decode(body) for _, body in examples(package) if len(body) < 10_000)
    kinds = {resource["resourceType"]: resource for resource in resources if not r4().check(resource)}
    made = ((kind, defect, mutant) for kind, good in kinds.items() for defect, mutant in mutants(good, definitions()))
    assert [(kind, defect) for kind, defect, mutant in made if not r4().check(mutant)] == []
    assert len(kinds) > 10


def claims(package: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(example, profile it claims and meets, resource)."""
    validator = Validator(of(package))
    for name, body in examples(package):
        resource = decode(body)
        for profile in resource.get("meta", {}).get("profile", ()):
            known = of(package).profile(profile) is not None
            if known and not refused({name: validator.check(resource, profiles=[profile])}):
                yield name, profile, resource


@pytest.mark.slow
@pytest.mark.parametrize("package", PROFILED)
def test_every_single_defect_mutant_of_a_profile_is_refused(package: str) -> None:
    validator, made, let_in = Validator(of(package)), 0, []
    for name, profile, resource in claims(package):
        structure = of(package).profile(profile)
        assert structure is not None
        for defect, mutant in Mutants(validator.overlays, structure, resource):
            made += 1
            if not refused({name: validator.check(mutant, profiles=[profile])}):
                let_in.append((name, profile, defect))
    assert let_in == []
    assert made > 500


@pytest.mark.slow
@pytest.mark.parametrize("package", COUNTS)
def test_every_profile_of_a_package_compiles_and_what_it_cannot_check_is_listed(package: str) -> None:
    validator, names = Validator(of(package)), list(of(package).profiles())
    validator.compiled()
    assert len(names) > 400
    kinds = ("codes of", "slice", "StructureDefinition")
    assert all(any(kind in line for kind in kinds) for line in validator.unchecked)

"""No resource in the example folders of the US Core, PAS and CRD packages is refused without a rule of FHIR."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.fhir.definitions import r4 as definitions
from shared.fhir.json import decode
from shared.fhir.profiles import r4
from tests.shared.fhir.mutants import mutants

PACKAGES = Path(__file__).resolve().parents[2].parent / "shared" / "packages"

MODIFIER = (
    "R4 on modifierExtension: 'Applications processing a resource are required to check for modifier extensions.'"
)
REFUSED = {
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
COUNTS = {
    "hl7.fhir.us.core-6.1.0": 183,
    "hl7.fhir.us.core-8.0.0": 228,
    "hl7.fhir.us.davinci-crd-2.0.1": 16,
    "hl7.fhir.us.davinci-pas-2.2.1": 47,
}


def examples(package: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(PACKAGES / f"{package}.tgz") as members:
        for member in members:
            name = Path(member.name).name
            if "/example/" in member.name and name.endswith(".json") and not name.startswith("."):
                opened = members.extractfile(member)
                assert opened is not None
                yield name, opened.read()


@pytest.mark.slow
@pytest.mark.parametrize("package", COUNTS)
def test_only_what_breaks_a_quoted_rule_is_refused(package: str) -> None:
    found = {name: r4().check(decode(body)) for name, body in examples(package)}
    refused = {
        name: [part for i in issues for part in (i.code, i.expression)] for name, issues in found.items() if issues
    }
    assert refused == {name: issue for name, (issue, _) in REFUSED.get(package, {}).items()}
    assert len(found) == COUNTS[package]


@pytest.mark.slow
@pytest.mark.parametrize("package", ["hl7.fhir.us.core-8.0.0", "hl7.fhir.us.davinci-pas-2.2.1"])
def test_every_single_defect_mutant_of_one_example_of_each_type_is_refused(package: str) -> None:
    resources = (decode(body) for _, body in examples(package) if len(body) < 10_000)
    kinds = {resource["resourceType"]: resource for resource in resources if not r4().check(resource)}
    made = ((kind, defect, mutant) for kind, good in kinds.items() for defect, mutant in mutants(good, definitions()))
    assert [(kind, defect) for kind, defect, mutant in made if not r4().check(mutant)] == []
    assert len(kinds) > 10

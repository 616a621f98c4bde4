"""No contract tightens or loosens under its users: what changed is said, and the version has to say it too."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts import build, lock
from contracts.changes import ADDS, LOOSENED, REPLACED, TIGHTENED, between
from contracts.demands import Contract, contracts, r4

CANONICAL = "https://carepod.example/fhir/StructureDefinition/"
VISIT, HOLD = CANONICAL + "visit", CANONICAL + "hold"
KINDS = "https://carepod.example/fhir/ValueSet/kinds"
BASE = r4()

Change = Callable[[dict[str, Any]], object]


def structure(url: str, type_: str, *elements: dict[str, Any]) -> dict[str, Any]:
    """A structure of a compiled table."""
    return {"kind": "resource", "type": type_, "base": type_, "url": url, "version": "1.0", "elements": list(elements)}


def element(id_: str, min_: int = 0, max_: str = "1", *types: str, **columns: Any) -> dict[str, Any]:
    """An element of a compiled table; `id` is said only where it is not the path."""
    path = ".".join(part.partition(":")[0] for part in id_.split("."))
    named = {"id": id_} if id_ != path else {}
    return {"path": path, "min": min_, "max": max_, "types": [{"code": t} for t in types], **named, **columns}


def table() -> dict[str, Any]:
    """Two definitions: an Appointment with slices of participants and a hold, and the extension it is said in."""
    by_type = {"discriminator": [{"type": "pattern", "path": "type"}], "rules": "open"}
    return {
        "structures": {
            VISIT: structure(
                VISIT, "Appointment",
                element("Appointment", 0, "*", constraints=[0]),
                element("Appointment.extension", 0, "*", "Extension"),
                element("Appointment.extension:hold", 0, "1", "Extension", sliceName="hold"),
                element("Appointment.status", 1, "1", "code"),
                element("Appointment.serviceType", 0, "*", "CodeableConcept", constraints=[1]),
                element("Appointment.description", 0, "1", "string", maxLength=80),
                element("Appointment.slot", 0, "3", "Reference"),
                element("Appointment.reasonCode", 0, "*", "CodeableConcept",
                        binding={"strength": "extensible", "valueSet": KINDS}),
                element("Appointment.comment", 0, "1", "string", pattern='"short"'),
                element("Appointment.participant", 1, "*", "BackboneElement", slicing=by_type),
                element("Appointment.participant.status", 1, "1", "code"),
                element("Appointment.participant:nurse", 0, "2", "BackboneElement", sliceName="nurse"),
                element("Appointment.participant:nurse.actor", 1, "1", "Reference"),
            ),
            HOLD: structure(HOLD, "Extension", element("Extension", 0, "*"),
                            element("Extension.value[x]", 1, "1", "positiveInt", "string")),
        },
        "constraints": [
            ["cp-1", "error", "there is an end", "end.exists()", VISIT],
            ["cp-2", "warning", "one is enough", "count() < 2", VISIT],
        ],
        "valueSets": {KINDS: {"https://carepod.example/fhir/CodeSystem/kind": ["chair", "home"]}},
        "open": {},
    }  # fmt: skip


def at(of: dict[str, Any], id_: str) -> dict[str, Any]:
    """The element of the visit with this id."""
    found: dict[str, Any] = next(e for e in of["structures"][VISIT]["elements"] if e.get("id", e["path"]) == id_)
    return found


def add(of: dict[str, Any], *elements: dict[str, Any]) -> None:
    of["structures"][VISIT]["elements"].extend(elements)


def changed(change: Change, version: str = "1.0", hold: str = "1.0") -> dict[str, Contract]:
    """The contracts after a change."""
    of = table()
    change(of)
    of["structures"][VISIT]["version"], of["structures"][HOLD]["version"] = version, hold
    return contracts(of, BASE)


def said(old: dict[str, Contract], new: dict[str, Contract]) -> list[str]:
    return [str(change).removeprefix(CANONICAL) for change in between(old, new, BASE)]


OLD = contracts(table(), BASE)

TIGHTER: list[tuple[Change, str]] = [
    (lambda t: at(t, "Appointment.slot").update(min=1), "visit Appointment.slot: tightened: min 0 -> 1"),
    (lambda t: at(t, "Appointment.slot").update(max="2"), "visit Appointment.slot: tightened: max 3 -> 2"),
    (lambda t: at(t, "Appointment.slot").update(max="0"),
     "visit Appointment.slot: tightened: max 3 -> 0: no longer allowed"),
    (lambda t: add(t, element("Appointment.minutesDuration", 1, "1", "positiveInt")),
     "visit Appointment.minutesDuration: tightened: min 0 -> 1"),
    (lambda t: add(t, element("Appointment.slot.reference", 1, "1", "string")),
     "visit Appointment.slot.reference: tightened: min 0 -> 1"),
    (lambda t: at(t, "Appointment.slot")["types"][0].update(targets=["Slot"]),
     "visit Appointment.slot: tightened: Reference leads to anything -> Slot"),
    (lambda t: at(t, "Appointment.extension:hold")["types"][0].update(profiles=[HOLD]),
     f"visit Appointment.extension:hold: tightened: Extension has to satisfy anything -> {HOLD}|1"),
    (lambda t: t["structures"][HOLD]["elements"][1]["types"].pop(),
     "hold Extension.value[x]: tightened: type string no longer allowed"),
    (lambda t: at(t, "Appointment.reasonCode")["binding"].update(strength="required"),
     "visit Appointment.reasonCode: tightened: binding extensible -> required"),
    (lambda t: at(t, "Appointment.serviceType").update(binding={"strength": "required", "valueSet": KINDS}),
     f"visit Appointment.serviceType: tightened: binding none -> {KINDS}"),
    (lambda t: t["valueSets"][KINDS].update({"https://carepod.example/fhir/CodeSystem/kind": ["chair"]}),
     f"visit {KINDS}: tightened: code gone: https://carepod.example/fhir/CodeSystem/kind#home"),
    (lambda t: at(t, "Appointment.description").update(fixed='"visit"'),
     "visit Appointment.description: tightened: fixed none -> visit"),
    (lambda t: at(t, "Appointment.serviceType").update(pattern='{"text":"infusion"}'),
     'visit Appointment.serviceType: tightened: pattern none -> {"text": "infusion"}'),
    (lambda t: t["constraints"][1].__setitem__(1, "error"),
     "visit Appointment.serviceType: tightened: invariant cp-2 none -> count() < 2"),
    (lambda t: at(t, "Appointment.participant")["slicing"].update(rules="closed"),
     "visit Appointment.participant: tightened: slicing rules open -> closed"),
    (lambda t: at(t, "Appointment.participant")["slicing"].update(ordered=True),
     "visit Appointment.participant: tightened: slicing ordered None -> True"),
    (lambda t: add(t, element("Appointment.participant:patient", 1, "1", "BackboneElement", sliceName="patient")),
     "visit Appointment.participant:patient: tightened: a new slice that must be there"),
    (lambda t: at(t, "Appointment.participant:nurse").update(min=1),
     "visit Appointment.participant:nurse: tightened: min 0 -> 1"),
    (lambda t: add(t, element("Appointment.participant:nurse.period", 1, "1", "Period")),
     "visit Appointment.participant:nurse.period: tightened: min 0 -> 1"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "told"), TIGHTER, ids=[told.partition(": ")[2] for _, told in TIGHTER])
def test_a_tightened_demand_is_said_and_one_taken_back_breaks_the_readers(change: Change, told: str) -> None:
    new = changed(change)
    assert said(OLD, new) == [told]
    assert [c.kind for c in between(new, OLD, BASE)] == [LOOSENED]
    assert [u for u in OLD if OLD[u].digest != new[u].digest] == [CANONICAL + told.partition(" ")[0]]


def test_another_demand_in_the_place_of_one_breaks_both_sides() -> None:
    def change(of: dict[str, Any]) -> None:
        at(of, "Appointment.comment")["pattern"] = '"long"'
        of["constraints"][0][3] = "start.exists()"
        at(of, "Appointment.participant")["slicing"]["discriminator"][0]["path"] = "actor"
        at(of, "Appointment.reasonCode")["binding"]["valueSet"] = KINDS + "-2"

    kinds = {change.kind for change in between(OLD, changed(change), BASE)}
    assert kinds == {REPLACED}


def test_something_optional_more_breaks_nobody() -> None:
    def change(of: dict[str, Any]) -> None:
        add(of, element("Appointment.participant:driver", 0, "1", "BackboneElement", sliceName="driver"),
            element("Appointment.participant:driver.actor", 1, "1", "Reference"))  # fmt: skip
        of["structures"][CANONICAL + "note"] = structure(CANONICAL + "note", "Extension", element("Extension", 0, "*"))

    new = changed(change)
    assert {c.kind for c in between(OLD, new, BASE)} == {ADDS}
    assert said(OLD, new) == [
        "note: adds: a new definition",
        "visit Appointment.participant:driver: adds: a new optional slice",
    ]


def test_a_new_slice_where_others_are_refused_is_unknown_to_readers() -> None:
    def closed(of: dict[str, Any]) -> None:
        at(of, "Appointment.participant")["slicing"]["rules"] = "closed"

    def more(of: dict[str, Any]) -> None:
        closed(of)
        add(of, element("Appointment.participant:driver", 0, "1", "BackboneElement", sliceName="driver"))

    assert [c.kind for c in between(changed(closed), changed(more), BASE)] == [LOOSENED]
    assert [c.kind for c in between(changed(more), changed(closed), BASE)] == [TIGHTENED]


def test_what_refuses_nothing_is_no_change() -> None:
    def reworded(of: dict[str, Any]) -> None:
        of["constraints"][0][2] = "a visit has an end, reworded"
        of["constraints"][1][3] = "count() < 3"
        at(of, "Appointment.serviceType")["binding"] = {"strength": "preferred", "valueSet": KINDS}
        add(
            of,
            element("Appointment.slot.display", 0, "1", "string"),
            element("Appointment.priority", 0, "1", "unsignedInt"),
        )

    new = changed(reworded)
    assert said(OLD, new) == []
    assert {url: c.digest for url, c in new.items()} == {url: c.digest for url, c in OLD.items()}


def test_a_value_set_whose_codes_become_known_refuses_what_it_let_in() -> None:
    of = table()
    of["valueSets"].clear()
    before = contracts(of, BASE)
    assert said(before, OLD) == [f"visit {KINDS}: tightened: its codes are all known: others are refused"]
    assert said(OLD, before) == [f"visit {KINDS}: loosened: its codes are not all known: any is let in"]


def test_codes_do_not_matter_where_the_one_code_is_said() -> None:
    def coded(of: dict[str, Any]) -> None:
        at(of, "Appointment.reasonCode")["pattern"] = '{"coding":[{"code":"chair"}]}'

    def more(of: dict[str, Any]) -> None:
        coded(of)
        of["valueSets"][KINDS]["https://carepod.example/fhir/CodeSystem/kind"].append("clinic")

    assert said(changed(coded), changed(more)) == []


def test_an_abstract_profile_is_no_contract() -> None:
    assert changed(lambda t: t["structures"][VISIT].update(abstract=True)).keys() == {HOLD}


# Versions


def refused(change: Change, version: str, hold: str = "1.0") -> list[str]:
    return [line.removeprefix(CANONICAL) for line in lock.refusals(OLD, changed(change, version, hold), BASE)]


def tightened(of: dict[str, Any]) -> None:
    at(of, "Appointment.slot").update(min=1)


def added(of: dict[str, Any]) -> None:
    add(of, element("Appointment.participant:driver", 0, "1", "BackboneElement", sliceName="driver"))


def test_tightening_needs_a_new_major() -> None:
    told = ["visit Appointment.slot: tightened: min 0 -> 1", "  version 1.1: 2.0 would be right"]
    assert refused(tightened, "1.1") == told
    assert refused(tightened, "1.0")[:1] == told[:1]
    assert refused(tightened, "2.0") == []


def test_loosening_needs_a_new_major_too() -> None:
    assert (
        refused(lambda t: at(t, "Appointment.slot").update(max="9"), "1.1")[-1] == "  version 1.1: 2.0 would be right"
    )


def test_adding_something_optional_needs_a_new_minor() -> None:
    told = ["visit Appointment.participant:driver: adds: a new optional slice", "  version 1.0: 1.1 would be right"]
    assert refused(added, "1.0") == told
    assert refused(added, "1.1") == refused(added, "2.0") == []


def test_a_reworded_text_needs_nothing_and_a_version_never_falls() -> None:
    def reworded(of: dict[str, Any]) -> None:
        of["constraints"][0][2] = "reworded"

    assert refused(reworded, "1.0") == refused(reworded, "1.1") == []
    assert refused(reworded, "0.9") == ["visit: version 0.9 is below 1.0, which is locked"]


def test_what_is_not_locked_is_new_and_free_and_what_is_locked_stays() -> None:
    assert lock.refusals({}, OLD, BASE) == []
    gone = lock.refusals(OLD, {HOLD: OLD[HOLD]}, BASE)
    assert gone[0] == f"{VISIT}: replaced: the definition is gone"


def test_a_new_major_of_an_extension_is_a_new_major_of_whoever_demands_it() -> None:
    def held(of: dict[str, Any]) -> None:
        at(of, "Appointment.extension:hold")["types"][0]["profiles"] = [HOLD]

    changes = between(changed(held), changed(held, hold="2.0"), BASE)
    assert [(c.profile, c.element, c.kind) for c in changes] == [(VISIT, "Appointment.extension:hold", REPLACED)]


@pytest.mark.parametrize("version", ["1", "1.0.0", "v1.0", ""])
def test_a_version_is_two_numbers(version: str) -> None:
    with pytest.raises(ValueError, match=r"major\.minor"):
        changed(lambda _: None, version)


# Files


def test_a_lock_reads_back_as_it_was_written() -> None:
    written = lock.text(OLD)
    assert lock.read(json.loads(written)) == OLD
    assert lock.text(lock.read(json.loads(written))) == written
    assert json.loads(lock.text({})) == {}
    assert '\n  "Appointment.slot": {"max": "3"' in written


def test_a_table_and_a_lock_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text(lock.text(OLD))
    (tmp_path / "table.json.gz").write_bytes(gzip.compress(json.dumps(table()).encode()))
    assert lock.loaded(tmp_path / "lock.json", BASE) == lock.loaded(tmp_path / "table.json.gz", BASE) == OLD


def test_a_lock_edited_by_hand_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text(lock.text(OLD).replace('"max": "3"', '"max": "4"'))
    with pytest.raises(lock.LockError, match=r"visit: the digest is not that"):
        lock.loaded(tmp_path / "lock.json", BASE)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"a": 1}', b'{"a": {}}', b"\x1f\x8b", b"\x1f\x8bnot gzip", b"\xff"]
)
def test_a_file_that_is_neither_is_named(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "x").write_bytes(body)
    with pytest.raises(lock.LockError, match=str(tmp_path / "x")):
        lock.loaded(tmp_path / "x", BASE)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(lock.LockError, match=r"absent: No such file"):
        lock.loaded(tmp_path / "absent", BASE)


# What is checked in


def test_the_lock_is_that_of_the_compiled_table() -> None:
    compiled = contracts(build.read(), BASE)
    assert lock.FILE.read_text(encoding="utf-8") == lock.text(compiled)


def test_every_demand_stands_on_an_element_of_r4() -> None:
    compiled = contracts(build.read(), BASE)
    assert [(url, id_) for url, c in compiled.items() for id_, d in c.demands.items() if d.get("at") == ""] == []

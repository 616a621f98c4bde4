"""Our verdict on every example is the HL7 validator's as recorded, or a reason is listed; none of it needs Java."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from contracts.conformance import __main__ as command
from contracts.conformance import definitions, recorded, rounds, validator
from contracts.conformance.examples import Example, examples, patched
from contracts.conformance.journeys import Emitted
from contracts.conformance.opinions import Opinions, wrong
from contracts.conformance.recorded import Recorded
from contracts.conformance.validator import Finding, Unreachable, Verdict
from shared.fhir.outcomes import Issue

ASKED = {asked.name: asked for asked in rounds.of_examples(list(examples()))}
ABOUT, VERDICTS = recorded.read(recorded.FOLDER / "examples.yaml")
LISTED = recorded.disagreements()
JUDGED = [a for a in ASKED.values() if a.name in VERDICTS and a.name not in LISTED["examples"]]
WRONG = [example for example in examples() if example.issue is not None]
AGAIN = "`make conformance` asks the HL7 validator anew"
REFUSAL = Finding("error", "Task.status", "code", "a value")


def test_the_verdicts_are_of_the_profiles_as_they_are() -> None:
    journeys, _ = recorded.read(recorded.FOLDER / "journeys.yaml")
    assert ABOUT["profiles"] == journeys["profiles"] == rounds.profiles_digest(), AGAIN


def test_every_example_has_a_verdict_on_what_it_is_now() -> None:
    assert {name: kept.digest for name, kept in VERDICTS.items()} == {n: a.digest for n, a in ASKED.items()}, AGAIN


@pytest.mark.parametrize("profile", sorted({name.partition("/")[0] for name in ASKED}))
def test_both_validators_agree_on_the_examples(profile: str) -> None:
    asked = [a for a in JUDGED if a.name.startswith(f"{profile}/")]
    ours = {a.name: not rounds.ours_says(replace(a, packages=())) for a in asked}
    assert ours == {a.name: VERDICTS[a.name].valid for a in asked}


def test_both_validators_find_valid_what_should_be_and_nothing_else() -> None:
    assert {a.name: VERDICTS[a.name].valid for a in JUDGED} == {a.name: a.wanted for a in JUDGED}


@pytest.mark.parametrize("profile", sorted({e.name.partition("/")[0] for e in WRONG}))
def test_the_hl7_validator_too_finds_a_wrong_example_wrong_where_it_says(profile: str) -> None:
    elsewhere = {
        example.name: VERDICTS[example.name].errors
        for example in WRONG
        if example.name.startswith(f"{profile}/") and not found_there(example, VERDICTS[example.name].errors)
    }
    assert elsewhere == {}


def found_there(example: Example, errors: tuple[tuple[str, str], ...]) -> bool:
    """Whether one error is at the example's place, or at what that stands in, and one names its rule."""
    issue = example.issue or {}
    wanted = place(issue["expression"])
    at = any(f"{wanted}.".startswith(f"{place(theirs)}.") for theirs, _ in errors if theirs)
    return at and ("rule" not in issue or any(rule.endswith(issue["rule"]) for _, rule in errors))


def place(expression: str) -> str:
    """A FHIRPath expression without indexes and choices: theirs name what an element stands in, ours the element."""
    return re.sub(r"\[\d+\]|\.ofType\(\w+\)", "", expression)


def test_every_disagreement_has_a_reason_and_is_of_something_judged() -> None:
    for name in rounds.ROUNDS:
        _, verdicts = recorded.read(recorded.FOLDER / f"{name}.yaml")
        assert LISTED[name].keys() <= verdicts.keys()
        assert all(len(reason) > 20 for reason in LISTED[name].values())


def test_everything_recorded_of_a_demo_is_valid() -> None:
    _, verdicts = recorded.read(recorded.FOLDER / "journeys.yaml")
    assert {name: kept.errors for name, kept in verdicts.items() if not kept.valid} == {}


def test_a_record_holds_digests_places_and_rules_only(tmp_path: Path) -> None:
    kept = recorded.of(Verdict("x", (REFUSAL, Finding("warning", "Task", "w", "seen"), REFUSAL)), "d1")
    assert kept == Recorded("d1", (("Task.status", "code"),))
    recorded.write(tmp_path / "r.yaml", {"validator": "v"}, {"b": kept, "a": Recorded("d2", ())})
    assert recorded.read(tmp_path / "r.yaml") == ({"validator": "v"}, {"a": Recorded("d2", ()), "b": kept})
    assert "a value" not in (tmp_path / "r.yaml").read_text()


def test_a_digest_is_of_the_content_not_of_its_layout() -> None:
    assert recorded.digest({"a": 1, "b": [2]}) == recorded.digest(json.loads('{"b": [2], "a": 1}'))
    assert recorded.digest({"a": 1}) != recorded.digest({"a": 2})


def test_a_shape_tells_codes_apart_but_no_ids_times_or_repetitions() -> None:
    one = {"resourceType": "Task", "id": "a", "status": "ready", "note": [{"text": "x"}]}
    assert recorded.shape(one) == recorded.shape({**one, "id": "b", "note": [{"text": "y"}, {"text": "z"}]})
    assert recorded.shape(one) != recorded.shape({**one, "status": "draft"})
    assert recorded.shape(one) != recorded.shape({**one, "priority": "asap"})


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "remove", "path": "/a/0"}, {"a": [2], "b/c": {"d": 3}}),
        ({"op": "replace", "path": "/b~1c/d", "value": 4}, {"a": [1, 2], "b/c": {"d": 4}}),
        ({"op": "add", "path": "/a/-", "value": 5}, {"a": [1, 2, 5], "b/c": {"d": 3}}),
        ({"op": "add", "path": "/a/0", "value": 5}, {"a": [5, 1, 2], "b/c": {"d": 3}}),
        ({"op": "move", "from": "/a/1", "path": "/e"}, {"a": [1], "b/c": {"d": 3}, "e": 2}),
        ({"op": "copy", "from": "/b~1c", "path": "/e"}, {"a": [1, 2], "b/c": {"d": 3}, "e": {"d": 3}}),
    ],
)
def test_a_wrong_example_is_a_whole_one_with_a_patch(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    whole = {"a": [1, 2], "b/c": {"d": 3}}
    assert patched(whole, [operation]) == expected
    assert whole == {"a": [1, 2], "b/c": {"d": 3}}


@pytest.mark.parametrize(("op", "path"), [("remove", "/x"), ("replace", "/a/7"), ("turn", "/a"), ("add", "/x/y")])
def test_a_patch_of_what_is_not_there_is_a_mistake(op: str, path: str) -> None:
    with pytest.raises((KeyError, IndexError)):
        patched({"a": [1]}, [{"op": op, "path": path, "value": 1}])


def opinion(name: str, theirs: tuple[Finding, ...], ours: list[Issue], wanted: bool | None) -> Opinions:
    return Opinions(rounds.Asked(name, "{}", "d", wanted=wanted), Verdict(name, theirs), ours)


OURS = Issue("value", "Task.status", "must be one of the codes", rule="x-1")


@pytest.mark.parametrize(
    ("theirs", "ours", "wanted", "said"),
    [
        ((), [], True, []),
        ((REFUSAL,), [OURS], False, []),
        ((REFUSAL,), [OURS], None, []),
        ((REFUSAL,), [], True, ["n: theirs: Task.status: code | ours: valid"]),
        ((), [OURS], None, ["n: theirs: valid | ours: Task.status: x-1"]),
        ((REFUSAL,), [OURS], True, ["n: should be valid; theirs: Task.status: code | ours: Task.status: x-1"]),
        ((), [], False, ["n: should be invalid; theirs: valid | ours: valid"]),
    ],
)
def test_what_is_wrong_between_two_verdicts_is_said_without_values(
    theirs: tuple[Finding, ...], ours: list[Issue], wanted: bool | None, said: list[str]
) -> None:
    assert list(wrong([opinion("n", theirs, ours, wanted)], {})) == said


def test_a_reason_excuses_a_disagreement_and_only_that() -> None:
    assert list(wrong([opinion("n", (REFUSAL,), [], True)], {"n": "because"})) == []
    (needless,) = wrong([opinion("n", (), [], True)], {"n": "because"})
    (unknown,) = wrong([opinion("n", (), [], True)], {"m": "because"})
    assert "but both agree" in needless
    assert "names what is not there" in unknown
    assert list(wrong([], {"m": "because"}, whole=False)) == []


def test_one_of_each_shape_is_judged_and_a_message_by_its_envelope() -> None:
    def message(name: str) -> dict[str, Any]:
        carried = {"resourceType": "Patient", "name": [{"family": name}]} if name else {"resourceType": "Patient"}
        header = {"resourceType": "MessageHeader", "id": name}
        return {"resourceType": "Bundle", "entry": [{"resource": header}, {"resource": carried}]}

    emitted = [Emitted("intake", "message", message("x")), Emitted("intake", "message", message(""))]
    (asked,) = rounds.of_journeys(emitted)
    assert asked.name.startswith("message Bundle ")
    assert asked.wanted


def test_an_observation_is_asked_for_the_profile_of_its_category() -> None:
    vital = {"resourceType": "Observation", "category": [{"coding": [{"code": "vital-signs"}]}]}
    assert rounds.us_core(vital).endswith("us-core-vital-signs")
    assert rounds.us_core({"resourceType": "Observation"}).endswith("us-core-observation-lab")
    assert rounds.us_core({"resourceType": "Claim"}) == ""


def test_the_example_of_a_profile_is_asked_for_that_profile() -> None:
    assert Example("slot/minimal", {}).profile == "https://carepod.example/fhir/StructureDefinition/slot"


def test_no_definition_pins_a_version_of_another() -> None:
    definition = {"version": "1", "type": [{"targetProfile": ["http://a/b|7.0.0"]}], "text": "x|y"}
    assert definitions.unpinned(definition) == {
        "version": "1", "type": [{"targetProfile": ["http://a/b"]}], "text": "x|y",
    }  # fmt: skip


def test_every_jar_is_pinned_by_its_hash() -> None:
    pinned = validator.pinned()
    assert {f"hapi-fhir-validation-{ABOUT['validator'].split()[-1]}.jar"} <= {Path(path).name for path in pinned}
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in pinned.values())


@respx.mock
def test_a_jar_that_is_not_the_pinned_one_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validator, "pinned", lambda: {"a/b.jar": "0" * 64})
    respx.get(f"{validator.CENTRAL}/a/b.jar").respond(200, content=b"other")
    with pytest.raises(Unreachable, match="not the pinned jar"):
        validator.fetched(tmp_path)
    assert list(tmp_path.iterdir()) == []


@respx.mock
def test_without_maven_central_it_is_said_which_jar_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validator, "pinned", lambda: {"a/b.jar": "0" * 64})
    respx.get(f"{validator.CENTRAL}/a/b.jar").mock(side_effect=httpx.ConnectError("no route"))
    with pytest.raises(Unreachable, match=r"a/b\.jar cannot be fetched"):
        validator.fetched(tmp_path)


@respx.mock
def test_a_pinned_jar_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    monkeypatch.setattr(validator, "pinned", lambda: {"a/b.jar": digest})
    route = respx.get(f"{validator.CENTRAL}/a/b.jar").respond(200, content=b"foo")
    assert validator.fetched(tmp_path) == validator.fetched(tmp_path) == [tmp_path / "b.jar"]
    assert route.call_count == 1


def test_without_java_it_is_said_and_the_exit_is_not_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    monkeypatch.setattr(definitions, "ours", lambda folder: folder / "none.ndjson")
    (tmp_path / "p.json").write_text('{"resourceType": "Patient"}')
    assert command.main([str(tmp_path / "p.json")]) == command.NOT_TRIED
    assert "a JDK 17 or newer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "modules", "said"),
    [("openjdk 11.0.2 2019", "", "is older"), ("openjdk 21 2023", "java.base@21", "without the compiler")],
)
def test_a_java_that_cannot_do_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, version: str, modules: str, said: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: "/usr/bin/java")
    monkeypatch.setattr(validator, "_told", lambda java, about: version if about == "--version" else modules)
    with pytest.raises(Unreachable, match=said):
        validator.java_found()

"""The definitions in FHIR are legal by two judges, and say the same as one another and as the code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from contracts.catalogue.__main__ import FOLDER
from contracts.catalogue.declarations import demo_services, said_by, type_of
from shared.core import CANONICAL
from shared.fhir import definitions
from shared.fhir.json import decode
from shared.fhir.profiles import r4
from shared.web.capability import message_url, operation_url

FILES = sorted((FOLDER / "capability").glob("*.json"))
RESOURCES = {path.stem: json.loads(path.read_text("utf-8")) for path in FILES}
STATEMENT = RESOURCES["CapabilityStatement-carepod"]
MESSAGES = {e["fullUrl"]: e["resource"] for e in RESOURCES["MessageDefinitions"]["entry"]}
SERVICES = demo_services()
OPERATIONS = [(s, o) for s in SERVICES for o in s.operations]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_definition_is_legal_by_two_judges(path: Any) -> None:
    assert r4().check(decode(path.read_bytes())) == []
    resource = json.loads(path.read_text("utf-8"))
    assert get_fhir_model_class(resource["resourceType"]).model_validate(resource).model_dump()["resourceType"]


def test_a_definition_stands_under_its_own_canonical() -> None:
    for resource in (STATEMENT, *MESSAGES.values(), *_operations().values()):
        assert resource["url"] == f"{CANONICAL}{resource['resourceType']}/{resource['id']}"
    assert all(url == resource["url"] for url, resource in MESSAGES.items())


def _operations() -> dict[str, Any]:
    return {r["url"]: r for r in RESOURCES.values() if r["resourceType"] == "OperationDefinition"}


def test_the_statement_names_every_message_and_operation_there_is() -> None:
    named = {m["definition"] for s in STATEMENT["messaging"] for m in s["supportedMessage"]}
    assert named == set(MESSAGES)
    rest = STATEMENT["rest"][0]
    offered = {o["definition"] for r in rest["resource"] for o in r.get("operation", ())}
    assert offered == {operation_url(o) for _, o in OPERATIONS}
    inquired = {operation_url(i) for s in SERVICES for i in s.inquiries}
    assert inquired == {o["definition"] for o in rest["operation"] if o["name"] != "process-message"}
    assert offered | inquired == set(_operations())


def test_a_message_definition_says_what_the_declaration_says() -> None:
    for service in SERVICES:
        for said in said_by(service):
            definition = MESSAGES[message_url(service.name, said.reason)]
            assert (definition["eventUri"], definition["description"]) == (said.event, said.when)
            assert [f["code"] for f in definition["focus"]] == [type_of(k) for k in said.focus]
            assert all(f["max"] == "1" for f in definition["focus"])


def test_every_profile_that_is_named_is_known_and_of_the_type_it_is_named_for() -> None:
    known = definitions.carepod()
    held = [(r["type"], p) for r in STATEMENT["rest"][0]["resource"] for p in r["supportedProfile"]]
    focused = [(f["code"], f["profile"]) for m in MESSAGES.values() for f in m["focus"]]
    for kind, canonical in (*held, *focused):
        profile = known.profile(canonical)
        assert profile is not None, canonical
        assert profile.type == kind, canonical


def test_an_operation_is_of_a_type_its_service_owns() -> None:
    assert all(operation.kind in service.owns for service, operation in OPERATIONS)


def test_readiness_answers_with_the_parameters_of_its_definition() -> None:
    readiness = {operation_url(operation): operation for _, operation in OPERATIONS}
    [(url, readiness_of_a_visit)] = readiness.items()
    for visit in (visit_with(), visit_with(UNMET), visit_with(MET, UNMET)):
        answer = readiness_of_a_visit.answer(visit)
        assert r4().check(answer) == []
        assert list(undeclared(answer["parameter"], _operations()[url]["parameter"])) == []
    assert readiness_of_a_visit.answer(visit_with(MET))["parameter"][0]["valueBoolean"] is True
    assert readiness_of_a_visit.answer(visit_with(MET, UNMET))["parameter"][0]["valueBoolean"] is False


def test_a_parameter_that_is_not_declared_so_is_found() -> None:
    definition = _operations()[operation_url(OPERATIONS[0][1])]
    ready, *_ = definition["parameter"]
    said = {"name": ready["name"], "valueBoolean": True}
    assert list(undeclared([said], [ready])) == []
    assert list(undeclared([{**said, "name": "other"}], [ready])) == ["other", ready["name"]]
    assert list(undeclared([{"name": ready["name"], "valueString": "yes"}], [ready])) == [ready["name"]]
    assert list(undeclared([said, said], [ready])) == [ready["name"]]


MET = {"requirement": "authorized", "status": "met", "deadline": "book", "evidence": {"reference": "Task/au-1"}}
UNMET = {"requirement": "consented", "status": "unmet", "deadline": "book", "holder": "referrer", "reason": "none came"}


def visit_with(*requirements: Mapping[str, Any]) -> dict[str, Any]:
    """An Appointment whose readiness says this."""
    types = {"evidence": "valueReference", "holder": "valueString", "reason": "valueString"}
    return {
        "resourceType": "Appointment",
        "id": "sc-1",
        "extension": [
            {
                "url": CANONICAL + "StructureDefinition/visit-readiness",
                "extension": [{"url": name, types.get(name, "valueCode"): value} for name, value in said.items()],
            }
            for said in requirements
        ],
    }


def undeclared(said: Iterable[Mapping[str, Any]], declared: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Names of the parameters that are not declared, or not as often or of the type they are declared."""
    by_name = {p["name"]: p for p in declared}
    counts = dict.fromkeys(by_name, 0)
    for parameter in said:
        name = parameter["name"]
        counts[name] = counts.get(name, 0) + 1
        wanted = by_name.get(name, {"type": "?"})
        if "part" in wanted:
            yield from undeclared(parameter["part"], wanted["part"])
        elif "value" + wanted["type"][0].upper() + wanted["type"][1:] not in parameter:
            yield name
    for name, wanted in by_name.items():
        if counts[name] < wanted["min"] or (wanted["max"] != "*" and counts[name] > 1):
            yield name

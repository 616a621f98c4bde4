"""What `metadata` and the OpenAPI page say is what works, no more and no less."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement as Independent

from contracts.catalogue.__main__ import FOLDER
from shared.borders import PROFILE
from shared.fhir.profiles import r4
from shared.refused import REASONS as OF_THE_LOOP
from shared.version import VERSION
from shared.web.capability import message_url
from tests.shared.web.stack import FHIR, Carepod, Client, observation, pushed


@pytest.fixture
async def statement(carepod: Carepod) -> dict[str, Any]:
    response = await carepod.http.get("/fhir/metadata")
    assert (response.status_code, response.headers["content-type"]) == (200, FHIR)
    found: dict[str, Any] = response.json()
    return found


def interactions(statement: dict[str, Any]) -> dict[str, set[str]]:
    return {r["type"]: {i["code"] for i in r["interaction"]} for r in statement["rest"][0]["resource"]}


async def test_the_statement_is_legal_by_two_judges(statement: dict[str, Any]) -> None:
    assert r4().check(statement) == []
    assert Independent.model_validate_json(json.dumps(statement)).fhirVersion == "4.0.1"
    assert statement["software"]["version"] == VERSION
    assert statement["implementation"]["url"] == "http://carepod.test/fhir"


async def test_the_checked_in_copy_is_what_is_served_but_for_the_address(statement: dict[str, Any]) -> None:
    text = (FOLDER / "capability" / "CapabilityStatement-carepod.json").read_text("utf-8")
    assert statement == json.loads(text.replace("http://127.0.0.1:8000", "http://carepod.test"))


async def test_it_says_the_same_whenever_it_is_asked(carepod: Carepod) -> None:
    assert (await carepod.http.get("/fhir/metadata")).content == (await carepod.http.get("/fhir/metadata")).content


async def test_it_names_the_profile_of_everything_that_is_saved(carepod: Carepod, statement: dict[str, Any]) -> None:
    named = {p for r in statement["rest"][0]["resource"] for p in r["supportedProfile"]}
    assert named == {PROFILE + p for s in carepod.app.catalogue.services for p in s.profiles.values()}


async def test_an_operation_it_names_has_a_route_and_any_other_is_refused(
    client: Client, statement: dict[str, Any]
) -> None:
    named = {(r["type"], o["name"]) for r in statement["rest"][0]["resource"] for o in r.get("operation", ())}
    assert named == {("Appointment", "readiness")}
    place = (await pushed(client))["Patient"]
    refused = await client.get(f"/fhir/{place}/$readiness")
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (404, "not-supported")
    unknown = await client.get("/fhir/Appointment/sc-1/$readiness")
    assert (unknown.status_code, unknown.json()["issue"][0]["code"]) == (404, "not-found")


async def test_what_it_says_of_messages_is_what_the_catalogue_lets_through(
    carepod: Carepod, statement: dict[str, Any]
) -> None:
    catalogue = carepod.app.catalogue
    for service, messaging in zip(catalogue.services, statement["messaging"], strict=True):
        assert messaging["endpoint"][0]["address"].endswith(f"/service/{service.name}")
        said = {m["definition"] for m in messaging["supportedMessage"] if m["mode"] == "sender"}
        assert said == {message_url(service.name, reason) for reason in service.reasons}
        heard = {m["definition"] for m in messaging["supportedMessage"] if m["mode"] == "receiver"}
        told = {s.name: {r: {"Task"} if r in OF_THE_LOOP else s.owns for r in s.reasons} for s in catalogue.services}
        assert heard == {
            message_url(name, reason)
            for name, reasons in told.items()
            for reason, types in reasons.items()
            if service.name in catalogue.listening(name, types)
        }


async def test_it_says_how_a_token_is_had(carepod: Carepod, statement: dict[str, Any]) -> None:
    security = statement["rest"][0]["security"]
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    named = re.findall(r"http://carepod\.test(/[^`]+)", security["description"])
    assert named == ["/.well-known/smart-configuration"]
    assert (await carepod.http.get(named[0])).status_code == 200


async def test_a_record_is_created_once_and_read_again_only_when_it_changed(
    client: Client, statement: dict[str, Any]
) -> None:
    kinds = {r["type"]: r for r in statement["rest"][0]["resource"]}
    patient = (await pushed(client))["Patient"]
    result = observation(patient)
    named = "identifier=https://lab.example/results|obs-1"
    first = await client.send("POST", "/fhir/Observation", result, If_None_Exist=named)
    again = await client.send("POST", "/fhir/Observation", result, If_None_Exist=named)
    assert ((first.status_code, again.status_code) == (201, 200)) == kinds["Observation"]["conditionalCreate"]
    unchanged = await client.get(
        f"/fhir/{patient}", If_None_Match=(await client.get(f"/fhir/{patient}")).headers["etag"]
    )
    assert (unchanged.status_code == 304) == (kinds["Patient"]["conditionalRead"] == "not-match")


async def test_it_is_read_without_a_token_and_only_as_json(carepod: Carepod) -> None:
    refused = await carepod.http.get("/fhir/metadata", headers={"Accept": "application/fhir+xml"})
    assert refused.status_code == 406


async def test_what_it_says_can_be_created_and_updated_can_and_the_rest_cannot(
    client: Client, statement: dict[str, Any]
) -> None:
    for kind, codes in interactions(statement).items():
        post = await client.send("POST", f"/fhir/{kind}", {"resourceType": kind})
        assert (post.status_code == 405) == ("create" not in codes), kind
        assert (await client.get(f"/fhir/{kind}")).status_code == 200
        delete = await client.send("DELETE", f"/fhir/{kind}/x")
        assert delete.status_code == (404 if "delete" in codes else 405), kind
        assert codes >= {"read", "vread", "history-instance", "search-type"}
    of = interactions(statement)
    assert {"create", "update", "patch", "delete"} <= of["Observation"]
    assert {"update", "patch"} <= of["Task"]
    assert "delete" not in of["Task"]
    assert {"create", "update"} & of["Claim"] == set()
    assert {"create", "update"} & of["Practitioner"] == set()


async def test_every_parameter_it_names_is_searched_strictly(client: Client, statement: dict[str, Any]) -> None:
    for resource in statement["rest"][0]["resource"]:
        for parameter in (*statement["rest"][0]["searchParam"][:2], *resource.get("searchParam", ())):
            value = "2026-11-22" if parameter["type"] == "date" else "x"
            address = f"/fhir/{resource['type']}?{parameter['name']}={value}"
            assert (await client.get(address, Prefer="handling=strict")).status_code == 200, address
    assert (await client.get("/fhir/Task?nonsense=x", Prefer="handling=strict")).status_code == 400


async def test_the_openapi_page_shows_what_goes_in_and_how_one_is_let_in(carepod: Carepod) -> None:
    page = await carepod.http.get("/docs")
    scripts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert scripts
    for script in scripts:
        assert script.startswith("/"), "the page works without a way out"
        assert (await carepod.http.get(script)).status_code == 200
    described = (await carepod.http.get("/openapi.json")).json()
    assert described["info"]["version"] == VERSION
    assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    fhir = {p: o for p, o in described["paths"].items() if p.startswith("/fhir") and "well-known" not in p}
    for path, operations in fhir.items():
        for method, operation in operations.items():
            said = operation["responses"]["200"]["content"]
            assert list(said) == [FHIR], path
            assert path == "/fhir/metadata" or operation["security"] == [{"HTTPBearer": []}]
            sent = set(operation.get("requestBody", {}).get("content", {}))
            own = {"patch": "application/json-patch+json"} | dict.fromkeys(("post", "put"), FHIR)
            form = {"application/x-www-form-urlencoded"}
            assert sent == (form if path.endswith("/_search") else {own[method]} if method in own else set()), path
            assert "HTTPValidationError" not in json.dumps(operation)
    assert {"/fhir", "/fhir/{kind}", "/fhir/{kind}/{resource_id}", "/token", "/health/ready"} <= set(described["paths"])

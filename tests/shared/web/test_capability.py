"""What `metadata` and the OpenAPI page say is what works, no more and no less."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement as Independent

from shared.fhir.profiles import r4
from shared.version import VERSION
from tests.shared.web.stack import FHIR, Carepod, Client


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
        assert (await client.send("DELETE", f"/fhir/{kind}/x")).status_code == 405
        assert codes >= {"read", "vread", "search-type"}
    of = interactions(statement)
    assert "create" in of["Observation"]
    assert of["Task"] == {"read", "vread", "search-type", "update"}
    assert {"create", "update"} & of["Claim"] == set()
    assert {"create", "update"} & of["Practitioner"] == set()


async def test_every_parameter_it_names_is_searched_strictly(client: Client, statement: dict[str, Any]) -> None:
    for resource in statement["rest"][0]["resource"]:
        for parameter in resource["searchParam"]:
            address = f"/fhir/{resource['type']}?{parameter['name']}=x"
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
            assert (method in ("post", "put")) == (FHIR in operation.get("requestBody", {}).get("content", {}))
            assert "HTTPValidationError" not in json.dumps(operation)
    assert {"/fhir", "/fhir/{kind}", "/fhir/{kind}/{resource_id}", "/token", "/health/ready"} <= set(described["paths"])

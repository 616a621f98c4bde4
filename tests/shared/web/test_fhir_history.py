"""The history of a resource over HTTP: every version with what made it, for whom the resource is visible."""

from __future__ import annotations

from typing import Any

import pytest

from shared.fhir.json import decode
from shared.fhir.profiles import r4
from tests.shared.web.stack import Carepod, Client, observation, pushed

pytestmark = pytest.mark.slow


@pytest.fixture
async def path(client: Client) -> str:
    """A result of four versions."""
    patient = (await pushed(client))["Patient"]
    for value in ("7.1", "7.2", "7.3", "7.4"):
        stored = (await client.send("POST", "/fhir/Observation", observation(patient, value))).json()
    return f"/fhir/Observation/{stored['id']}"


async def history(client: Client, path: str) -> dict[str, Any]:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    assert r4().check(decode(response.content)) == []
    found: dict[str, Any] = response.json()
    return found


def versions(bundle: dict[str, Any]) -> list[str]:
    return [e["response"]["etag"] for e in bundle.get("entry", ())]


async def test_every_version_is_told_newest_first_with_what_made_it(client: Client, path: str) -> None:
    bundle = await history(client, f"{path}/_history")
    assert (bundle["type"], bundle["total"]) == ("history", 4)
    assert versions(bundle) == [f'W/"1-{n}"' for n in (4, 3, 2, 1)]
    assert [e["request"]["method"] for e in bundle["entry"]] == ["PUT", "PUT", "PUT", "POST"]
    assert bundle["entry"][0]["request"]["url"] == path.removeprefix("/fhir/")
    assert bundle["entry"][3]["request"]["url"] == "Observation"
    for entry in bundle["entry"]:
        place = entry["response"]["location"].removeprefix("http://carepod.test")
        assert (await client.get(place)).json() == entry["resource"]


async def test_a_history_comes_in_pages_that_new_versions_do_not_move(client: Client, path: str) -> None:
    first = await history(client, f"{path}/_history?_count=2")
    stored = (await client.get(path)).json()
    await client.send("PUT", path, stored | {"status": "amended"})
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    second = await history(client, following.removeprefix("http://carepod.test"))
    assert versions(first) + versions(second) == [f'W/"1-{n}"' for n in (4, 3, 2, 1)]
    assert [link["relation"] for link in second["link"]] == ["self"]


async def test_a_history_since_an_instant_tells_what_came_then_or_later(client: Client, path: str) -> None:
    whole = await history(client, f"{path}/_history")
    third = whole["entry"][1]["resource"]["meta"]["lastUpdated"]
    assert versions(await history(client, f"{path}/_history?_since={third}")) == versions(whole)[:2]
    assert (await history(client, f"{path}/_history?_since=2099-01-01T00:00:00Z"))["total"] == 0
    assert (await client.get(f"{path}/_history?_since=soon")).status_code == 400
    assert (await client.get(f"{path}/_history?_count=x")).status_code == 400


async def test_a_history_is_as_hidden_as_its_resource(client: Client, carepod: Carepod, path: str) -> None:
    other = carepod.client("other-ehr")
    hidden = await other.get(f"{path}/_history")
    missing = await other.get("/fhir/Observation/in-00000000-0000-5000-8000-000000000000/_history")
    assert (hidden.status_code, missing.status_code, hidden.content) == (404, 404, missing.content)
    assert (await carepod.client(scopes="system/Observation.s").get(f"{path}/_history")).status_code == 403
    first = await history(client, f"{path}/_history?_count=2")
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    stolen = await carepod.client("office").get(following.removeprefix("http://carepod.test"))
    assert stolen.status_code == 400

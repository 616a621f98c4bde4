"""Every payload of ../shared/examples is pushed as it is: each has a recorded verdict, and none is ever a 500."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.shared.web.stack import Carepod, Client

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[2].parent / "shared" / "examples"
PUSHED: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "examples_pushed.yaml").read_text())


def files() -> list[str]:
    """Every JSON payload, by its path below the examples."""
    return sorted(str(p.relative_to(EXAMPLES)) for p in EXAMPLES.rglob("*.json"))


async def pushed(client: Client, name: str) -> tuple[int, list[str]]:
    """Status and issue codes of one file: a Bundle to the base, another resource to its type."""
    body = (EXAMPLES / name).read_bytes()
    kind = json.loads(body).get("resourceType", "Basic")
    path = "/fhir" if kind == "Bundle" else f"/fhir/{kind}"
    response = await client.send("POST", path, body)
    return response.status_code, sorted({i["code"] for i in response.json().get("issue", ())})


async def test_every_payload_gets_its_recorded_verdict(client: Client, carepod: Carepod) -> None:
    found = {name: await pushed(client, name) for name in files()}
    assert {n: [s, codes] for n, (s, codes) in found.items()} == {
        n: [v["status"], v["codes"]] for n, v in PUSHED.items()
    }
    assert all(status < 500 for status, _ in found.values())


async def test_what_was_refused_is_kept_with_its_issues(client: Client, carepod: Carepod) -> None:
    refused = [name for name, verdict in PUSHED.items() if verdict["status"] in (400, 422)]
    for name in refused:
        await pushed(client, name)
    kept = await carepod.quarantined()
    assert len(kept) == len(refused)
    assert all(issues["issue"] for _, issues, _, _ in kept)


def test_every_refusal_says_why_it_is_right() -> None:
    assert [n for n, v in PUSHED.items() if v["status"] >= 400 and not v.get("because")] == []

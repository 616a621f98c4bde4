"""What really leaves for the broker is what the AsyncAPI document says."""

from __future__ import annotations

import json
from typing import Any

import yaml

from contracts.catalogue.__main__ import FOLDER
from tests.contracts.schema import faults
from tests.shared.web.stack import Carepod, Client, observation, pushed, referral

DOCUMENT: dict[str, Any] = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text("utf-8"))


async def said(carepod: Carepod, service: str = "intake") -> list[tuple[str, list[str], dict[str, Any], Any]]:
    """(reason, routing keys, headers, Bundle) of everything a service put out."""
    async with carepod.app.handles[service].database.reading() as tx:
        rows = await tx.fetch("select reason, keys, headers, body from outbox order by id")
    return [(r[0], json.loads(r[1]), json.loads(r[2]), json.loads(r[3])) for r in rows]


async def test_every_message_of_a_referral_fits_its_schema(carepod: Carepod, client: Client) -> None:
    patient = (await pushed(client))["Patient"]
    await client.send("POST", "/fhir/Observation", observation(patient))
    await pushed(client, referral("incomplete"))
    messages = await said(carepod)
    assert {reason for reason, *_ in messages} == {"referral-completed", "observation-received", "referral-accepted"}
    for reason, keys, headers, bundle in messages:
        message = DOCUMENT["components"]["messages"][f"intake.{reason}"]
        assert faults(message["payload"], bundle, DOCUMENT) == []
        assert faults(DOCUMENT["components"]["schemas"]["headers"], headers, DOCUMENT) == []
        focus, _ = bundle["entry"][0]["resource"]["focus"][0]["reference"].split("/")
        assert keys[0].partition(".")[0] == focus
        assert focus in {kind.partition("#")[0] for kind in message["x-focus"]}
        types = DOCUMENT["channels"]["intake.says"]["parameters"]["type"]["enum"]
        assert {key.partition(".")[0] for key in keys} <= set(types)


async def test_no_value_of_a_patient_stands_in_a_key_or_a_header(carepod: Carepod, client: Client) -> None:
    bundle = referral()
    await pushed(client, bundle)
    values = set(texts([e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient"]))
    told = {v for v in values if len(v) > 3 and "://" not in v and v not in ("Patient", "usual", "official")}
    assert told, "the referral names its patient"
    for reason, keys, headers, _ in await said(carepod):
        outside = json.dumps([reason, keys, headers])
        assert not [v for v in told if v in outside]


def texts(node: Any) -> list[str]:
    """Every string in it."""
    if isinstance(node, dict):
        return [t for value in node.values() for t in texts(value)]
    if isinstance(node, list):
        return [t for value in node for t in texts(value)]
    return [node] if isinstance(node, str) else []

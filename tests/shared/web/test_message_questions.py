"""What clients may do to the question about a message: see it, and nothing else."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from shared import store
from shared.clock import system_clock, uuid7
from shared.core import CANONICAL, Decision, derived_id
from shared.messages import headers_of, written
from shared.ports import Incoming
from tests.shared.web.stack import Carepod, Client, pushed, referral


async def asked(carepod: Carepod, patient: str) -> dict[str, Any]:
    """The question intake asks about a Task of prior authorization without a status."""
    at = system_clock()
    id_, lane = uuid7(at), f"patient/{patient.partition('/')[2]}"
    task = {
        "resourceType": "Task",
        "id": derived_id("au", "wrong"),
        "meta": {"versionId": "1-1", "lastUpdated": at.isoformat()},
        "code": {"coding": [{"system": f"{CANONICAL}CodeSystem/task-code", "code": "preauthorization"}]},
    }
    bundle = written("auth", id_, Decision("preauthorization-approved"), [task], at)
    headers = headers_of("auth", lane, 1, 1, {}, {}, {"intake": id_}, "")
    handle = carepod.app.handles["intake"]
    message = Incoming(id_, "preauthorization-approved", headers, json.dumps(bundle, default=str).encode())
    await handle.runner.receive([message])
    async with handle.database.reading() as tx:
        rows = await tx.fetch("select body from resource where lane = $1 and type = 'Task'", lane)
    return next(t for (body,) in rows if (t := store.parsed(body))["code"]["coding"][0]["code"] == "message-question")


async def test_no_client_answers_or_replaces_the_question_about_a_message(client: Client, carepod: Carepod) -> None:
    question = await asked(carepod, (await pushed(client))["Patient"])
    place = f"Task/{question['id']}"
    answered = await client.send("PUT", f"/fhir/{place}", question | {"status": "completed"})
    assert answered.status_code == 422
    bundle = deepcopy(referral())
    entry = next(e for e in bundle["entry"] if e["resource"]["resourceType"] == "Task")
    entry["request"] = {"method": "PUT", "url": place}
    entry["resource"]["id"] = question["id"]
    replaced = await client.push(bundle)
    assert (replaced.status_code, [i["code"] for i in replaced.json()["issue"]]) == (422, ["business-rule"])
    assert (await client.get(f"/fhir/{place}")).json() == question

"""`$preauthorization-check` over HTTP: answered from what it brings, and nothing stored."""

from __future__ import annotations

import time
from typing import Any

import pytest

from shared.fhir.profiles import r4
from shared.settings import ROOT
from tests.shared.web.stack import Carepod, Client, of, referral

PATH = "/fhir/$preauthorization-check"


@pytest.fixture
def client(carepod: Carepod) -> Client:
    return carepod.client(scopes="system/Task.rs")


def status(answer: dict[str, Any]) -> str:
    return str(next(p["valueCode"] for p in answer["parameter"] if p["name"] == "status"))


async def test_a_referral_is_judged_before_it_is_sent_and_nothing_is_kept(carepod: Carepod, client: Client) -> None:
    answer = await client.send("POST", PATH, referral())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")
    assert r4().check(answer.json()) == []
    assert status(answer.json()) == "complete"
    seen = carepod.client()
    for kind in ("Patient", "Task", "ServiceRequest", "Observation", "Claim", "CoverageEligibilityRequest"):
        assert (await seen.get(f"/fhir/{kind}")).json()["total"] == 0, kind


async def test_what_is_missing_is_told_with_its_text(client: Client) -> None:
    answer = (await client.send("POST", PATH, referral("iron-criteria-not-met"))).json()
    assert status(answer) == "incomplete"
    missing = [{p["name"] for p in m["part"]} for m in answer["parameter"] if m["name"] == "missing"]
    assert missing
    assert all(parts == {"gap", "criterion", "text"} for parts in missing)


def told(answer: dict[str, Any]) -> dict[str, int]:
    (part,) = [p["part"] for p in answer["parameter"] if p["name"] == "experience"]
    return {p["name"]: p["valueInteger"] for p in part}


async def test_it_tells_what_the_payer_has_decided_of_the_drug_so_far(carepod: Carepod, client: Client) -> None:
    sent = referral()
    before = (await client.send("POST", PATH, sent)).json()
    assert r4().check(before) == []
    assert told(before) == {"approved": 0, "denied": 0, "overturned": 0}
    about = "{}|{}".format(
        next(p["valueString"] for p in before["parameter"] if p["name"] == "payer"),
        next(p["valueCoding"]["code"] for p in before["parameter"] if p["name"] == "drug"),
    )
    async with carepod.app.handles["auth"].database.writing() as tx:
        for number, outcome in enumerate(("approved", "approved", "overturned", "denied")):
            value = f"{about}|{outcome}"
            sql = "insert into search (type, parameter, value, id) values ($1, $2, $3, $4)"
            await tx.execute(sql, "ClaimResponse", "decision", value, f"au-{number}")
    assert told((await client.send("POST", PATH, sent)).json()) == {"approved": 2, "denied": 1, "overturned": 1}


async def test_it_takes_less_than_fifty_milliseconds(client: Client) -> None:
    sent = referral()
    await client.send("POST", PATH, sent)
    used = []
    for _ in range(5):
        begun = time.process_time()
        assert (await client.send("POST", PATH, sent)).status_code == 200
        used.append(time.process_time() - begun)
    assert min(used) < 0.05


async def test_a_wrong_question_is_told_what_would_be_right(carepod: Carepod, client: Client) -> None:
    assert (await client.send("POST", PATH + "?period=third", referral())).status_code == 400
    assert (await client.send("POST", PATH + "?peroid=renewal", referral())).status_code == 400
    assert (await client.send("POST", PATH, {"resourceType": "Patient"})).status_code == 400
    assert (await client.send("POST", PATH, b"{")).status_code == 400
    assert (await client.send("POST", PATH, referral(), Accept="text/html")).status_code == 406
    broken = referral()
    of(broken, "Patient")["gender"] = "banana"
    refused = await client.send("POST", PATH, broken)
    assert refused.status_code == 422
    assert "banana" not in refused.text
    assert (await carepod.http.post(PATH, json=referral())).status_code == 401


async def test_it_stands_on_the_api_page_and_in_the_statement(carepod: Carepod, client: Client) -> None:
    page = (await carepod.http.get("/openapi.json")).json()["paths"][PATH]["post"]
    assert [p["name"] for p in page["parameters"]] == ["period"]
    statement = (await carepod.http.get("/fhir/metadata")).json()
    named = {o["name"]: o["definition"] for o in statement["rest"][0]["operation"]}
    assert named["preauthorization-check"].endswith("OperationDefinition/preauthorization-check")
    assert (ROOT / "contracts" / "capability" / "OperationDefinition-preauthorization-check.json").is_file()

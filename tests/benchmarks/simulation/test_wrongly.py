"""A partner's wrong answers are wrong in the four ways they are meant to be."""

from __future__ import annotations

import json
from random import Random

import httpx

from benchmarks.simulation.weather import Weather
from benchmarks.simulation.wrongly import WAYS, Wrongly

ASKED = httpx.Request("POST", "http://partners/payer/prairie-health/Claim/$submit")
NOTIFIED = httpx.Request("POST", "http://carepod/notifications/pas/prairie-health")


def response(value: str) -> httpx.Response:
    body = {"resourceType": "ClaimResponse", "status": "active", "identifier": [{"value": value}]}
    return httpx.Response(200, headers={"Content-Type": "application/fhir+json"}, content=json.dumps(body).encode())


def kind_of(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return WAYS[0]
    return WAYS[2] if said["status"] == "busy-tentative" else WAYS[1] if said["identifier"] != [{"value": "2"}] else ""


def test_an_answer_is_no_json_anothers_or_has_another_profiles_status() -> None:
    seen = set()
    for seed in range(12):
        wrongly = Wrongly(Weather(Random(seed), wrong=1.0))
        wrongly.answer(ASKED, response("1"))
        seen.add(kind_of(wrongly.answer(ASKED, response("2"))))
    assert seen == set(WAYS)


def test_where_nothing_was_asked_before_nothing_of_anothers_can_be_said() -> None:
    answers = [Wrongly(Weather(Random(seed), wrong=1.0)).answer(ASKED, response("2")) for seed in range(8)]
    assert {kind_of(a) for a in answers} == {WAYS[0], WAYS[2]}


def test_a_refusal_and_an_answer_in_calm_weather_stay_as_they_are() -> None:
    wrongly = Wrongly(Weather(Random(1), wrong=1.0))
    refused = httpx.Response(422, content=b"{}")
    assert wrongly.answer(ASKED, refused) is refused
    calm, right = Wrongly(Weather(Random(1), wrong=1.0, calm=True)), response("1")
    assert calm.answer(ASKED, right) is right
    assert calm.said == 0


def test_a_final_nobody_asked_for_names_a_claim_nobody_sent() -> None:
    identifier = {"system": "https://carepod.example/id/claim", "value": "au-1"}
    body = json.dumps({"identifier": identifier, "patient": {"value": "au-1"}}).encode()
    [told] = Wrongly(Weather(Random(1), wrong=1.0)).unsolicited(NOTIFIED, body)
    assert json.loads(told) == {"identifier": {**identifier, "value": "unknown-au-1"}, "patient": {"value": "au-1"}}
    assert list(Wrongly(Weather(Random(1), wrong=1.0)).unsolicited(ASKED, body)) == []

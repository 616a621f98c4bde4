"""Searches over HTTP: what is declared is found, what is not is said, and nobody counts what he may not see."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.fhir.json import decode
from shared.fhir.profiles import r4
from shared.web import search as searching
from tests.shared.web.stack import Carepod, Client, referral, renamed

pytestmark = pytest.mark.slow


async def searched(client: Client, query: str, **headers: str) -> dict[str, Any]:
    response = await client.get(f"/fhir/{query}", **headers)
    assert response.status_code == 200, response.text
    bundle = decode(response.content)
    assert r4().check(bundle) == []
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    return bundle


def matched(bundle: dict[str, Any]) -> list[str]:
    return [e["resource"]["id"] for e in bundle.get("entry", ()) if e["search"]["mode"] == "match"]


@pytest.fixture
async def patient(client: Client) -> str:
    """The patient of one referral."""
    response = await client.push(referral())
    location: str = response.json()["entry"][0]["response"]["location"]
    return location.partition("/fhir/Patient/")[2].partition("/")[0]


async def test_a_searchset_says_how_many_where_each_is_and_what_was_asked(client: Client, patient: str) -> None:
    bundle = await searched(client, f"Observation?patient={patient}")
    assert bundle["total"] == len(matched(bundle)) == 4
    assert bundle["link"] == [{"relation": "self", "url": f"http://carepod.test/fhir/Observation?patient={patient}"}]
    for entry in bundle["entry"]:
        assert entry["fullUrl"] == f"http://carepod.test/fhir/Observation/{entry['resource']['id']}"


async def test_every_declared_form_of_a_parameter_finds(client: Client, patient: str) -> None:
    sent = next(e["resource"] for e in referral()["entry"] if e["resource"]["resourceType"] == "Task")
    placer = sent["identifier"][0]
    for query in (
        f"patient=Patient/{patient}",
        f"identifier={placer['value']}",
        f"identifier={placer['system']}|{placer['value']}",
    ):
        assert len(matched(await searched(client, f"Task?{query}"))) >= 1, query
    assert matched(await searched(client, "Task?identifier=unknown")) == []
    assert matched(await searched(client, f"Patient?_id={patient}")) == [patient]
    assert matched(await searched(client, f"Observation?_id={patient}")) == []


async def test_parameters_are_and_and_commas_are_or(client: Client, patient: str) -> None:
    codes = [e["resource"]["code"]["coding"][0]["code"] for e in (await searched(client, "Observation"))["entry"]]
    one = await searched(client, f"Observation?patient={patient}&code={codes[0]}")
    two = await searched(client, f"Observation?patient={patient}&code={codes[0]},{codes[1]}")
    none = await searched(client, f"Observation?code={codes[0]}&code={codes[1]}")
    assert [one["total"], two["total"], none["total"]] == [1, 2, 0]
    assert (await searched(client, f"Observation?code={codes[0]}\\,{codes[1]}"))["total"] == 0


async def test_an_unknown_parameter_is_left_aside_and_said_or_refused_where_strict(
    client: Client, patient: str
) -> None:
    bundle = await searched(client, f"Observation?patient={patient}&colour=blue&_sort=colour")
    assert bundle["total"] == 4
    assert bundle["link"][0]["url"].endswith(f"Observation?patient={patient}")
    warning = bundle["entry"][-1]
    assert (warning["search"]["mode"], warning["resource"]["issue"][0]["severity"]) == ("outcome", "warning")
    strict = await client.get("/fhir/Observation?colour=blue", Prefer="handling=strict")
    assert strict.status_code == 400
    assert strict.json()["issue"][0]["code"] == "not-supported"
    assert "blue" not in strict.text
    assert (await client.get(f"/fhir/Observation?patient={patient}", Prefer="handling=strict")).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "patient:missing=perhaps",
        "patient:exact=x",
        "patient.name=x",
        "code:not=718-7",
        "_has:Task:focus:code=x",
        "_id:exact=a",
    ],
)
async def test_what_would_change_the_meaning_is_refused_even_where_lenient(client: Client, query: str) -> None:
    assert (await client.get(f"/fhir/Observation?{query}")).status_code == 400


@pytest.mark.parametrize("date", ["ge2026-13-01", "ap2026-11-21", "xx2026-11-21", "yesterday", "2026-02-30", "ge"])
async def test_a_date_that_is_none_is_refused_rather_than_found_nowhere(client: Client, date: str) -> None:
    response = await client.get(f"/fhir/Appointment?date={date}")
    assert (response.status_code, response.json()["issue"][0]["code"]) == (400, "value")
    assert (await client.get("/fhir/Appointment?date=ge2026-11-21")).status_code == 200


@pytest.mark.parametrize(("count", "entries"), [("0", 0), ("1", 1), ("3", 3), ("4", 4), ("99999999999999999999999", 4)])
async def test_count_cuts_the_entries_and_never_the_total(
    client: Client, patient: str, count: str, entries: int
) -> None:
    bundle = await searched(client, f"Observation?_count={count}")
    assert (bundle["total"], len(matched(bundle))) == (4, entries)


@pytest.mark.parametrize("count", ["-1", "many", "1.5", "²", "0x1", "+1"])
async def test_a_count_that_is_no_number_is_refused(client: Client, count: str) -> None:
    response = await client.get(f"/fhir/Observation?_count={count}")
    assert (response.status_code, response.json()["issue"][0]["code"]) == (400, "value")


@pytest.mark.parametrize("value", ["' OR 1=1 --", "%25", "_", ".*", "a|b|c", "||", ",", ",,", "\\", "🙂", "%F0%9F"])
async def test_values_are_only_ever_compared(client: Client, patient: str, value: str) -> None:
    for name in ("identifier", "_id"):
        response = await client.get(f"/fhir/Patient?{name}={value}")
        assert response.status_code == 200, value
        assert response.json()["total"] == 0


@pytest.mark.parametrize("value", ["%00", "a%00b", "%0d%0a", "a" * 1001, "%7f"])
async def test_values_that_can_be_none_are_refused(client: Client, value: str) -> None:
    response = await client.get(f"/fhir/Patient?identifier={value}")
    assert (response.status_code, response.json()["issue"][0]["code"]) == (400, "value")


async def test_what_another_client_has_sent_is_neither_found_nor_counted(
    client: Client, carepod: Carepod, patient: str
) -> None:
    other = carepod.client("other-ehr")
    for query in ("Observation", f"Observation?patient={patient}", f"Patient?_id={patient}", "Practitioner", "Task"):
        assert (await searched(other, query))["total"] == 0
    await other.push(renamed(referral(), "-other"))
    assert (await searched(other, "Observation"))["total"] == 4
    assert (await searched(client, "Observation"))["total"] == 4
    assert (await searched(carepod.client("office"), "Observation"))["total"] == 8


async def test_the_filter_comes_before_the_count(client: Client, carepod: Carepod, patient: str) -> None:
    for n in range(3):
        await carepod.client("other-ehr").push(renamed(referral(), f"-{n}"))
    bundle = await searched(client, "Observation?_count=2")
    assert (bundle["total"], len(matched(bundle))) == (4, 2)


async def test_a_search_that_finds_too_much_to_filter_has_to_say_more(
    client: Client, carepod: Carepod, patient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "SCANNED", 3)
    response = await client.get("/fhir/Observation")
    assert (response.status_code, response.json()["issue"][0]["code"]) == (400, "too-costly")
    assert (await client.get("/fhir/Patient")).status_code == 200
    assert (await carepod.client("office").get("/fhir/Observation")).status_code == 200


async def test_newest_first_where_that_is_asked(client: Client, carepod: Carepod) -> None:
    for n in range(3):
        await client.push(renamed(referral(), f"-{n}"))
        await asyncio.sleep(0)
    entries = (await searched(client, "Patient?_sort=-_lastUpdated"))["entry"]
    updated = [e["resource"]["meta"]["lastUpdated"] for e in entries]
    assert updated == sorted(updated, reverse=True)
    assert len(entries) == 3

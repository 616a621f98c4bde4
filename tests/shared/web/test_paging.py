"""Pages: linked by signed cursors, each match on exactly one of them, whatever is written meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shared.web.stack import Carepod, Client, observation, pushed, referral, renamed

pytestmark = pytest.mark.slow


@pytest.fixture
async def patient(client: Client) -> str:
    """A patient with eleven results."""
    found = (await pushed(client))["Patient"]
    for n in range(7):
        await client.send("POST", "/fhir/Observation", observation(found, f"{n}.5", f"obs-{n}"))
    return found


def linked(bundle: dict[str, Any], relation: str = "next") -> str | None:
    url = next((link["url"] for link in bundle["link"] if link["relation"] == relation), None)
    return url.removeprefix("http://carepod.test") if url else None


async def page(client: Client, path: str) -> tuple[list[str], dict[str, Any]]:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    return [e["resource"]["id"] for e in response.json().get("entry", ())], response.json()


async def pages(client: Client, path: str) -> list[list[str]]:
    found = []
    following: str | None = path
    while following:
        ids, bundle = await page(client, following)
        found.append(ids)
        following = linked(bundle)
    return found


@pytest.mark.parametrize(
    "sort", ["", "&_sort=_lastUpdated", "&_sort=-_lastUpdated", "&_sort=code,-date", "&_sort=-_id"]
)
@pytest.mark.parametrize(("count", "sizes"), [(4, [4, 4, 3]), (11, [11]), (10, [10, 1]), (1, [1] * 11)])
async def test_each_match_is_on_one_page(client: Client, patient: str, sort: str, count: int, sizes: list[int]) -> None:
    found = await pages(client, f"/fhir/Observation?patient={patient}&_count={count}{sort}")
    assert [len(p) for p in found] == sizes
    assert len({i for p in found for i in p}) == 11
    whole, bundle = await page(client, f"/fhir/Observation?patient={patient}{sort}")
    assert [i for p in found for i in p] == whole
    assert (bundle["total"], linked(bundle)) == (11, None)


@pytest.mark.parametrize("sort", ["", "&_sort=_lastUpdated", "&_sort=-_lastUpdated", "&_sort=status"])
async def test_what_is_written_between_two_pages_makes_no_match_come_twice_and_none_be_left_out(
    client: Client, patient: str, sort: str
) -> None:
    path = f"/fhir/Observation?patient={patient}&_count=3{sort}"
    before, _ = await page(client, f"/fhir/Observation?patient={patient}")
    seen, bundle = await page(client, path)
    turn = 0
    while following := linked(bundle):
        turn += 1
        for number in (0, 3, 6):
            body = observation(patient, f"{turn}.75", f"obs-{number}")
            await client.send("POST", "/fhir/Observation", body.replace(b"final", b"amended"))
        await client.send("POST", "/fhir/Observation", observation(patient, "1.0", f"new-{turn}"))
        more, bundle = await page(client, following)
        seen += more
    assert len(seen) == len(set(seen))
    assert set(before) <= set(seen)


async def test_a_page_says_what_was_asked_and_how_many_there_are(client: Client, patient: str) -> None:
    _, first = await page(client, f"/fhir/Observation?patient={patient}&_count=4&_sort=-_lastUpdated")
    _, second = await page(client, linked(first) or "")
    assert linked(second, "self") == linked(first, "self")
    assert (first["total"], second["total"]) == (11, 11)
    assert "Observation" not in (linked(first) or "").partition("_cursor=")[2]


async def test_a_cursor_is_for_its_client_its_search_and_whole(client: Client, carepod: Carepod, patient: str) -> None:
    _, first = await page(client, f"/fhir/Observation?patient={patient}&_count=4")
    following = linked(first) or ""
    path, _, cursor = following.partition("_cursor=")
    wrong = [
        path + "_cursor=" + cursor[:-1] + ("A" if cursor[-1] != "A" else "B"),
        path + "_cursor=" + cursor[:10],
        path + "_cursor=x",
        path + "_cursor=%F0%9F",
        path.replace("_count=4", "_count=5") + "_cursor=" + cursor,
        path.replace(f"patient={patient.partition('/')[0]}", "patient=x") + "_cursor=" + cursor,
        f"/fhir/Task?_cursor={cursor}",
    ]
    for address in wrong:
        response = await client.get(address)
        assert response.status_code == 400, address
        assert response.json()["resourceType"] == "OperationOutcome"
    for name in ("other-ehr", "office"):
        assert (await carepod.client(name).get(following)).status_code == 400
    assert (await client.get(following)).status_code == 200


async def test_a_cursor_names_no_value_and_outlives_the_record_it_stands_on(client: Client, patient: str) -> None:
    path = f"/fhir/Observation?patient={patient}&status=final&_count=5&_sort=-_lastUpdated"
    shown, bundle = await page(client, path)
    body = observation(patient, "6.5", "obs-2").replace(b"final", b"amended")
    await client.send("POST", "/fhir/Observation", body)
    for gone in shown:
        await client.send("DELETE", f"/fhir/Observation/{gone}")
    rest, _ = await page(client, linked(bundle) or "")
    assert not set(rest) & set(shown)
    assert len(rest) >= 5


async def test_for_who_sees_all_the_pages_are_whole_past_what_is_looked_through(
    client: Client, carepod: Carepod, patient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.web import search

    monkeypatch.setattr(search, "SCANNED", 5)
    await pushed(carepod.client("other-ehr"), renamed(referral(), "-other"))
    office = carepod.client("office")
    found = await pages(office, "/fhir/Observation?_count=4")
    assert [len(p) for p in found] == [4, 4, 4, 3]
    assert len({i for p in found for i in p}) == 15
    assert (await office.get("/fhir/Observation?_count=4")).json()["total"] == 15
    assert (await client.get("/fhir/Observation")).status_code == 400
    assert (await office.get("/fhir/Observation?_sort=date")).status_code == 400


async def test_only_a_count_is_answered_where_only_that_is_asked(client: Client, patient: str) -> None:
    for query in ("_summary=count", "_count=0"):
        bundle = (await client.get(f"/fhir/Observation?patient={patient}&{query}")).json()
        assert bundle["total"] == 11
        assert "entry" not in bundle
        assert linked(bundle) is None


async def test_a_search_by_form_is_the_same_search(client: Client, carepod: Carepod, patient: str) -> None:
    form = "application/x-www-form-urlencoded"
    body = f"patient={patient.replace('/', '%2F')}&_count=4".encode()
    posted = await client.send("POST", "/fhir/Observation/_search?status=final", body, Content_Type=form)
    assert posted.status_code == 200, posted.text
    asked = await client.get(f"/fhir/Observation?status=final&patient={patient}&_count=4")
    assert posted.json()["entry"] == asked.json()["entry"]
    following = linked(posted.json()) or ""
    assert (await client.get(following)).status_code == 200
    assert (await client.send("POST", "/fhir/Observation/_search", b"{}")).status_code == 415
    assert (
        await client.send("POST", "/fhir/Observation/_search", b"a=" + b"b" * 70_000, Content_Type=form)
    ).status_code == 413
    assert (await carepod.client(scopes="system/Observation.r").send(
        "POST", "/fhir/Observation/_search", body, Content_Type=form
    )).status_code == 403  # fmt: skip

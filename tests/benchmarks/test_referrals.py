"""The benchmark's own arithmetic, its generated referrals, and the client that loads the services."""

from __future__ import annotations

import asyncio
import cProfile
import json
import math
import pstats
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from benchmarks.areas import areas
from benchmarks.cases import CLIENT, Template, mrn, patient_id, placer, roomy_site
from benchmarks.load import Answer, Connection, Pool, Tally, burst, percentile, steady
from benchmarks.referrals import TARGETS, Target, missed, rounded, shares
from services.intake.doors import bundles
from shared.fhir.json import decode
from shared.settings import load_site
from shared.store import parsed

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (0.99, 4.0), (1.0, 4.0), (0.25, 1.0), (0.01, 1.0)]
)
def test_a_percentile_is_the_smallest_value_that_the_share_does_not_exceed(share: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == expected


def test_a_percentile_of_nothing_is_no_number() -> None:
    assert math.isnan(percentile([], 0.5))


def test_only_accepted_requests_count_for_rate_and_latency() -> None:
    tally = Tally(2.0, [Answer(201, 0.010), Answer(200, 0.030), Answer(503, 9.0), Answer(0, 9.0), Answer(503, 9.0)])
    assert (tally.accepted, tally.per_second) == (2, 1.0)
    assert tally.latency(0.99) == 30.0
    assert tally.refused == {"0": 1, "503": 2}


@pytest.mark.parametrize(("value", "is_missed"), [(999.9, True), (1000.0, False), (1000.1, False), (None, True)])
def test_a_floor_is_missed_below_it_and_where_nothing_was_measured(value: float | None, is_missed: bool) -> None:
    assert Target("burst", at_least=1000).missed(value) is is_missed


@pytest.mark.parametrize(("value", "is_missed"), [(59.9, False), (60.0, False), (60.1, True), (math.nan, True)])
def test_a_ceiling_is_missed_above_it_and_by_what_is_no_number(value: float, is_missed: bool) -> None:
    assert Target("p99", at_most=60).missed(value) is is_missed


def test_every_missed_target_is_named_with_what_was_wanted() -> None:
    report = {"burst": {"accepted_per_second": 12.5}, "half_rate": {"p99_ms": 60.0}, "journeys": {"per_second": 100}}
    lines = missed(report)
    assert "burst.accepted_per_second: 12.5, >= 1000 (80 times off)" in lines
    assert "end_to_end.p50_seconds: not measured, <= 0.3" in lines
    assert len(lines) == len(TARGETS) - 2


def test_shares_are_parts_of_what_the_engines_allow() -> None:
    report = {
        "limits": {"transactions_per_second": 4000.0, "publishes_per_second": 10000.0},
        "burst": {"accepted_per_second": 1000.0},
        "journeys": {"transactions_per_second": 2000.0, "messages_per_second": 500.0},
    }
    assert shares(report) == {
        "accepted_of_transactions": 0.25,
        "journeys_of_transactions": 0.5,
        "journeys_of_publishes": 0.05,
    }


def test_a_missed_ceiling_says_how_many_times_it_is_exceeded() -> None:
    assert "half_rate.p99_ms: 600, <= 60 (10 times off)" in missed({"half_rate": {"p99_ms": 600.0}})


def test_time_is_said_of_the_part_of_the_product_that_takes_it_or_calls_what_does() -> None:
    profile = cProfile.Profile()
    profile.enable()
    parsed(json.dumps({"resourceType": "Patient", "name": [{"text": "x" * 1000}]}))
    profile.disable()
    found = areas(pstats.Stats(profile))
    assert math.isclose(sum(found.values()), 1.0)
    assert found["validation and JSON gate"] > found["store"] > 0


def test_a_report_is_json_even_where_nothing_was_accepted() -> None:
    found = rounded({"p99_ms": math.nan, "rate": 1234.5678, "count": 123456, "missed": ["x"]})
    assert found == {"p99_ms": None, "rate": 1235.0, "count": 123456, "missed": ["x"]}
    json.dumps(found, allow_nan=False)


def test_generated_referrals_differ_in_their_identifiers_and_in_nothing_else() -> None:
    template = Template(TODAY)
    one, two = template.referral(7).decode(), template.referral(8).decode()
    assert one != two
    marks = re.compile(r"(?<!urn:uuid:)\b([A-Z0-9-]*?)00000[78]\"")
    assert marks.sub("#", one) == marks.sub("#", two)
    assert f'"{placer(7)}"' in one
    assert f'"{mrn(7)}"' in one
    assert f'"{mrn(7)}"' not in two


def test_each_generated_referral_is_a_patient_of_its_own_under_the_id_we_derive() -> None:
    template = Template(TODAY)
    resolved = [bundles.resolved(decode(template.referral(n)), CLIENT) for n in range(3)]
    arrivals = [a for a in resolved if isinstance(a, bundles.Arrival)]
    assert [a.lane for a in arrivals] == [f"patient/{patient_id(n)}" for n in range(3)]
    records = [{r["id"] for r in a.resources} for a in arrivals]
    assert not records[0] & records[1]


def test_a_generated_referral_names_the_site_it_is_for(tmp_path: Path) -> None:
    sites = roomy_site(tmp_path / "site.yaml", 3, chairs=2, nurses=1)
    site = load_site(tmp_path / "site.yaml", partners_url="http://p.example", base_url="http://b.example")
    assert tuple(s.id for s in site.sites) == sites
    assert {s.chairs for s in site.sites} == {2}
    body = Template(TODAY).referral(1, sites[2]).decode()
    assert f'"value":"{sites[2]}"' in body
    assert '"riverside"' not in body


def test_a_practice_may_be_written_without_a_draft(tmp_path: Path) -> None:
    roomy_site(tmp_path / "site.yaml", 1, without_drafts=["auth/practice"], changes={"auto_confirm": []})
    site = load_site(tmp_path / "site.yaml", partners_url="http://p.example", base_url="http://b.example")
    assert not site.has_adopted("auth/practice")
    assert site.has_adopted("scheduling/capacity")
    assert site.auto_confirm == frozenset()


async def test_a_burst_sends_one_after_another_on_each_connection_until_the_time_is_over() -> None:
    numbers: list[int] = []

    async def send(number: int) -> Answer:
        numbers.append(number)
        await asyncio.sleep(0.001)
        return Answer(201, 0.001)

    tally = await burst(send, 0.02, at_once=3)
    assert sorted(numbers) == list(range(len(numbers)))
    assert tally.accepted == len(numbers) >= 3
    assert tally.seconds >= 0.02


async def test_a_steady_rate_counts_a_late_answer_from_when_its_request_was_due() -> None:
    async def send(number: int) -> Answer:
        return Answer(201, 0.5)

    tally = await steady(send, 1000, 0.01)
    assert len(tally.answers) == 10
    assert all(a.seconds >= 0.5 for a in tally.answers)


async def test_a_connection_reads_each_answer_to_its_end_and_opens_anew_when_it_breaks() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(re.findall(rb"Content-Length: (\d+)", head)[0])
            body = await reader.readexactly(length)
            if body == b"break":
                break
            writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    server, url = await _served(serve)
    async with server:
        connection = Connection(url, "token")
        assert await connection.post(b"one") == (201, b"one")
        assert await connection.post(b"longer") == (201, b"longer")
        assert await connection.post(b"break") == (0, b"")
        assert await connection.post(b"again") == (201, b"again")
        connection.close()


async def test_a_pool_sends_the_body_of_each_number_with_the_token_that_is_valid_then() -> None:
    tokens, sent = iter(("first", "second")), list[bytes]()

    async def token() -> str:
        return next(tokens)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            sent.append(head := await reader.readuntil(b"\r\n\r\n"))
            body = await reader.readexactly(int(re.findall(rb"Content-Length: (\d+)", head)[0]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    server, url = await _served(serve)
    async with server:
        pool = Pool(url, token, lambda n: f"body {n}".encode(), size=1)
        answer = await pool.send(5)
        assert (await pool.send(6)).body == b"body 6"
        pool.close()
    assert [re.findall(rb"Bearer (\w+)", head) for head in sent] == [[b"first"], [b"second"]]
    assert (answer.status, answer.body) == (200, b"body 5")
    assert answer.seconds > 0


async def _served(serve: Callable[..., object]) -> tuple[asyncio.Server, str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)  # type: ignore[arg-type]
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/fhir"

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shared.core import Decision
from shared.messages import (
    LARGE,
    LIMIT,
    Cause,
    causes_json,
    causes_of,
    merged,
    new_trace,
    outgoing,
    partition_of,
    routing_keys,
    written,
)
from shared.store import text_of

AT = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
CLAIM = {"resourceType": "Claim", "id": "be-1", "meta": {"versionId": "1-2"}, "total": Decimal("1.10")}


def row(text: str) -> tuple[str, str, str, str, str]:
    bundle = written("beta", "m1", Decision("noted"), [{**CLAIM, "text": text}], AT)
    return "m1", "noted", '["Claim.p0"]', "{}", text_of(bundle)


def test_a_decision_is_a_message_bundle_with_its_header_first_and_its_focus_named() -> None:
    bundle = written("beta", "m1", Decision("noted"), [CLAIM], AT)
    header, claim = (e["resource"] for e in bundle["entry"])
    assert (bundle["type"], bundle["timestamp"]) == ("message", "2026-03-02T14:00:00.000000Z")
    assert header["eventUri"].endswith("message/noted")
    assert header["focus"] == [{"reference": "Claim/be-1"}]
    assert claim == CLAIM


def test_the_focus_routes_and_every_other_type_is_copied_to_once() -> None:
    assert routing_keys("Task", ["Claim", "Task", "Claim"], 3) == ("Task.p3", "Claim.p3")


@pytest.mark.parametrize(("lane", "partition"), [("patient/1", 2), ("patient/2", 8), ("site/one/2026-01-01", 4)])
def test_a_lane_has_the_same_partition_in_every_process_and_release(lane: str, partition: int) -> None:
    assert partition_of(lane, 16) == partition


def test_of_each_producer_the_later_cause_counts() -> None:
    old, new = Cause(1, {"beta": "a"}), Cause(2, {"beta": "a", "gamma": "b"})
    assert merged({"x": old, "y": new}, {"x": new, "y": old, "z": old}) == {"x": new, "y": new, "z": old}


def test_causes_come_back_as_they_were_written() -> None:
    causes = {"alpha": Cause(7, {"beta": "m1", "gamma": "m2"}), "delta": Cause(1, {})}
    assert causes_of(causes_json(causes)) == causes
    assert causes_of("") == {}


@pytest.mark.parametrize("spare", [0, 1], ids=["at the limit", "one byte above it"])
def test_a_message_travels_whole_up_to_the_limit(spare: int) -> None:
    room = LIMIT - len(row("")[4].encode())
    message = outgoing(row("x" * (room + spare)))
    assert (LARGE in message.headers) == bool(spare)
    assert (len(message.body) < LIMIT) == bool(spare)


def test_decimals_keep_their_digits_on_the_way() -> None:
    assert b'"total":1.10' in outgoing(row("")).body


def test_a_trace_is_a_traceparent_and_the_same_for_the_same_beginning() -> None:
    version, trace, span, flags = new_trace("one").split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert new_trace("one") == new_trace("one") != new_trace("two")

"""Which of two versions of a record stands: by the named version, the source's date, and arrival."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.doors.bundles import as_received
from services.intake.versions import laid_over, source_updated
from shared.core import Resource

NOON = "2026-11-20T12:00:00+00:00"
ONE = "2026-11-20T13:00:00+00:00"


def version(status: str, at: str | None = None) -> Resource:
    return as_received({"resourceType": "ServiceRequest", "status": status}, "in-1", at)


def test_a_version_whose_predecessor_was_named_stands_however_it_is_dated() -> None:
    assert laid_over(version("active", ONE), version("on-hold", NOON), matched=True)["status"] == "on-hold"
    assert laid_over(version("active", ONE), version("on-hold", NOON))["status"] == "active"


@pytest.mark.parametrize("kind", ["MedicationDispense", "SupplyDelivery"])
@pytest.mark.parametrize(
    ("late", "at", "stands"),
    [
        ("in-progress", None, "completed"),
        ("in-progress", NOON, "completed"),
        ("in-progress", ONE, "in-progress"),
        ("entered-in-error", None, "entered-in-error"),
        ("completed", None, "completed"),
    ],
)
def test_what_was_delivered_is_no_promise_again_unless_its_source_says_so_later(
    kind: str, late: str, at: str | None, stands: str
) -> None:
    done, again = ({**version(*v), "resourceType": kind} for v in (("completed", NOON), (late, at)))
    assert laid_over(done, again)["status"] == stands
    assert laid_over(done, again, matched=True)["status"] == late


def test_a_named_version_is_as_new_as_the_one_it_follows() -> None:
    named = laid_over(version("active", ONE), version("on-hold", NOON), matched=True)
    assert laid_over(named, version("active", ONE))["status"] == "on-hold"
    assert laid_over(named, version("active", "2026-11-20T13:00:01+00:00"))["status"] == "active"


def test_a_version_without_a_date_follows_what_it_finds() -> None:
    undated = laid_over(version("active", ONE), version("on-hold"))
    assert (undated["status"], source_updated(undated)) == ("on-hold", source_updated(version("x", ONE)))
    assert laid_over(undated, version("active", NOON)) is undated


def test_what_was_read_here_and_written_back_has_no_date_of_a_source() -> None:
    stored = {
        **version("active", ONE),
        "meta": {**version("active", ONE)["meta"], "lastUpdated": "2026-11-20T14:00:00Z"},
    }
    read_back = version("active", "2026-11-20T14:00:00Z")
    assert laid_over(stored, read_back) is stored
    changed = laid_over(stored, version("on-hold", "2026-11-20T14:00:00Z"))
    assert (changed["status"], source_updated(changed)) == ("on-hold", source_updated(stored))


def test_a_mark_that_a_record_was_deleted_is_news_though_it_says_the_same() -> None:
    deleted: dict[str, Any] = {"meta": {"tag": [{"code": "nullified"}]}}
    received = as_received({"resourceType": "ServiceRequest", "status": "entered-in-error", **deleted}, "in-1")
    assert laid_over(version("entered-in-error"), received) == received


@given(st.lists(st.tuples(st.sampled_from(["active", "on-hold", "revoked"]), st.integers(0, 3)), min_size=1), st.data())
def test_versions_end_alike_in_any_order_and_number_but_for_those_of_one_date(
    said: list[tuple[str, int]], data: st.DataObject
) -> None:
    arrived = data.draw(st.permutations(said + data.draw(st.lists(st.sampled_from(said), max_size=5))))
    latest = max(day for _, day in said)
    once = dict.fromkeys(status for status, day in arrived if day == latest)
    stands: Resource | None = None
    for status, day in arrived:
        stands = laid_over(stands, version(status, f"2026-11-2{day}T12:00:00+00:00"))
    assert stands is not None
    assert stands["status"] == list(once)[-1]

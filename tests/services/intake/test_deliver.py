"""The placer is told what changed, once, as it now stands; a refusal is an answer, silence is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from services.intake.deliver import deliver_referral, due, placer
from shared.core import TryLater
from shared.fhir.json import decode
from shared.settings import Site


class Outside:
    """A partner that answers as told, and remembers what it got."""

    def __init__(self, site: Site, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.site, self.requests = site, list[httpx.Request]()
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(lambda r: self.requests.append(r) or answer(r)))

    async def token(self, partner: str) -> str:
        return f"token-of-{partner}"


class Reader:
    """Reads what a desk holds."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk

    async def read(self, resource_id: str) -> Any:
        return next((r for r in self.desk.held.values() if r["id"] == resource_id), None)


def answering(status: int, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, headers=headers)


def stored(task: Any, version: str) -> Any:
    return {**task, "meta": {"versionId": version}}


async def test_the_task_is_put_to_the_placers_own_system(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    outside = Outside(desk.policy.site, answering(200))
    answer = await deliver_referral(desk.referral, Reader(desk), outside)
    assert answer.reason == "placer-told"
    request = outside.requests[0]
    assert (request.method, str(request.url)) == (
        "PUT",
        f"http://partners.test/ehr/mercy/Task/{desk.referral['id']}",
    )
    assert request.headers["Authorization"] == "Bearer token-of-ehr-mercy"
    assert request.headers["Content-Type"] == "application/fhir+json"
    assert decode(request.content) == desk.referral


async def test_a_late_attempt_tells_what_is_true_now(desk: Any, example: Any, edited: Any) -> None:
    desk.push(edited(example("iron-meets-criteria"), {"drop": ["Coverage"]}))
    then = desk.referral
    desk.push(example("iron-meets-criteria"))
    outside = Outside(desk.policy.site, answering(200))
    await deliver_referral(then, Reader(desk), outside)
    assert decode(outside.requests[0].content)["status"] == "accepted"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 412, 422])
async def test_a_refusal_is_an_answer(status: int, desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    answer = await deliver_referral(desk.referral, Reader(desk), Outside(desk.policy.site, answering(status)))
    assert answer.reason == "placer-refused"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_a_busy_or_broken_system_is_tried_later(status: int, desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    outside = Outside(desk.policy.site, answering(status, **{"Retry-After": "7"}))
    with pytest.raises(TryLater) as later:
        await deliver_referral(desk.referral, Reader(desk), outside)
    assert later.value.after_seconds == 7


async def test_a_system_out_of_reach_is_tried_later(desk: Any, example: Any) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    desk.push(example("incomplete"))
    with pytest.raises(TryLater):
        await deliver_referral(desk.referral, Reader(desk), Outside(desk.policy.site, broken))


def test_only_what_the_placer_reads_is_told(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    told, task = due(desk.policy.site), desk.referral
    assert told(None, stored(task, "1-1")) == "1-1"
    assert told(stored(task, "1-1"), stored(task, "1-2")) is None
    assert told(stored(task, "1-1"), stored(task | {"priority": "urgent"}, "1-2")) is None
    for element in ("status", "businessStatus", "statusReason", "output"):
        assert told(stored(task, "1-1"), stored(task | {element: "new"}, "1-2")) == "1-2"


def test_what_changes_back_is_told_again(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    told, task = due(desk.policy.site), desk.referral
    other = task | {"status": "cancelled"}
    occurrences = [told(stored(task, "1-1"), stored(other, "1-2")), told(stored(other, "1-2"), stored(task, "1-3"))]
    assert len(set(occurrences)) == 2


def test_other_records_and_unknown_placers_are_not_told(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    told = due(desk.policy.site)
    assert told(None, stored(desk.order, "1-1")) is None
    assert told(None, stored(desk.task("intake-question"), "1-1")) is None
    nobody = replace(desk.policy.site, referrers={})
    assert due(nobody)(None, stored(desk.referral, "1-1")) is None


def test_the_channel_may_send_again(desk: Any) -> None:
    channel = placer(desk.policy.site)
    assert (channel.name, channel.doubt, channel.inquire) == ("placer", "idempotent", None)

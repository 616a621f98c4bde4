"""An answer goes by its way once, as the referral now stands; a refusal is an answer, silence is not."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.intake.answers.telling import answer_id
from services.intake.codes import KNOWN_AS
from services.intake.deliver import channels, deliver_answer, due
from shared.answering import WAYS, Way
from shared.core import Channel, Resource, TryLater, reference
from shared.fhir.json import decode
from shared.settings import Site
from tests.services.intake.conftest import Desk


class Outside:
    """A partner that answers as told, and remembers what it got."""

    def __init__(self, site: Site, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.site, self.requests = site, list[httpx.Request]()

        def kept(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return answer(request)

        self.http = httpx.AsyncClient(transport=httpx.MockTransport(kept))

    async def token(self, partner: str) -> str:
        return f"token-of-{partner}"

    def now(self) -> datetime:
        return datetime(2026, 11, 21, 15, tzinfo=UTC)


class Reader:
    """Reads what a desk holds, with the version and time the run loop gives."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk

    async def read(self, resource_id: str) -> Any:
        return next((r for r in await self.of_lane("") if r["id"] == resource_id), None)

    async def of_lane(self, lane: str, *types: str) -> list[Any]:
        meta = {"versionId": "1-1", "lastUpdated": "2026-11-21T15:00:00.000000Z"}
        return [{**r, "meta": r.get("meta", {}) | meta} for r in self.desk.held.values()]


def answering(status: int, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, headers=headers)


def told_by(desk: Any, by: str, partner: str) -> Desk:
    referrer = replace(desk.policy.site.referrers["mercy-ehr"], answers=(Way(by, partner),))
    site = replace(desk.policy.site, referrers={**desk.policy.site.referrers, "mercy-ehr": referrer})
    return Desk(replace(desk.policy, site=site))


def answer_of(desk: Any) -> Resource:
    found: Resource = desk.held[f"Communication/{answer_id(desk.referral)}"]
    return found


async def delivered(desk: Any, way: str, outside: Any, communication: Any = None) -> Any:
    reader: Any = Reader(desk)
    return await deliver_answer(way, communication or answer_of(desk), reader, outside)


# Task


async def test_the_task_is_put_to_the_placers_own_system(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    outside = Outside(desk.policy.site, answering(200))
    answer = await delivered(desk, "task", outside)
    assert answer.reason == "answer-told"
    assert reference(answer.resources[0]) == reference(answer_of(desk))
    _, request = outside.requests
    assert (request.method, str(request.url)) == ("PUT", f"http://partners.test/ehr/mercy/Task/{desk.referral['id']}")
    assert request.headers["Authorization"] == "Bearer token-of-ehr-mercy"
    assert request.headers["Content-Type"] == "application/fhir+json"
    assert {k: v for k, v in decode(request.content).items() if k != "meta"} == {
        k: v for k, v in desk.referral.items() if k != "meta"
    }


async def test_no_answer_names_the_other_records_of_the_same_person(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    kin = {"url": KNOWN_AS, "valueReference": {"reference": "Patient/in-another-clients"}}
    place = reference(desk.referral)
    desk.held[place] = {**desk.referral, "extension": [*desk.referral["extension"], kin]}
    outside = Outside(desk.policy.site, answering(200))
    assert (await delivered(desk, "task", outside)).reason == "answer-told"
    told = outside.requests[-1].content
    assert b"another-clients" not in told
    assert b"placer-client" in told


async def test_a_late_attempt_tells_what_is_true_now(desk: Any, example: Any, edited: Any) -> None:
    desk.push(edited(example("iron-meets-criteria"), {"drop": ["Coverage"]}))
    then = answer_of(desk)
    desk.push(example("iron-meets-criteria"))
    outside = Outside(desk.policy.site, answering(200))
    answer = await delivered(desk, "task", outside, then)
    assert decode(outside.requests[-1].content)["status"] == "accepted"
    assert answer.resources[0]["identifier"] == answer_of(desk)["identifier"] != then["identifier"]


def holding(held: httpx.Response, put: int = 200) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: held if request.method == "GET" else httpx.Response(put)


HELD = [
    (httpx.Response(200, headers={"ETag": 'W/"4"'}), {"if-match": 'W/"4"'}),
    (httpx.Response(404), {"if-none-match": "*"}),
    (httpx.Response(200), {}),
    (httpx.Response(403), {}),
    (httpx.Response(405), {}),
]


@pytest.mark.parametrize(("held", "condition"), HELD)
async def test_the_task_is_put_over_the_version_that_was_held(
    held: Any, condition: Any, desk: Any, example: Any
) -> None:
    desk.push(example("incomplete"))
    outside = Outside(desk.policy.site, holding(held))
    assert (await delivered(desk, "task", outside)).reason == "answer-told"
    read, put = outside.requests
    assert (read.method, read.url, read.headers["Authorization"]) == ("GET", put.url, put.headers["Authorization"])
    assert {k: v for k, v in put.headers.items() if k in ("if-match", "if-none-match")} == condition


@pytest.mark.parametrize("held", [r for r, condition in HELD if condition])
async def test_a_version_that_was_overtaken_is_told_anew(held: Any, desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    with pytest.raises(TryLater):
        await delivered(desk, "task", Outside(desk.policy.site, holding(held, 412)))


async def test_what_is_held_is_read_before_the_referral(desk: Any, example: Any, edited: Any) -> None:
    desk.push(edited(example("iron-meets-criteria"), {"drop": ["Coverage"]}))

    def changing(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            desk.push(example("iron-meets-criteria"))
        return httpx.Response(200, headers={"ETag": 'W/"1"'})

    outside = Outside(desk.policy.site, changing)
    assert (await delivered(desk, "task", outside)).reason == "answer-left"
    assert [r.method for r in outside.requests] == ["GET"]


class Overtaken(Reader):
    """Reads a desk on which the referral changes right before one of the reads."""

    def __init__(self, desk: Any, at: int, change: Callable[[], object]) -> None:
        super().__init__(desk)
        self._reads, self._at, self._change = 0, at, change

    async def read(self, resource_id: str) -> Any:
        self._reads += 1
        if self._reads == self._at:
            self._change()
        return await super().read(resource_id)


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_change_at_any_moment_of_an_attempt_is_told(at: int, desk: Any, example: Any, edited: Any) -> None:
    desk.push(edited(example("iron-meets-criteria"), {"drop": ["Coverage"]}))
    outside: Any = Outside(desk.policy.site, answering(200))
    reader: Any = Overtaken(desk, at, lambda: desk.push(example("iron-meets-criteria")))
    first = await deliver_answer("task", answer_of(desk), reader, outside)
    desk.take(
        "answer", first.reason, f"patient/{desk.one('Patient')['id']}", first.resources, reference(answer_of(desk))
    )
    await delivered(desk, "task", outside)
    assert decode(outside.requests[-1].content)["status"] == desk.referral["status"] == "accepted"


@pytest.mark.parametrize("changed", [{"status": "completed"}, {"status": "not-done"}, {"medium": []}])
async def test_an_answer_that_went_on_is_not_sent(changed: Any, desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    then = answer_of(desk)
    desk.held[reference(then)] = {**then, **changed}
    outside = Outside(desk.policy.site, answering(200))
    answer = await delivered(desk, "task", outside, then)
    assert (answer.reason, outside.requests) == ("answer-left", [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 412, 422])
async def test_a_refusal_is_an_answer_with_its_reason(status: int, desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    answer = await delivered(desk, "task", Outside(desk.policy.site, answering(status)))
    assert answer.reason == "answer-refused"
    assert answer.resources[1]["issue"][0]["diagnostics"] == f"HTTP {status}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_a_busy_or_broken_system_is_tried_later(status: int, desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    outside = Outside(desk.policy.site, answering(status, **{"Retry-After": "7"}))
    with pytest.raises(TryLater) as later:
        await delivered(desk, "task", outside)
    assert later.value.after_seconds == 7


async def test_a_system_out_of_reach_is_tried_later(desk: Any, example: Any) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    desk.push(example("incomplete"))
    with pytest.raises(TryLater):
        await delivered(desk, "task", Outside(desk.policy.site, broken))


async def test_a_way_the_configuration_names_no_more_is_refused(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    site = replace(desk.policy.site, referrers={})
    assert (await delivered(desk, "task", Outside(site, answering(200)))).reason == "answer-refused"


# Document


async def test_a_document_is_posted_once_with_the_letter_inside(desk: Any, example: Any) -> None:
    filing = told_by(desk, "document", "ehr-cedar")
    filing.push(example("incomplete"))
    outside = Outside(filing.policy.site, answering(201))
    assert (await delivered(filing, "document", outside)).reason == "answer-told"
    await delivered(filing, "document", outside)
    first, second = outside.requests
    assert first.content == second.content
    assert str(first.url) == "http://partners.test/ehr/cedar/DocumentReference"
    document = decode(first.content)
    known = document["masterIdentifier"]
    assert first.headers["If-None-Exist"] == f"identifier={known['system']}|{known['value']}"
    assert document["subject"]["identifier"] == filing.one("Patient")["identifier"][0]
    assert document["context"]["related"][0]["identifier"]["value"] == filing.referral["identifier"][0]["value"]
    content = base64.b64decode(document["content"][0]["attachment"]["data"])
    assert b"What is missing, and what would be right" in content


# Notification


@pytest.mark.parametrize("content", ["id-only", "full-resource"])
async def test_a_notification_follows_its_handshake(content: str, desk: Any, example: Any) -> None:
    notified = told_by(desk, "notification", "ehr-aspen")
    notified.push(example("incomplete"))
    partner = replace(notified.policy.site.partners["ehr-aspen"], content=content)
    site = replace(notified.policy.site, partners={**notified.policy.site.partners, "ehr-aspen": partner})
    outside = Outside(site, answering(200))
    assert (await delivered(notified, "notification", outside)).reason == "answer-told"
    shake, event = (decode(r.content) for r in outside.requests)
    assert {r.headers["Authorization"] for r in outside.requests} == {"Bearer demo-notification-secret-aspen"}
    assert parameters(shake)["type"] == "handshake"
    told = parameters(event)
    assert (told["type"], told["events-since-subscription-start"]) == ("event-notification", "1")
    url = f"http://carepod.test/fhir/Task/{notified.referral['id']}"
    assert event["entry"][1]["fullUrl"] == url
    assert ("resource" in event["entry"][1]) == (content == "full-resource")


async def test_a_handshake_that_is_refused_refuses_the_way(desk: Any, example: Any) -> None:
    notified = told_by(desk, "notification", "ehr-aspen")
    notified.push(example("incomplete"))
    outside = Outside(notified.policy.site, answering(404))
    assert (await delivered(notified, "notification", outside)).reason == "answer-refused"
    assert len(outside.requests) == 1


def parameters(bundle: Any) -> dict[str, Any]:
    listed = bundle["entry"][0]["resource"]["parameter"]
    return {p["name"]: next((v for k, v in p.items() if k.startswith("value")), None) for p in listed}


# File


async def test_a_letter_is_put_into_the_folder_whole_and_twice_is_once(desk: Any, example: Any, tmp_path: Path) -> None:
    faxing, site = into(desk, tmp_path)
    faxing.push(example("incomplete"))
    for _ in range(2):
        assert (await delivered(faxing, "file", Outside(site, answering(500)))).reason == "answer-told"
    assert written(tmp_path) == {f"{answer_of(faxing)['id']}-1.pdf": b"%PDF-"}


async def test_a_folder_that_is_not_there_is_tried_later(desk: Any, example: Any, tmp_path: Path) -> None:
    faxing, site = into(desk, tmp_path / "unmounted")
    faxing.push(example("incomplete"))
    with pytest.raises(TryLater):
        await delivered(faxing, "file", Outside(site, answering(200)))


def written(folder: Path) -> dict[str, bytes]:
    """The beginning of each file of a folder, by name."""
    return {f.name: f.read_bytes()[:5] for f in folder.iterdir()}


def into(desk: Any, folder: Path) -> tuple[Desk, Site]:
    faxing = told_by(desk, "file", "fax-willow")
    partner = replace(faxing.policy.site.partners["fax-willow"], folder=folder)
    return faxing, replace(faxing.policy.site, partners={**faxing.policy.site.partners, "fax-willow": partner})


# Channels


def test_an_answer_starts_once_for_each_change_and_way(desk: Any, example: Any) -> None:
    desk.push(example("incomplete"))
    first, begins = answer_of(desk), due("task")
    assert begins(None, first) == "1"
    assert begins(first, {**first, "note": []}) is None
    assert begins(first, {**first, "status": "completed"}) is None
    assert due("document")(None, first) is None
    assert begins(None, desk.referral) is None
    second = {**first, "identifier": [{**first["identifier"][0], "value": f"{desk.referral['id']}/2"}]}
    assert begins({**first, "status": "completed"}, second) == "2"


def test_only_the_ways_somebody_is_told_by_have_a_channel(site: Site) -> None:
    made: tuple[Channel, ...] = channels(site)
    assert [c.name for c in made] == [f"answer-{way}" for way in WAYS]
    assert {(c.doubt, c.inquire) for c in made} == {("idempotent", None)}
    alone = replace(site, referrers={"mercy-ehr": site.referrers["mercy-ehr"]})
    assert [c.name for c in channels(alone)] == ["answer-task"]

"""Wrong messages again, late, large or unaskable: nothing is lost, asked twice or told of a patient."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import yaml

from shared import refused, store
from shared.borders import PROFILE, checking, stamped, undeclared, version_said
from shared.core import Decision, Event, Resource
from shared.fhir.json import decode_own
from shared.fhir.profiles import carepod
from shared.messages import LARGE, Catalogue, Malformed, opened
from shared.places import public
from shared.ports import Incoming
from shared.settings import ROOT
from tests.shared.world import ORDER, SECRET, Facts, World, heard, noted, questions, rests_on, rows, sent, statuses


async def asked(database: Any) -> list[str]:
    """The status of every version of every question."""
    return [q["status"] for q in await questions(database)]


# Again, late, interleaved


async def test_a_wrong_message_that_comes_again_later_is_not_said_again(asking: World) -> None:
    runner = await asking.runner()
    wrong = asking.message(status="unfit")
    for _ in range(3):
        await runner.receive([wrong])
        asking.clock.move(seconds=5)
    assert await asked(runner.database) == ["requested"]
    assert [reason for reason, _ in await sent(runner.database)] == ["message-refused"]


async def test_a_wrong_message_that_comes_again_after_its_question_closed_does_not_open_it(asking: World) -> None:
    runner = await asking.runner()
    wrong, newer = asking.message(status="unfit"), asking.message()
    for message in (wrong, newer, wrong):
        await runner.receive([message])
        asking.clock.move(seconds=5)
    assert await asked(runner.database) == ["requested", "completed"]
    assert await statuses(runner.database) == {wrong.id: "superseded", newer.id: "done"}


async def test_a_wrong_message_that_comes_late_asks_nobody_when_all_of_it_was_said_anew(asking: World) -> None:
    runner = await asking.runner()
    wrong, newer = asking.message(status="unfit"), asking.message()
    # The newer one does not know of the wrong one, as if that had been of another type.
    await runner.receive([replace(newer, headers={**newer.headers, "previous": "{}"})])
    for _ in range(2):
        await runner.receive([wrong])
    assert await statuses(runner.database) == {wrong.id: "superseded", newer.id: "done"}
    assert await asked(runner.database) == []
    assert await heard(runner.database) == [newer.id]


async def test_wrong_and_right_messages_in_turn_leave_one_question_for_the_last_wrong_one(asking: World) -> None:
    runner = await asking.runner()
    batch = [asking.message(**({"status": "unfit"} if n % 2 else {})) for n in range(4)]
    await runner.receive(batch)
    await runner.receive(batch[::-1])
    told = await statuses(runner.database)
    assert [told[m.id] for m in batch] == ["done", "superseded", "done", "parked"]
    last = {q["id"]: q["status"] for q in await questions(runner.database)}
    assert sorted(last.values()) == ["completed", "requested"]
    assert last[refused.question_id(runner.service, batch[3].id)] == "requested"


async def test_a_wrong_message_waits_for_its_turn_so_that_those_behind_it_keep_theirs(asking: World) -> None:
    runner = await asking.runner()
    first, wrong, third = (asking.message(of=f"al-{n}", **({"status": "unfit"} if n == 1 else {})) for n in range(3))
    await runner.receive([wrong])
    await runner.receive([third])
    assert await heard(runner.database) == []
    await runner.receive([first])
    assert await heard(runner.database) == [first.id, third.id]
    assert (await statuses(runner.database))[wrong.id] == "parked"


async def test_a_parked_message_put_back_that_has_to_wait_closes_its_question_when_it_is_taken(asking: World) -> None:
    runner = await asking.runner()
    cause = asking.message(producer="delta")
    wrong = asking.message(status="unfit")
    await runner.receive([wrong])
    rest = json.dumps({p: [c.seq, dict(c.heard)] for p, c in rests_on(cause).items()})
    async with runner.database.writing() as tx:
        headers = json.dumps({**wrong.headers, "causes": rest})
        sql = "update inbox set status = 'retry', next_at = '', headers = $1, body = replace(body, 'unfit', 'active')"
        await tx.execute(sql, headers)
    await asking.sweeper(runner).messages()
    assert await statuses(runner.database) == {wrong.id: "waiting"}
    await runner.receive([cause])
    assert (await statuses(runner.database))[wrong.id] == "done"
    assert await asked(runner.database) == ["requested", "completed"]


async def test_a_parked_message_put_back_twice_and_still_wrong_is_asked_about_once(asking: World) -> None:
    runner = await asking.runner()
    wrong = asking.message(status="unfit")
    await runner.receive([wrong])
    for _ in range(2):
        asking.clock.move(seconds=60)
        async with runner.database.writing() as tx:
            await tx.execute("update inbox set status = 'retry', next_at = '' where status = 'parked'")
        await asking.sweeper(runner).messages()
    assert await statuses(runner.database) == {wrong.id: "parked"}
    assert await asked(runner.database) == ["requested"]


async def test_a_large_message_that_turns_out_wrong_is_closed_by_a_newer_one(asking: World) -> None:
    runner = await asking.runner()
    wrong, newer = asking.message(status="unfit"), asking.message()
    bundle = decode_own(wrong.body)
    alone = store.text_of({**bundle, "entry": bundle["entry"][:1]}).encode()
    asking.fetchable[wrong.id] = wrong
    await runner.receive([replace(wrong, body=alone, headers={**wrong.headers, LARGE: "yes"})])
    for _ in range(3):
        asking.clock.move(seconds=60)
        await asking.sweeper(runner).messages()
    assert await statuses(runner.database) == {wrong.id: "parked"}
    await runner.receive([newer])
    assert await statuses(runner.database) == {wrong.id: "superseded", newer.id: "done"}
    assert await asked(runner.database) == ["requested", "completed"]


# What cannot be asked


@pytest.mark.parametrize("lane", ["patient/a|b?c", "patient/" + "x" * 150, "site/one/2026-01-01", "patient/"])
async def test_a_wrong_message_of_any_lane_is_parked_and_asked_about(asking: World, lane: str) -> None:
    runner = await asking.runner()
    wrong = asking.message(lane, of="al-1", status="unfit")
    await runner.receive([wrong])
    assert await statuses(runner.database) == {wrong.id: "parked"}
    (question,) = await questions(runner.database)
    assert "for" not in question


@pytest.mark.parametrize("focus", ["Foo/x", "Patient/" + "x" * 65, "Patient/a b", SECRET])
def test_a_question_is_legal_whatever_a_message_says_it_is_about(focus: str, asking: World) -> None:
    service = next(s for s in asking.services() if s.name == "beta")
    bundle = decode_own(asking.message(status="unfit").body)
    bundle["entry"][0]["resource"]["focus"] = [{"reference": focus}]
    letter = _letter(asking, bundle)
    task = refused.question(service, letter, _malformed(letter), asking.clock())
    assert checking(carepod())(stamped(task, refused.PROFILE), PROFILE + refused.PROFILE) == []
    assert "focus" not in task


def test_a_question_names_no_more_than_twenty_orders(asking: World) -> None:
    service = next(s for s in asking.services() if s.name == "beta")
    many = [{"reference": ORDER[:-5] + f"{n:05}"} for n in range(500)]
    letter = _letter(asking, store.parsed(asking.message(status="unfit", basedOn=many).body))
    assert len(refused.question(service, letter, _malformed(letter), asking.clock())["basedOn"]) == 20


def _letter(world: World, bundle: Resource) -> Any:
    message = world.message()
    bundle = {**bundle, "entry": [*bundle["entry"]]}
    header = {**bundle["entry"][0]["resource"], "id": message.id}
    bundle["entry"][0] = {**bundle["entry"][0], "resource": header}
    return opened(replace(message, body=store.text_of(bundle).encode()), Catalogue(world.services()))


def _malformed(letter: Any) -> Any:
    return Malformed("profile", letter)


async def test_a_message_is_parked_although_asking_about_it_fails(asking: World) -> None:
    runner = await asking.runner()
    check = runner.border.check

    def stricter(resource: Resource, profile: str) -> Sequence[Any]:
        if resource["resourceType"] == "Task":
            raise RuntimeError(SECRET)
        return check(resource, profile)

    object.__setattr__(runner.border, "check", stricter)
    wrong, newer = asking.message(status="unfit"), asking.message(of="al-other")
    await runner.receive([wrong])
    await runner.receive([newer])
    assert await statuses(runner.database) == {wrong.id: "parked", newer.id: "done"}


async def test_a_coordinator_that_fails_in_a_lane_does_not_keep_its_messages_from_being_parked(asking: World) -> None:
    def failing(event: Event, facts: Facts) -> Decision:
        raise RuntimeError(SECRET)

    asking.script = failing
    asking.reads = {**asking.reads, refused.KIND: "message-question|1"}
    runner = await asking.runner()
    bad = asking.message()
    await runner.receive([bad])
    for _ in range(8):
        asking.clock.move(seconds=120)
        await asking.sweeper(runner).messages()
    assert await statuses(runner.database) == {bad.id: "parked"}
    assert await asked(runner.database) == ["requested"]


async def test_a_coordinator_that_fails_on_closing_does_not_keep_the_lane_from_going_on(asking: World) -> None:
    def script(event: Event, facts: Facts) -> Decision:
        if event.reason == "message-taken":
            raise RuntimeError(SECRET)
        return noted(event, facts)

    asking.script = script
    asking.reads = {**asking.reads, refused.KIND: "message-question|1"}
    runner = await asking.runner()
    wrong, newer = asking.message(status="unfit"), asking.message()
    await runner.receive([wrong])
    await runner.receive([newer])
    assert await statuses(runner.database) == {wrong.id: "superseded", newer.id: "done"}
    assert await asked(runner.database) == ["requested", "completed"]


async def test_parking_and_asking_is_one_transaction(asking: World, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = await asking.runner()
    wrong = asking.message(status="unfit")

    monkeypatch.setattr(store.Unit, "flush", _killing(store.Unit.flush))
    with pytest.raises(KeyboardInterrupt):
        await runner.receive([wrong])
    monkeypatch.undo()
    assert "parked" not in (await statuses(runner.database)).values()
    asking.clock.move(seconds=10)
    await asking.sweeper(runner).messages()
    assert (await statuses(runner.database), await asked(runner.database)) == (
        {wrong.id: "parked"}, ["requested"],
    )  # fmt: skip


def _killing(flush: Any) -> Any:
    async def killing(unit: Any) -> None:
        await flush(unit)
        if unit.outbox:
            raise KeyboardInterrupt

    return killing


# Versions and claims


@pytest.mark.parametrize(
    ("said", "major"),
    [("1", 1), ("1.", 1), ("01.0", 1), ("1.0.0", 1), ("²", 0), ("", 0), ("-1", 0), ("2.0-beta", 2), ("v2", 0)],
)
def test_the_major_version_is_the_number_before_the_first_dot(said: str, major: int) -> None:
    assert version_said({"resourceType": "Task", "meta": {"profile": [f"{PROFILE}x|{said}"]}}, "x") == major


@pytest.mark.parametrize("said", ["12345.0", "9" * 5000])
def test_a_huge_version_is_a_newer_one(said: str) -> None:
    assert version_said({"resourceType": "Task", "meta": {"profile": [f"{PROFILE}x|{said}"]}}, "x") > 1


def test_a_profile_said_by_an_extension_alone_can_be_saved() -> None:
    said = {"extension": [{"url": "http://x", "valueCode": "y"}]}
    meta = {"profile": [None, "http://other"], "_profile": [said, None]}
    patient = {"resourceType": "Patient", "id": "in-1", "meta": meta}
    assert carepod().check(patient) == []
    saved = stamped(patient, "patient|1.0")
    assert carepod().check(saved) == []
    assert saved["meta"]["profile"] == ["http://other", PROFILE + "patient|1.0"]
    assert undeclared(meta)["profile"] == ["http://other"]


# Patients


@pytest.mark.parametrize(
    "odd",
    [
        {SECRET: 1},
        {f"_{SECRET}": {}},
        {f"value{SECRET}": 1},
        {"contained": [{"resourceType": "Patient", "id": "p", "name": [{SECRET: SECRET}]}]},
        {"extension": [{"url": SECRET, f"value{SECRET}": SECRET}]},
        {"code": {SECRET: {SECRET: 1}}},
        {"status": {SECRET: SECRET}},
    ],
)
async def test_the_name_of_an_unknown_element_is_not_told(asking: World, odd: dict[str, Any]) -> None:
    asking.profiles = {"Claim": "chair-task|1.0", refused.KIND: refused.PROFILE}
    asking.reads = {"ServiceRequest": "filler-order|1", "Task": "chair-task|1"}
    runner = await asking.runner()
    object.__setattr__(runner.border, "check", checking(carepod()))
    await runner.receive([asking.message(status="active", **odd) if "status" not in odd else asking.message(**odd)])
    ((status, problem),) = await rows(runner.database, "select status, problem from inbox")
    assert (status, problem.startswith("profile: ServiceRequest")) == ("parked", True)
    (question,) = await questions(runner.database)
    assert SECRET not in problem + json.dumps(question, default=str)


def test_the_places_of_all_our_examples_are_told_in_full() -> None:
    cases = [c for p in (ROOT / "contracts/examples").glob("*/invalid.yaml") for c in yaml.safe_load(p.read_text())]
    assert len(cases) > 100
    assert [c["expression"] for c in cases if public(c["expression"]) != c["expression"]] == []


async def test_a_message_of_an_unknown_type_is_closed_by_a_newer_one_though_it_brings_what_is_not_read(
    asking: World,
) -> None:
    runner = await asking.runner()
    message = asking.message()
    bundle = decode_own(message.body)
    extra = {**bundle["entry"][1]["resource"], "resourceType": "Coverage", "id": "al-unread"}
    header = {**bundle["entry"][0]["resource"], "eventUri": bundle["entry"][0]["resource"]["eventUri"] + "-unheard"}
    bundle["entry"] = [{**bundle["entry"][0], "resource": header}, bundle["entry"][1], {"resource": extra}]
    odd = Incoming(message.id, message.reason + "-unheard", message.headers, store.text_of(bundle).encode())
    await runner.receive([odd])
    assert await statuses(runner.database) == {odd.id: "parked"}
    await runner.receive([asking.message()])
    assert (await statuses(runner.database))[odd.id] == "superseded"

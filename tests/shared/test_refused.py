"""A message that cannot be taken becomes a question to a person, which closes itself."""

from __future__ import annotations

import json
from typing import Any

from shared import refused, store
from shared.borders import PROFILE
from shared.core import Decision, Event
from shared.ports import Incoming
from tests.shared.world import ORDER, SECRET, Facts, World, heard, noted, questions, rows, sent, statuses


async def test_a_wrong_message_is_parked_with_its_issues_and_a_person_is_asked(asking: World) -> None:
    runner = await asking.runner()
    wrong = asking.message(status="unfit", text=SECRET, basedOn=[{"reference": ORDER}])
    await runner.receive([wrong])
    ((problem,),) = await rows(runner.database, "select problem from inbox")
    assert problem == "profile: status: value: another status would be right"
    (question,) = await questions(runner.database)
    assert question["id"] == refused.question_id(runner.service, wrong.id)
    assert question["meta"]["profile"] == ["https://carepod.example/fhir/StructureDefinition/message-question|1.0"]
    assert (question["status"], question["for"], question["basedOn"]) == (
        "requested", {"reference": "Patient/1"}, [{"reference": ORDER}],
    )  # fmt: skip
    assert question["owner"]["identifier"]["value"] == "pharmacist"
    assert [i["valueString"] for i in question["input"]] == [
        "profile", "status: value: another status would be right",
    ]  # fmt: skip
    assert SECRET not in json.dumps(question, default=str)
    ((reason, keys),) = await sent(runner.database)
    assert (reason, "Task." in keys) == ("message-refused", True)


async def test_the_same_wrong_message_again_asks_once(asking: World) -> None:
    runner = await asking.runner()
    wrong = asking.message(status="unfit")
    for _ in range(3):
        await runner.receive([wrong])
    assert [q["status"] for q in await questions(runner.database)] == ["requested"]


async def test_the_question_closes_when_a_newer_message_says_the_same(asking: World) -> None:
    runner = await asking.runner()
    wrong, newer = asking.message(status="unfit"), asking.message()
    await runner.receive([wrong])
    await runner.receive([newer])
    assert await statuses(runner.database) == {wrong.id: "superseded", newer.id: "done"}
    assert [q["status"] for q in await questions(runner.database)] == ["requested", "completed"]
    assert [reason for reason, _ in await sent(runner.database)] == ["message-refused", "noted", "message-taken"]


async def test_a_parked_message_taken_again_after_its_fault_is_mended_closes_its_question(asking: World) -> None:
    runner = await asking.runner()
    wrong = asking.message(status="unfit")
    await runner.receive([wrong])
    async with runner.database.writing() as tx:
        await tx.execute("update inbox set status = 'retry', next_at = '', body = replace(body, 'unfit', 'active')")
    assert await asking.sweeper(runner).messages() == 1
    assert await statuses(runner.database) == {wrong.id: "done"}
    assert await heard(runner.database) == [wrong.id]
    assert [q["status"] for q in await questions(runner.database)] == ["requested", "completed"]


async def test_a_parked_message_of_an_older_version_is_brought_up_once_the_release_knows_how(asking: World) -> None:
    asking.reads = {"ServiceRequest": "order|2"}
    first = {"profile": [PROFILE + "order|1.0"], "versionId": "1-1", "lastUpdated": "2026-03-02T14:00:00Z"}
    older = asking.message(meta=first)
    before = await asking.runner()
    await before.receive([older])
    ((problem,),) = await rows(before.database, "select problem from inbox")
    assert problem.startswith("profile: ServiceRequest.meta.profile: not-supported: version 2 of order")
    after = await asking.runner(upcasts={("order", 1): lambda r: {**r, "text": "in the new shape"}})
    async with after.database.writing() as tx:
        await tx.execute("update inbox set status = 'retry', next_at = ''")
    assert await asking.sweeper(after).messages() == 1
    assert await statuses(after.database) == {older.id: "done"}
    ((body,),) = await rows(after.database, "select body from resource where type = 'ServiceRequest'")
    kept = store.parsed(body)
    assert (kept["text"], kept["meta"]["profile"]) == ("in the new shape", [PROFILE + "order|2.0"])


async def test_a_stored_copy_of_an_older_version_is_brought_up_when_it_is_read(asking: World) -> None:
    seen: list[Any] = []

    def script(event: Event, facts: Facts) -> Decision:
        seen.append([r.get("text") for r in facts.held.values() if r["resourceType"] == "ServiceRequest"])
        return noted(event, facts)

    asking.script = script
    await (await asking.runner()).receive([asking.message()])
    asking.reads = {"ServiceRequest": "order|2"}
    after = await asking.runner(upcasts={("order", 1): lambda r: {**r, "text": "in the new shape"}})
    await asking.command(after, "look")
    assert seen == [[None], ["in the new shape"]]


async def test_a_message_parked_after_its_attempts_asks_too(asking: World) -> None:
    def failing(event: Event, facts: Facts) -> Decision:
        raise RuntimeError(SECRET)

    asking.script = failing
    runner = await asking.runner()
    bad = asking.message()
    await runner.receive([bad])
    for _ in range(6):
        asking.clock.move(seconds=120)
        await asking.sweeper(runner).messages()
    assert await statuses(runner.database) == {bad.id: "parked"}
    (question,) = await questions(runner.database)
    assert question["input"][0]["valueString"].startswith("RuntimeError ")
    assert SECRET not in json.dumps(question, default=str)


async def test_a_service_that_reads_such_questions_hears_its_own(asking: World) -> None:
    events: list[Event] = []

    def script(event: Event, facts: Facts) -> Decision:
        events.append(event)
        return noted(event, facts)

    asking.script = script
    asking.reads = {**asking.reads, refused.KIND: "message-question|1"}
    runner = await asking.runner()
    await runner.receive([asking.message(status="unfit")])
    assert [(e.reason, e.source, e.resources[0]["status"]) for e in events] == [
        ("message-refused", "beta", "requested"),
    ]  # fmt: skip


async def test_what_cannot_even_be_read_asks_nobody_but_is_listed(asking: World) -> None:
    runner = await asking.runner()
    await runner.receive([Incoming("x", "said", {"producer": "alpha"}, b"{")])
    assert await rows(runner.database, "select status, problem from inbox") == [("parked", "malformed")]
    assert await questions(runner.database) == []


async def test_what_a_service_does_not_read_is_neither_kept_nor_decided(asking: World) -> None:
    asking.reads = {"Task": "task|1"}
    runner = await asking.runner()
    unread = asking.message(status="unfit")
    await runner.receive([unread])
    assert await statuses(runner.database) == {unread.id: "done"}
    assert await rows(runner.database, "select id from resource") == []

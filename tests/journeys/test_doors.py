"""Whichever way a referral comes, it ends in the same case: messages, addresses to read, single resources, notices."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from benchmarks.cases import placer
from benchmarks.disturbed import Deployment
from benchmarks.truth import waited
from shared.cli.push import Pushed
from tests.journeys.case import Case, booked, case_of, until
from tests.journeys.pushes import pushed
from tests.journeys.shapes import Ehr, alone, message, place_of, records
from tests.journeys.test_updates import referral

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

Sent = Callable[[Deployment, int], Awaitable[None]]


async def post(deployment: Deployment, number: int, body: bytes, path: str = "") -> Pushed:
    sender = deployment.sender()
    try:
        return await pushed(sender, placer(number), body, path)
    finally:
        await sender.close()


async def by_transaction(deployment: Deployment, number: int) -> None:
    await post(deployment, number, referral(number))


async def by_message(deployment: Deployment, number: int) -> None:
    await post(deployment, number, message(number, f"msg-{number}"), "/$process-message")


async def by_bare_task(deployment: Deployment, number: int) -> None:
    await post(deployment, number, alone(number, "Task"), "/Task")


async def by_id_only_notice(deployment: Deployment, number: int) -> None:
    assert (await Ehr(deployment).notifies(place_of(number, "Task")))["status"] == 200


async def by_full_notice(deployment: Deployment, number: int) -> None:
    rest = [p for p in records(number) if p != place_of(number, "Task")]
    how = {"content": "full-resource", "with_records": rest}
    assert (await Ehr(deployment).notifies(place_of(number, "Task"), **how))["status"] == 200


SHAPES: tuple[tuple[Sent, int], ...] = (
    (by_transaction, 120), (by_message, 121), (by_bare_task, 122), (by_id_only_notice, 123), (by_full_notice, 124),
)  # fmt: skip


@pytest.mark.parametrize(("sent", "number"), SHAPES)
async def test_a_referral_is_booked_whichever_way_it_comes(standing: Deployment, sent: Sent, number: int) -> None:
    await Ehr(standing).keeps_referral(number)
    await sent(standing, number)
    case = await until(standing, number, booked)
    assert case.task("referral")["status"] == "in-progress"
    assert case.gaps() == set()


async def test_all_shapes_of_one_referral_are_one_case_with_the_same_ids(standing: Deployment) -> None:
    await Ehr(standing).keeps_referral(125)
    await by_bare_task(standing, 125)
    case = await until(standing, 125, booked)
    for sent, _ in SHAPES:
        await sent(standing, 125)
    await post(standing, 125, alone(125, "ServiceRequest"), "/ServiceRequest")
    await asyncio.sleep(2.0)
    after = await case_of(standing, 125)
    assert ids(after) == ids(case)
    assert len(after.tasks("referral")) == 1
    assert booked(after)


CASE = (
    "Appointment", "Claim", "Condition", "Coverage", "MedicationRequest", "Observation", "Patient", "ServiceRequest",
    "Task",
)  # fmt: skip


def ids(case: Case) -> set[str]:
    """What the case consists of, but for the readings of the EHR."""
    return {r["id"] for kind in CASE for r in case.of(kind) if r not in case.tasks("pull")}


async def test_an_order_alone_goes_on_once_its_patient_is_read(standing: Deployment) -> None:
    await Ehr(standing).keeps_referral(126)
    answer = await post(standing, 126, alone(126, "ServiceRequest"), "/ServiceRequest")
    assert answer.answer["resourceType"] == "ServiceRequest"
    case = await until(standing, 126, booked)
    assert answer.answer["id"] in {r["id"] for r in case.of("ServiceRequest")}


async def test_a_message_twice_is_answered_alike(standing: Deployment) -> None:
    first = await post(standing, 127, message(127, "twice"), "/$process-message")
    await until(standing, 127, lambda c: c.task("referral"))
    second = await post(standing, 128, message(128, "twice"), "/$process-message")
    assert second.answer == first.answer
    assert (await case_of(standing, 128)).resources == ()


@pytest.mark.parametrize(
    ("fault", "times", "number", "reason"),
    [("401", 8, 129, "HTTP 401"), ("500", 1, 131, "HTTP 500"), ("malformed", 1, 132, "FHIR JSON")],
)
async def test_an_ehr_that_fails_is_read_again_until_it_does_not(
    standing: Deployment, fault: str, times: int, number: int, reason: str
) -> None:
    """A refused token fails a reading once a fresh one is refused too: some records are read at once, each twice."""
    ehr = Ehr(standing)
    await ehr.keeps_referral(number)
    await ehr.fails("read", fault, times=times)
    answer = (await post(standing, number, alone(number, "Task"), "/Task")).answer
    assert answer["status"] == "on-hold"
    await until(standing, number, booked)
    assert any(reason in text for text in await reasons(standing, str(answer["id"])))


async def test_an_order_whose_patient_the_ehr_does_not_have_yet_is_read_again_until_it_does(
    standing: Deployment,
) -> None:
    ehr, patient = Ehr(standing), place_of(130, "Patient")
    await ehr.keeps_referral(130)
    await ehr.forgets(patient)
    answer = (await post(standing, 130, alone(130, "Task"), "/Task")).answer
    assert answer["status"] == "on-hold"

    async def has_failed() -> bool:
        return any("HTTP 404" in text for text in await reasons(standing, str(answer["id"])))

    assert await waited(has_failed, 30)
    await ehr.keeps(records(130)[patient])
    await until(standing, 130, booked)


async def reasons(deployment: Deployment, task: str) -> list[str]:
    """Every reason a Task has had."""
    rows = await deployment.rows("intake", "select body from history where id = $1", task)
    return [str(row[0]) for row in rows]


async def test_a_notification_that_never_came_is_read_once_its_number_is_missed(standing: Deployment) -> None:
    ehr = Ehr(standing)
    for number in (133, 134, 135):
        await ehr.keeps_referral(number)
    await ehr.notifies(place_of(133, "Task"))
    await ehr.notifies(place_of(134, "Task"), lost=True)
    await ehr.notifies(place_of(135, "Task"))
    cases = [await until(standing, number, booked) for number in (133, 134, 135)]
    assert [len(case.tasks("referral")) for case in cases] == [1, 1, 1]
    assert (await ehr.reads())[place_of(134, "Task")] >= 1


async def test_a_handshake_a_heartbeat_and_a_repeated_event_change_nothing(standing: Deployment) -> None:
    ehr = Ehr(standing)
    await ehr.keeps_referral(136)
    assert (await ehr.notifies(kind="handshake"))["status"] == 200
    told = await ehr.notifies(place_of(136, "Task"))
    await until(standing, 136, booked)
    assert (await ehr.notifies(kind="heartbeat"))["status"] == 200
    read = await ehr.reads()
    how: dict[str, Any] = {"number": told["numbers"][0], "at": told["at"]}
    assert (await ehr.notifies(place_of(136, "Task"), **how))["status"] == 200
    await asyncio.sleep(1.0)
    assert await ehr.reads() == read


async def test_a_wrong_secret_is_not_heard(standing: Deployment) -> None:
    assert (await Ehr(standing).notifies(place_of(137, "Task"), bearer="wrong"))["status"] == 401
    assert (await case_of(standing, 137)).resources == ()


async def test_fifty_posts_of_one_placer_identifier_at_once_are_one_case(standing: Deployment) -> None:
    body = referral(138)
    sender = standing.sender()
    try:
        answers = await asyncio.gather(*(sender.post(placer(138), body) for _ in range(50)))
    finally:
        await sender.close()
    assert {a.status for a in answers} <= {200, 503}
    await until(standing, 138, booked)
    assert len((await case_of(standing, 138)).tasks("referral")) == 1

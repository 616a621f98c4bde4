"""Carries an answer to a placer by one way: what his system says to it, or that it could not be reached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import httpx

from services.intake.answers import documents, drops, notifying
from services.intake.answers.telling import OpenAnswer, client_of, opened, task_id_of
from services.intake.records import named_by
from shared.answering import WAYS
from shared.core import Answer, Channel, Resource, TryLater
from shared.fhir.json import encode
from shared.ports import Outside, Reader
from shared.posting import is_for_later, retry_after
from shared.settings import Partner, Site


@dataclass(frozen=True, slots=True)
class Telling:
    """One answer on its way: what is told, to which partner, with what, under which condition of HTTP."""

    answer: OpenAnswer
    partner: Partner
    reader: Reader
    outside: Outside
    condition: Mapping[str, str]


def due(way: str) -> Callable[[Resource | None, Resource], str | None]:
    """An answer goes by a way once for each change it tells of."""

    def begins(before: Resource | None, after: Resource) -> str | None:
        now, then = opened(after, way), opened(before, way)
        return None if now is None or now == then else str(now)

    return begins


async def deliver_answer(way: str, communication: Resource, reader: Reader, outside: Outside) -> Answer:
    """Tells the referral as it now stands, unless the answer has gone on since: a late attempt tells nothing old.

    Raises TryLater when the system cannot be reached, is busy or broken; its refusal is the answer `answer-refused`.
    """
    current = await reader.read(communication["id"])
    step = opened(current, way)
    if current is None or step is None:
        return Answer("answer-left")
    partner = _partner(current, way, outside.site)
    if partner is None:
        return _refused(current, "the site's configuration names no partner for it any more")
    try:
        condition = await _condition(current, partner, outside) if way == "task" else {}
        task = await _unchanged(current, way, reader)
        if task is None:
            return Answer("answer-left")
        telling = Telling(OpenAnswer(task, current), partner, reader, outside, condition)
        response = await SENDING[way](telling)
    except httpx.HTTPError as error:
        raise TryLater(type(error).__name__) from None
    return _answer(telling, response) if response is not None else Answer("answer-told", (current,))


def _partner(communication: Resource, way: str, site: Site) -> Partner | None:
    referrer = site.referrers.get(client_of(communication))
    ways = referrer.answers if referrer else ()
    return next((site.partners[w.partner] for w in ways if w.by == way), None)


async def _unchanged(current: Resource, way: str, reader: Reader) -> Resource | None:
    """The referral this answer tells of; None where the answer has gone on.

    A change of the referral begins its answer anew in the same transaction: where the answer is the same before and
    after the referral was read, it tells of that referral. Else the delivery of the newer answer tells of it.
    """
    task = await reader.read(task_id_of(current))
    now = await reader.read(current["id"])
    return _without_kin(task) if task is not None and opened(now, way) == opened(current, way) else None


def _without_kin(task: Resource) -> Resource:
    """The referral without the other records of the same person, which another client may have sent."""
    kept = named_by(task, ())
    return {k: v for k, v in task.items() if k != "extension"} | ({"extension": kept} if kept else {})


async def _condition(communication: Resource, partner: Partner, outside: Outside) -> dict[str, str]:
    """The version of our Task the placer's system holds, over which the next is put.

    Read before the referral is: whatever is told after this reading is newer, and this attempt is then refused, however
    late it comes. A system that keeps no versions, or lets nobody read, is told without a condition.
    """
    headers = await _headers(partner, outside)
    held = await outside.http.get(f"{partner.base}/Task/{task_id_of(communication)}", headers=headers)
    if is_for_later(held):
        raise TryLater(f"HTTP {held.status_code}", retry_after(held, outside.now()))
    if held.status_code == httpx.codes.NOT_FOUND:
        return {"If-None-Match": "*"}
    return {"If-Match": held.headers["ETag"]} if held.is_success and "ETag" in held.headers else {}


def _answer(telling: Telling, response: httpx.Response) -> Answer:
    communication, status = telling.answer.communication, response.status_code
    if response.is_success:
        return Answer("answer-told", (communication,))
    overtaken = bool(telling.condition) and status == httpx.codes.PRECONDITION_FAILED
    if overtaken or is_for_later(response):
        raise TryLater(f"HTTP {status}", retry_after(response, telling.outside.now()))
    return _refused(communication, f"HTTP {status}")


def _refused(communication: Resource, why: str) -> Answer:
    issue = {"severity": "error", "code": "processing", "diagnostics": why}
    return Answer("answer-refused", (communication, {"resourceType": "OperationOutcome", "issue": [issue]}))


# The four ways


async def _task(telling: Telling) -> httpx.Response:
    """PUT of our Task over the version held there; the same may be put again."""
    task, partner = telling.answer.task, telling.partner
    headers = {**await _headers(partner, telling.outside), **telling.condition}
    return await telling.outside.http.put(f"{partner.base}/Task/{task['id']}", content=encode(task), headers=headers)


async def _document(telling: Telling) -> httpx.Response:
    """POST of a DocumentReference with the letter inside, unless the system has it already."""
    document = documents.document(telling.answer, await _known(telling), telling.outside.site)
    headers = await _headers(telling.partner, telling.outside) | {"If-None-Exist": documents.condition(telling.answer)}
    return await telling.outside.http.post(
        f"{telling.partner.base}/DocumentReference", content=encode(document), headers=headers
    )


async def _notification(telling: Telling) -> httpx.Response:
    """POST of a notification, after the handshake where the placer's system has not answered one yet."""
    subscription = await telling.reader.read(notifying.subscription_of(telling.answer))
    asked = notifying.Asked(telling.answer, subscription or {}, telling.partner, telling.outside.site.address)
    if asked.subscription.get("status") == "requested":
        response = await _notified(telling, notifying.handshake(asked, telling.outside.now()))
        if not response.is_success:
            return response
    return await _notified(telling, notifying.notification(asked))


async def _notified(telling: Telling, bundle: Resource) -> httpx.Response:
    headers = {"Content-Type": "application/fhir+json"}
    if telling.partner.notification_secret:
        headers["Authorization"] = f"Bearer {telling.partner.notification_secret}"
    return await telling.outside.http.post(telling.partner.base, content=encode(bundle), headers=headers)


async def _file(telling: Telling) -> None:
    """The letter, put into the folder another system takes it from."""
    letter = documents.letter_of(telling.answer, await _known(telling), telling.outside.site)
    await drops.dropped(telling.partner, drops.name_of(telling.answer), letter)


async def _known(telling: Telling) -> Mapping[str, Resource]:
    """Everything held of the patient, by `Type/id`."""
    patient = str(telling.answer.task["for"]["reference"]).partition("/")[2]
    return {f"{r['resourceType']}/{r['id']}": r for r in await telling.reader.of_lane(f"patient/{patient}")}


async def _headers(partner: Partner, outside: Outside) -> dict[str, str]:
    token = await outside.token(partner.id)
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}


SENDING: Mapping[str, Callable[[Telling], Awaitable[httpx.Response | None]]] = {
    "task": _task,
    "document": _document,
    "notification": _notification,
    "file": _file,
}


def channels(site: Site) -> tuple[Channel, ...]:
    """One channel for each way a referrer is answered by; each may send the same again."""
    used = {w.by for r in site.referrers.values() for w in r.answers}
    return tuple(
        Channel(f"answer-{way}", due(way), "idempotent", partial(deliver_answer, way)) for way in WAYS if way in used
    )

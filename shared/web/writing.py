"""What clients send becomes one event of the owner, or nothing is stored but the refusal and what was refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fastapi.responses import Response

from shared import refused as message_question
from shared import store
from shared.app import Application, Handle, Stale
from shared.borders import kind_of
from shared.clock import uuid7
from shared.core import Event, Resource, reference
from shared.fhir.outcomes import Issue
from shared.fhir.references import references
from shared.ports import Arrival, Door
from shared.run import Outcome
from shared.smart.tokens import Access
from shared.web.answers import answered, entry_response, written_answer
from shared.web.requests import (
    Refused,
    checked,
    checked_as,
    permitted,
    permitted_entries,
    refused,
    status_of,
    version_asked,
)
from shared.web.sight import Sight, patient_of, patient_of_lane

_ORDERS = ("MedicationRequest/", "ServiceRequest/")
_NO_PATIENT = "a patient this client has sent would be right"
_CLOSES_ITSELF = "this question closes itself once the message has been taken"


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose request it is: the token's access, and the client on whose behalf one of our processes hands it on."""

    access: Access
    client: str


class Writing:
    """The writing half of the FHIR base, in the process of the door and, for its own questions, in every other."""

    def __init__(self, app: Application, sight: Sight) -> None:
        self._app, self._sight = app, sight
        self._base = app.settings.base_url + "/fhir"

    async def transaction(self, sender: Sender, body: bytes) -> Response:
        """A transaction Bundle: all of it or nothing."""
        handle, door = self._door()
        async with self._kept(handle, sender, "POST /fhir", body):
            bundle = checked(body, self._app.validator)
            if bundle["resourceType"] != "Bundle" or bundle["type"] != "transaction":
                raise refused(422, "not-supported", "a Bundle of type transaction would be right", "Bundle.type")
            permitted_entries(sender.access, bundle)
            await self._check_addressed(sender, handle, bundle)
            arrival = _or_refused(door.resolved(bundle, sender.client))
            result = await self._entered(sender, handle, arrival, "referral-received")
        return answered(await self._response(handle, arrival, result))

    async def create(self, sender: Sender, kind: str, body: bytes, if_none_exist: str | None = None) -> Response:
        """One resource posted alone; its id is the sender's own affair (R4 http, create).

        `if_none_exist` (R4 http, conditional create) names the resource's own identifier: a record known by it stays
        as it is.
        """
        handle, door = self._door()
        permitted(sender.access, kind, "create")
        async with self._kept(handle, sender, f"POST /fhir/{kind}", body):
            resource = checked_as(kind, body, self._app.validator)
            without_id = {name: value for name, value in resource.items() if name != "id"}
            _check_condition(resource, if_none_exist)
            arrival = _or_refused(door.single(without_id, sender.client))
            place = arrival.entries[0][1]
            known = await self._stored(handle, [place]) if if_none_exist is not None else {}
            if place in known:
                await self._check_patient(sender, handle, arrival)
                return written_answer(known[place], self._base, created=False)
            result = await self._entered(sender, handle, arrival, "resource-received")
            stored = (await self._stored(handle, [place])).get(place)
            if stored is None:
                raise refused(422, "business-rule", "content that the system keeps would be right")
        return written_answer(stored, self._base, created=place in _new(result))

    async def update(self, sender: Sender, stored: Resource, body: bytes, if_match: str | None) -> Response:
        """A new version of what this client may see, or a person's answer to a question: a command to its owner."""
        kind, resource_id = stored["resourceType"], stored["id"]
        handle = self._app.owning(resource_id)
        assert handle is not None
        async with self._kept(handle, sender, f"PUT /fhir/{kind}", body):
            resource = checked_as(kind, body, self._app.validator)
            if resource.get("id") != resource_id:
                raise refused(400, "invalid", "the id of the address would be right", f"{kind}.id")
            version = version_asked(if_match)
            expected = (resource_id, version) if version is not None else None
            await self._commanded(sender, handle, resource, stored, expected)
        now = (await self._stored(handle, [reference(stored)]))[reference(stored)]
        return written_answer(now, self._base, created=False)

    async def refuse(self, sender: Sender, place: str, body: bytes, refusal: Refused) -> None:
        """Keeps a body that was refused before its owner was known."""
        handle = self._app.door or next(iter(self._app.handles.values()))
        async with self._kept(handle, sender, place, body):
            raise refusal

    async def _commanded(
        self, sender: Sender, handle: Handle, resource: Resource, stored: Resource, expected: tuple[str, str] | None
    ) -> None:
        lane = await self._lane(handle, stored)
        if kind_of(stored) == message_question.KIND:
            raise refused(422, "business-rule", _CLOSES_ITSELF, "Task")
        if resource["resourceType"] == "Task":
            if patient_of(resource) not in (None, patient_of_lane(lane)):
                raise refused(422, "business-rule", "the patient as stored would be right", "Task.for")
            at = self._app.clock()
            event = Event(
                "command", "task-answered", lane, at, at, (resource,), reference(resource), sender.client, uuid7(at)
            )
            _or_refused_by_rule(await _unless_stale(handle, event, (), expected))
        elif handle.service.door is not None:
            arrival = _or_refused(handle.service.door.single(resource, sender.client))
            if arrival.lane != lane:
                raise refused(422, "business-rule", "the patient as stored would be right", resource["resourceType"])
            await self._entered(sender, handle, arrival, "resource-received", expected)
        else:
            raise refused(405, "not-supported", f"{resource['resourceType']} is written by the system alone")

    async def _entered(
        self, sender: Sender, handle: Handle, arrival: Arrival, reason: str, expected: tuple[str, str] | None = None
    ) -> Outcome:
        await self._check_patient(sender, handle, arrival)
        at = self._app.clock()
        event = Event(
            "command", reason, arrival.lane, at, at, arrival.resources, arrival.focus, sender.client, uuid7(at)
        )
        result = await _unless_stale(handle, event, arrival.identities, expected)
        _or_refused_by_rule(result)
        return result

    # Whose patient

    async def _check_addressed(self, sender: Sender, handle: Handle, bundle: Resource) -> None:
        """Entries that name our own ids name records this client may see; the same answer where there are none."""
        named = {n: e["request"]["url"] for n, e in enumerate(bundle.get("entry", ())) if _names_ours(e)}
        async with handle.database.reading() as tx:
            stored = await store.current(tx, [url.rpartition("/")[2] for url in named.values()])
        patients = {reference(s.resource): patient_of_lane(s.lane) for s in stored.values()}
        seen = await self._sight.seen(sender.access, patients.values())
        wrong = [n for n, url in named.items() if url not in patients or patients[url] not in seen]
        if wrong:
            text = "the id of a record this client has sent would be right"
            raise Refused(422, [Issue("not-found", f"Bundle.entry[{n}].request.url", text) for n in wrong])
        asked = {reference(s.resource) for s in stored.values() if kind_of(s.resource) == message_question.KIND}
        if ours := [n for n, url in named.items() if url in asked]:
            raise Refused(422, [Issue("business-rule", f"Bundle.entry[{n}].resource", _CLOSES_ITSELF) for n in ours])

    async def _check_patient(self, sender: Sender, handle: Handle, arrival: Arrival) -> None:
        """Refuses, with one answer for both, a patient that is unknown and one that another client has sent.

        A record that rests on an order of ours for that patient (a dispense) may come from whom the order went to.
        """
        patient = patient_of_lane(arrival.lane)
        brings = patient in {resource_id for _, _, resource_id in arrival.identities}
        # One statement, one snapshot: a push of the same patient may commit beside this one.
        sql = (
            "select (select count(*) from identity where client = $1 and id = $2), "
            "(select count(*) from resource where id = $2), "
            "(select count(*) from resource where lane = $3 and id = any($4))"
        )
        async with handle.database.reading() as tx:
            rows = await tx.fetch(sql, sender.client, patient, arrival.lane, _orders_of(arrival))
        sent, exists, orders = rows[0]
        may = sent or orders or self._sight.unlimited(sender.access)
        if not (exists and may) and not (brings and not exists):
            raise refused(422, "not-found", _NO_PATIENT, arrival.resources[0]["resourceType"])

    # Shared steps

    def _door(self) -> tuple[Handle, Door]:
        handle = self._app.door
        if handle is None or handle.service.door is None:
            raise refused(404, "not-found", "what is sent goes to the service that takes referrals")
        return handle, handle.service.door

    async def _lane(self, handle: Handle, stored: Resource) -> str:
        async with handle.database.reading() as tx:
            return (await store.current(tx, [stored["id"]]))[stored["id"]].lane

    async def _response(self, handle: Handle, arrival: Arrival, result: Outcome) -> Resource:
        places = [place for _, place in sorted(arrival.entries)]
        saved = {reference(r): r for r in result.saved}
        held = await self._stored(handle, [p for p in places if p not in saved]) | saved
        new = _new(result)
        entries = [entry_response(held.get(p), self._base, created=p in new) for p in places]
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}

    async def _stored(self, handle: Handle, places: Sequence[str]) -> dict[str, Resource]:
        """What is stored under these `Type/id`."""
        async with handle.database.reading() as tx:
            found = await store.current(tx, [p.partition("/")[2] for p in places])
        return {reference(s.resource): s.resource for s in found.values()}

    @asynccontextmanager
    async def _kept(self, handle: Handle, sender: Sender, place: str, body: bytes) -> AsyncIterator[None]:
        """What is refused inside is kept with its issues, where a person sees it."""
        try:
            yield
        except Refused as refusal:
            await handle.quarantine(sender.client, place, refusal.issues, body)
            raise


def _names_ours(entry: Resource) -> bool:
    """Whether an entry is an update of `Type/id`; conditional ones name a business identifier."""
    return entry["request"]["method"] == "PUT" and "?" not in entry["request"]["url"]


def _orders_of(arrival: Arrival) -> list[str]:
    """The orders that one resource sent alone rests on."""
    if len(arrival.resources) != 1:
        return []
    named = (text for _, text in references(arrival.resources[0]))
    return [text.partition("/")[2] for text in named if text.startswith(_ORDERS)]


def _new(result: Outcome) -> frozenset[str]:
    """`Type/id` of what an event saved for the first time."""
    return frozenset(reference(r) for r in result.saved if store.version_of(r)[1] == 1)


async def _unless_stale(
    handle: Handle, event: Event, identities: Sequence[tuple[str, str, str]], expected: tuple[str, str] | None
) -> Outcome:
    try:
        return await handle.outcome(event, identities, expected)
    except Stale:
        raise refused(412, "conflict", "the current version would be right: read again, then write") from None


def _check_condition(resource: Resource, if_none_exist: str | None) -> None:
    """400 where an If-None-Exist asks for anything but the resource's own identifier: its id follows from that."""
    own = {f"identifier={i.get('system', '')}|{i.get('value', '')}" for i in _listed(resource.get("identifier", []))}
    if if_none_exist is not None and unquote(if_none_exist) not in own:
        raise refused(400, "not-supported", "If-None-Exist: identifier=<system>|<value> of the resource would be right")


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _or_refused(arrival: Arrival | tuple[Issue, ...]) -> Arrival:
    if isinstance(arrival, tuple):
        raise Refused(status_of(arrival), arrival)
    return arrival


def _or_refused_by_rule(result: Outcome) -> None:
    """A command the coordinator refused, saving nothing, is told every code."""
    if result.decision.refusals and not result.saved and not result.decision.reason.startswith("nothing-"):
        raise Refused(422, [Issue("business-rule", "", code) for code in result.decision.refusals])

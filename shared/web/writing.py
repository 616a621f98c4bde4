"""What clients send becomes one event of the owner, or nothing is stored but the refusal and what was refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi.responses import Response

from shared import refused as message_question
from shared import store
from shared.app import Application, Handle, Once, Stale
from shared.borders import kind_of
from shared.clock import uuid7
from shared.core import Event, Resource, reference
from shared.decide import Unfit
from shared.fhir.outcomes import Issue
from shared.ports import Arrival, Door
from shared.run import Outcome
from shared.web import binaries
from shared.web.addressed import located
from shared.web.answers import etag, written_answer
from shared.web.deleting import nullified
from shared.web.history import is_deleted
from shared.web.patching import operations_of, patched, undated
from shared.web.prefer import ANYHOW, Preference
from shared.web.requests import Refused, checked_as, checked_resource, refused, status_of, version_asked
from shared.web.senders import Sender, check_deletable, check_links, check_patient
from shared.web.sight import Sight, patient_of, patient_of_lane
from shared.web.suspect import suspicious

_CLOSES_ITSELF = "this question closes itself once the message has been taken"
_ROUNDS = 5
"""How often what was found before a write may have changed by the time it is written."""

Known = Callable[[Resource], Awaitable[Resource | None]]
"""What a condition of a create finds for the resource that would be made."""


class Writing:
    """Creates, updates, patches and deletions of one resource, in the process of its owner."""

    def __init__(self, app: Application, sight: Sight) -> None:
        self._app, self._sight = app, sight
        self._base = app.settings.base_url + "/fhir"

    async def create(
        self, sender: Sender, kind: str, body: bytes, known: Known | None = None, preferred: Preference = ANYHOW
    ) -> Response:
        """One resource posted alone; its id is the sender's own affair (R4 http, create).

        What `known`, the condition of a conditional create, finds stays as it is.
        """
        handle, door = self.door()
        async with self.kept(handle, sender, f"POST /fhir/{kind}", body):
            resource = await located(handle, sender.client, self._anew(self.checked(kind, body)))
            arrival = _or_refused(door.single(resource, sender.client))
            place = arrival.entries[0][1]
            for _ in range(_ROUNDS):
                there = await self.stored(handle, [place])
                found = await known(resource) if known is not None else None
                if found is not None:
                    return await self._told(sender, found, created=False, preferred=preferred)
                # Under a condition, only while nobody else has made it since the condition was looked at.
                absent = [(place.partition("/")[2], "")] if known is not None and not there else []
                try:
                    result = await self.entered(sender, handle, arrival, "resource-received", absent)
                except Stale:
                    continue
                stored = (await self.stored(handle, [place])).get(place)
                if stored is None:
                    raise refused(422, "business-rule", "content that the system keeps would be right")
                return await self._told(sender, stored, created=place in new(result), preferred=preferred)
            raise _changing()

    def _anew(self, resource: dict[str, Any]) -> dict[str, Any]:
        """What is posted is never one of ours, whatever id its sender gave it."""
        ours = self._app.owning(str(resource.get("id", ""))) is not None
        return {k: v for k, v in resource.items() if k != "id" or not ours}

    async def update(
        self, sender: Sender, stored: Resource, body: bytes, if_match: str | None, preferred: Preference = ANYHOW
    ) -> Response:
        """A new version of what this client may see, or a person's answer to a question: a command to its owner."""
        kind, resource_id = stored["resourceType"], stored["id"]
        handle = self._owner(resource_id)
        async with self.kept(handle, sender, f"PUT /fhir/{kind}", body):
            resource = self.checked(kind, body)
            if resource.get("id") != resource_id:
                raise refused(400, "invalid", "the id of the address would be right", f"{kind}.id")
            version = version_asked(if_match)
            expected = [(resource_id, version)] if version is not None else []
            await self._unless_stale(self._commanded(sender, handle, resource, stored, expected))
        return await self._written(sender, handle, stored, preferred)

    async def patch(
        self, sender: Sender, stored: Resource, body: bytes, if_match: str | None, preferred: Preference = ANYHOW
    ) -> Response:
        """A JSON Patch of the current version; what comes of it passes what an update passes."""
        handle = self._owner(stored["id"])
        async with self.kept(handle, sender, f"PATCH /fhir/{stored['resourceType']}", body):
            operations, version = operations_of(body), version_asked(if_match)
            for _ in range(_ROUNDS):
                check_version(stored, version)
                resource = self.checked_patch(stored, operations)
                try:
                    expected = [(stored["id"], stored["meta"]["versionId"])]
                    await self._commanded(sender, handle, resource, stored, expected)
                    return await self._written(sender, handle, stored, preferred)
                except Stale:
                    stored = (await self.stored(handle, [reference(stored)]))[reference(stored)]
            raise _changing()

    def checked_patch(self, stored: Resource, operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What a patch makes of a resource, checked as the body of an update is."""
        resource = patched(stored, operations)
        if not isinstance(resource, dict):
            raise refused(400, "structure", "a resource after every operation would be right", stored["resourceType"])
        checked = checked_resource(undated(resource), self._app.validator)
        if (checked["resourceType"], checked.get("id")) != (stored["resourceType"], stored["id"]):
            raise refused(400, "invalid", "type and id as stored would be right", stored["resourceType"])
        return checked

    async def delete(self, sender: Sender, stored: Resource, if_match: str | None) -> Response:
        """The record as entered in error, through its owner, its history kept; 405 for what is the system's alone."""
        handle, version = self._owner(stored["id"]), version_asked(if_match)
        place = f"DELETE /fhir/{stored['resourceType']}"
        async with self.kept(handle, sender, place, b""):
            if not is_deleted(stored):
                check_version(stored, version)
                await check_deletable(self._sight, sender, handle, stored)
                expected = [(stored["id"], version)] if version is not None else []
                command = self._commanded(sender, handle, nullified(stored), stored, expected)
                await self._unless_stale(command)
        now = (await self.stored(handle, [reference(stored)]))[reference(stored)]
        return Response(status_code=204, headers={"ETag": etag(now)})

    def checked(self, kind: str, body: bytes) -> dict[str, Any]:
        """A body of a type through the JSON gate and base R4."""
        return checked_as(kind, body, self._app.validator)

    @asynccontextmanager
    async def refusals(self, sender: Sender, place: str, body: bytes) -> AsyncIterator[None]:
        """Keeps a body that is refused before its owner is known."""
        handle = self._app.door or next(iter(self._app.handles.values()))
        async with self.kept(handle, sender, place, body):
            yield

    async def _commanded(
        self, sender: Sender, handle: Handle, resource: Resource, stored: Resource,
        expected: Sequence[tuple[str, str]],
    ) -> None:  # fmt: skip
        """Raises Stale where one of the versions expected is no longer current."""
        now = await self._now(handle, stored)
        lane, resource = now.lane, await self._sight.restored(sender.access, now.resource, resource)
        check_open(stored)
        if resource["resourceType"] == "Task":
            if patient_of(resource) not in (None, patient_of_lane(lane)):
                raise refused(422, "business-rule", "the patient as stored would be right", "Task.for")
            self._check_suspect([resource])
            at = self._app.clock()
            event = Event(
                "command", "task-answered", lane, at, at, (resource,), reference(resource), sender.client, uuid7(at)
            )
            _or_refused_by_rule(await handle.outcome(event, (), expected))
        elif handle.service.door is not None:
            arrival = _or_refused(handle.service.door.single(resource, sender.client))
            if arrival.lane != lane:
                raise refused(422, "business-rule", "the patient as stored would be right", resource["resourceType"])
            await self.entered(sender, handle, arrival, "resource-received", expected)
        else:
            raise refused(405, "not-supported", f"{resource['resourceType']} is written by the system alone")

    async def entered(
        self, sender: Sender, handle: Handle, arrival: Arrival, reason: str,
        expected: Sequence[tuple[str, str]] = (), once: Once | None = None,
    ) -> Outcome:  # fmt: skip
        """One arrival through the run loop. Raises Stale (`Handle.outcome`), and refuses what a rule refuses."""
        self._check_suspect(arrival.resources)
        for binary in (r for r in arrival.resources if r["resourceType"] == binaries.KIND):
            binaries.check_size(binary)
        await check_patient(self._sight, sender, handle, arrival)
        await check_links(self._sight, sender, handle, arrival)
        at = self._app.clock()
        event = Event(
            "command", arrival.reason or reason, arrival.lane, at, at, arrival.resources, arrival.focus, sender.client,
            uuid7(at),
        )  # fmt: skip
        try:
            result = await handle.outcome(event, arrival.identities, expected, once)
        except Unfit:
            if issues := _unfit(handle, arrival):
                raise Refused(422, issues) from None
            raise
        _or_refused_by_rule(result)
        return result

    def _check_suspect(self, resources: Sequence[Resource]) -> None:
        """422 for what is legal R4 and yet not taken from outside."""
        known = [self._app.settings.base_url, *(p.base for p in self._app.site.partners.values())]
        if issues := [issue for r in resources for issue in suspicious(r, known)]:
            raise Refused(422, issues)

    async def _unless_stale(self, command: Awaitable[None]) -> None:
        try:
            await command
        except Stale:
            raise stale() from None

    async def _written(self, sender: Sender, handle: Handle, stored: Resource, preferred: Preference) -> Response:
        now = (await self.stored(handle, [reference(stored)]))[reference(stored)]
        return await self._told(sender, now, created=False, preferred=preferred)

    async def _told(self, sender: Sender, stored: Resource, *, created: bool, preferred: Preference) -> Response:
        """The answer to a create or an update, with as much of what is stored as the client may have."""
        [shown] = await self._sight.shown(sender.access, [stored])
        return written_answer(shown, self._base, created=created, preferred=preferred)

    def _owner(self, resource_id: str) -> Handle:
        handle = self._app.owning(resource_id)
        assert handle is not None
        return handle

    # Shared steps

    def door(self) -> tuple[Handle, Door]:
        """The service that takes what outside clients send, and its door; 404 where it is in another process."""
        handle = self._app.door
        if handle is None or handle.service.door is None:
            raise refused(404, "not-found", "what is sent goes to the service that takes referrals")
        return handle, handle.service.door

    async def _now(self, handle: Handle, stored: Resource) -> store.Stored:
        async with handle.database.reading() as tx:
            return (await store.current(tx, [stored["id"]]))[stored["id"]]

    async def stored(self, handle: Handle, places: Sequence[str]) -> dict[str, Resource]:
        """What is stored under these `Type/id`."""
        async with handle.database.reading() as tx:
            found = await store.current(tx, [p.partition("/")[2] for p in places])
        return {reference(s.resource): s.resource for s in found.values()}

    @asynccontextmanager
    async def kept(self, handle: Handle, sender: Sender, place: str, body: bytes) -> AsyncIterator[None]:
        """What is refused inside is kept with its issues, where a person sees it."""
        try:
            yield
        except Refused as refusal:
            await handle.quarantine(sender.client, place, refusal.issues, body)
            raise


def check_version(stored: Resource, version: str | None) -> None:
    """412 where an If-Match names another version than the current one."""
    if version is not None and stored["meta"]["versionId"] != version:
        raise stale()


def check_open(stored: Resource) -> None:
    """422 for a question that only the system closes."""
    if kind_of(stored) == message_question.KIND:
        raise refused(422, "business-rule", _CLOSES_ITSELF, "Task")


def stale() -> Refused:
    """412: somebody else has written meanwhile."""
    return refused(412, "conflict", "the current version would be right: read again, then write")


def _changing() -> Refused:
    refusal = refused(503, "transient", "nothing was stored; the same request after a moment would be right")
    refusal.headers = {"Retry-After": "1"}
    return refusal


def new(result: Outcome) -> frozenset[str]:
    """`Type/id` of what an event saved for the first time."""
    return frozenset(reference(r) for r in result.saved if store.version_of(r)[1] == 1)


def _unfit(handle: Handle, arrival: Arrival) -> list[Issue]:
    """What of the records sent keeps them from being stored; Tasks are worked out anew and never stored as sent."""
    sent = (r for r in arrival.resources if r["resourceType"] != "Task")
    return [issue for r in sent for issue in handle.runner.border.leaving(r)[1]]


def _or_refused(arrival: Arrival | tuple[Issue, ...]) -> Arrival:
    if isinstance(arrival, tuple):
        raise Refused(status_of(arrival), arrival)
    return arrival


def _or_refused_by_rule(result: Outcome) -> None:
    """A command the coordinator refused, saving nothing, is told every code."""
    if result.is_refused:
        raise Refused(422, [Issue("business-rule", "", code) for code in result.decision.refusals])

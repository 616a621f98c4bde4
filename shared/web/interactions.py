"""Which part of the FHIR base answers a call, and in which process: the one place where both are decided."""

from __future__ import annotations

from dataclasses import replace

from fastapi.responses import Response

from shared.app import Application
from shared.core import Resource
from shared.fhir.json import encode
from shared.web.calls import Call
from shared.web.capability import Kinds
from shared.web.conditions import Conditions, condition_of
from shared.web.patching import JSON_PATCH
from shared.web.peers import Peers
from shared.web.reading import Reading
from shared.web.requests import check_id, media_type, permitted, refused
from shared.web.searching import Searching
from shared.web.senders import Sender
from shared.web.writing import Known, Writing


class Interactions:
    """The interactions of R4 with one resource or type."""

    def __init__(
        self, app: Application, peers: Peers, kinds: Kinds, reading: Reading, searching: Searching, writing: Writing,
        conditions: Conditions,
    ) -> None:  # fmt: skip
        self._app, self._peers, self._kinds = app, peers, kinds
        self._reading, self._searching, self._writing = reading, searching, writing
        self._conditions = conditions

    async def answer(self, sender: Sender, call: Call) -> Response:
        """The answer to one call, in the process of the door or for one of our own processes."""
        match call.method:
            case "GET":
                return await self._got(sender, call)
            case "POST" if not call.id:
                return await self._created(sender, call)
            case "PUT":
                return await self._updated(sender, call)
            case "PATCH":
                return await self._patched(sender, call)
            case "DELETE":
                return await self._deleted(sender, call)
        raise refused(405, "not-supported", "an interaction of the CapabilityStatement would be right")

    async def _got(self, sender: Sender, call: Call) -> Response:
        self._kinds.check_held(call.kind)
        access, tail = sender.access, call.tail
        if not call.id:
            return await self._searching.answer(access, call.kind, call.params, strict=call.preferred.strict)
        if not tail:
            return await self._reading.read(access, call.kind, call.id, call.headers.get("if-none-match"))
        if tail == "_history":
            return await self._reading.history(access, call.kind, call.id, call.params)
        if tail.startswith("_history/"):
            return await self._reading.version(access, call.kind, call.id, tail.removeprefix("_history/"))
        if tail.startswith("$"):
            return await self._reading.operation(access, call.kind, call.id, tail.removeprefix("$"))
        raise refused(404, "not-found", "an address of this server would be right")

    async def _created(self, sender: Sender, call: Call) -> Response:
        self._kinds.check_created(call.kind)
        permitted(sender.access, call.kind, "create")
        condition = call.headers.get("if-none-exist")
        known = self._known(sender, call, condition) if condition is not None else None
        return await self._writing.create(sender, call.kind, call.body, known, call.preferred)

    def _known(self, sender: Sender, call: Call, condition: str) -> Known:
        async def known(resource: Resource) -> Resource | None:
            return await self._conditions.match(sender.access, call.kind, condition_of(condition), resource)

        return known

    async def _updated(self, sender: Sender, call: Call) -> Response:
        if not call.id:
            return await self._updated_where(sender, call)
        self._kinds.check_held(call.kind)
        stored = await self._own(sender, call, deleted_too=True)
        if address := self._elsewhere(stored):
            return await self._peers.handed_on(address, call, sender.client)
        return await self._writing.update(sender, stored, call.body, call.headers.get("if-match"), call.preferred)

    async def _updated_where(self, sender: Sender, call: Call) -> Response:
        """R4 http, conditional update: of one match a new version, of none a new resource."""
        self._kinds.check_created(call.kind)
        permitted(sender.access, call.kind, "update")
        async with self._writing.refusals(sender, call.place, call.body):
            sent = self._writing.checked(call.kind, call.body)
            found = await self._conditions.match(sender.access, call.kind, call.params, sent)
            if found is not None and sent.get("id", found["id"]) != found["id"]:
                raise refused(400, "invalid", "the id of the record the condition finds, or none, would be right")
        if found is None:
            permitted(sender.access, call.kind, "create")
            return await self._writing.create(sender, call.kind, call.body, None, call.preferred)
        body = encode({**sent, "id": found["id"]})
        return await self.answer(sender, replace(call, id=str(found["id"]), params=(), body=body))

    async def _patched(self, sender: Sender, call: Call) -> Response:
        if media_type(call.headers.get("content-type", "")) != JSON_PATCH:
            raise refused(415, "not-supported", f"Content-Type: {JSON_PATCH} would be right")
        self._kinds.check_held(call.kind)
        named = call if call.id else await self._where(sender, call)
        if named is None:
            raise refused(404, "not-found", f"no {call.kind} meets the condition")
        stored = await self._own(sender, named)
        if address := self._elsewhere(stored):
            return await self._peers.handed_on(address, named, sender.client)
        return await self._writing.patch(sender, stored, named.body, named.headers.get("if-match"), named.preferred)

    async def _deleted(self, sender: Sender, call: Call) -> Response:
        self._kinds.check_held(call.kind)
        self._kinds.check_takes_back(call.kind)
        permitted(sender.access, call.kind, "delete")
        named = call if call.id else await self._where(sender, call)
        if named is None:
            return Response(status_code=204)
        stored = await self._reading.visible(sender.access, named.kind, named.id, deleted_too=True)
        self._kinds.check_deleted(named.kind, named.id)
        return await self._writing.delete(sender, stored, named.headers.get("if-match"))

    async def _where(self, sender: Sender, call: Call) -> Call | None:
        """The call on the one resource its condition finds."""
        found = await self._conditions.match(sender.access, call.kind, call.params)
        return replace(call, id=str(found["id"]), params=()) if found is not None else None

    async def _own(self, sender: Sender, call: Call, *, deleted_too: bool = False) -> Resource:
        """What is there now of a resource this client may see and change; a body refused for that is kept."""
        permitted(sender.access, call.kind, "update" if call.method == "PUT" else "patch")
        check_id(call.id)
        async with self._writing.refusals(sender, call.place, call.body):
            stored = await self._reading.visible(sender.access, call.kind, call.id, deleted_too=deleted_too)
            self._kinds.check_updated(call.kind, call.id)
        return stored

    def _elsewhere(self, stored: Resource) -> str | None:
        """The address of the owner, where it is another process."""
        return None if self._app.owning(stored["id"]) is not None else self._peers.owner_of(stored["id"])

"""Reads, versions, histories and operations: what a client may see of what every owner holds."""

from __future__ import annotations

from fastapi.responses import Response

from shared import store
from shared.app import Application
from shared.core import Resource
from shared.smart.tokens import Access
from shared.web.answers import answered, etag, version_headers
from shared.web.history import History, is_deleted
from shared.web.peers import Peers
from shared.web.requests import is_id, permitted, refused
from shared.web.search import Params
from shared.web.sight import Sight, patient_of, patient_of_lane


class Reading:
    """The reading half of the FHIR base."""

    def __init__(self, app: Application, peers: Peers, sight: Sight, history: History) -> None:
        self._app, self._peers, self._sight, self._history = app, peers, sight, history

    async def read(self, access: Access, kind: str, resource_id: str, if_none_match: str | None) -> Response:
        """The current version; 304 where the client has it."""
        permitted(access, kind, "read")
        resource = await self.visible(access, kind, resource_id)
        if if_none_match is not None and etag(resource) in (t.strip() for t in if_none_match.split(",")):
            return Response(status_code=304, headers=version_headers(resource))
        return answered(resource, 200, version_headers(resource))

    async def version(self, access: Access, kind: str, resource_id: str, version_id: str) -> Response:
        """One version, as a Location names it; 410 where that version is the deletion."""
        permitted(access, kind, "vread")
        current = await self.visible(access, kind, resource_id, deleted_too=True)
        past = await self._history.version(current, version_id)
        if past is None or self._sight.hidden(access, past):
            raise refused(404, "not-found", "no version of this id")
        if is_deleted(past) and not self._sight.is_ours(access):
            raise deleted(kind)
        [shown] = await self._sight.shown(access, [past])
        return answered(shown, 200, version_headers(past))

    async def history(self, access: Access, kind: str, resource_id: str, params: Params) -> Response:
        """Every version, of a deleted resource too."""
        permitted(access, kind, "history-instance")
        return await self._history.answer(
            access, await self.visible(access, kind, resource_id, deleted_too=True), params
        )  # fmt: skip

    async def operation(self, access: Access, kind: str, resource_id: str, code: str) -> Response:
        """What an operation says of the current version."""
        permitted(access, kind, "read")
        resource = await self.visible(access, kind, resource_id)
        declared = ((s, o) for s in self._app.catalogue.services for o in s.operations)
        named = [(s, o) for s, o in declared if (o.kind, o.code) == (kind, code)]
        found = next((o for s, o in named if resource_id.startswith(s.prefix)), None)
        if found is None:
            owners = " or ".join(s.name for s, _ in named)
            right = f"{kind} of {owners}" if owners else "an operation of the CapabilityStatement"
            raise refused(404, "not-supported", f"{right} would be right")
        handle = self._app.owning(resource_id)
        return answered(found.answer(handle.runner.border.stored(resource) if handle is not None else resource))

    async def visible(self, access: Access, kind: str, resource_id: str, *, deleted_too: bool = False) -> Resource:
        """A resource this client may see; else the same 404 whether it exists or not, and 410 where it was deleted."""
        found, patient = await self.current(kind, resource_id) if is_id(resource_id) else (None, None)
        held = found is not None and found["resourceType"] == kind
        seen = await self._sight.among(access, [(found, patient)]) if found is not None and held else ()
        if not seen:
            raise refused(404, "not-found", f"no {kind} of this id")
        found = seen[0][0]
        if is_deleted(found) and not deleted_too and not self._sight.is_ours(access):
            raise deleted(kind)
        return found

    async def current(self, kind: str, resource_id: str) -> tuple[Resource | None, str | None]:
        """The resource as its owner holds it, and its patient."""
        handle = self._app.owning(resource_id)
        if handle is not None:
            async with handle.database.reading() as tx:
                stored = (await store.current(tx, [resource_id])).get(resource_id)
            return (stored.resource, patient_of_lane(stored.lane)) if stored else (None, None)
        address = self._peers.owner_of(resource_id)
        found = await self._peers.read(address, f"/fhir/{kind}/{resource_id}") if address else None
        return found, patient_of(found) if found else None


def deleted(kind: str) -> Exception:
    """410: its history is still there."""
    return refused(410, "deleted", f"this {kind} was deleted by its sender; its history would be right")

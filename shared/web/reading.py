"""Reads, versions and searches: what a client may see of what every owner holds."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi.responses import Response

from shared import store
from shared.app import Application
from shared.core import Resource
from shared.fhir.outcomes import Issue, outcome
from shared.smart.clients import OURSELVES
from shared.smart.tokens import Access
from shared.web.answers import answered, etag, searchset, version_headers
from shared.web.peers import Peers
from shared.web.requests import is_id, permitted, refused
from shared.web.search import MOST, SCANNED, Params, Query, matches, query_of
from shared.web.sight import Sight, patient_of, patient_of_lane


class Reading:
    """The reading half of the FHIR base."""

    def __init__(self, app: Application, peers: Peers, sight: Sight) -> None:
        self._app, self._peers, self._sight = app, peers, sight
        self._base = app.settings.base_url + "/fhir"

    async def read(self, access: Access, kind: str, resource_id: str, if_none_match: str | None) -> Response:
        """The current version; 304 where the client has it."""
        permitted(access, kind, "read")
        resource = await self.visible(access, kind, resource_id)
        if if_none_match is not None and etag(resource) in (t.strip() for t in if_none_match.split(",")):
            return Response(status_code=304, headers=version_headers(resource))
        return answered(resource, 200, version_headers(resource))

    async def version(self, access: Access, kind: str, resource_id: str, version_id: str) -> Response:
        """One version, as a Location names it."""
        permitted(access, kind, "vread")
        current = await self.visible(access, kind, resource_id)
        past = current if current["meta"]["versionId"] == version_id else None
        past = past or await self._past(kind, resource_id, version_id)
        if past is None:
            raise refused(404, "not-found", "no version of this id")
        return answered(past, 200, version_headers(past))

    async def operation(self, access: Access, kind: str, resource_id: str, code: str) -> Response:
        """What an operation says of the current version."""
        permitted(access, kind, "read")
        resource = await self.visible(access, kind, resource_id)
        declared = (o for s in self._app.catalogue.services if resource_id.startswith(s.prefix) for o in s.operations)
        found = next((o for o in declared if (o.kind, o.code) == (kind, code)), None)
        if found is None:
            raise refused(404, "not-supported", "an operation of the CapabilityStatement would be right")
        handle = self._app.owning(resource_id)
        return answered(found.answer(handle.runner.border.stored(resource) if handle is not None else resource))

    async def search(self, access: Access, kind: str, params: Params, *, strict: bool) -> Response:
        """A searchset of what this client may see: filtered first, counted then, cut last."""
        permitted(access, kind, "search-type")
        ours = access.client_id == OURSELVES
        query = query_of(self._app.catalogue, kind, params, strict=strict, most=SCANNED if ours else MOST)
        seen = await self._seen(access, query, forward=not ours)
        return answered(searchset(seen[: query.count], len(seen), self._base, str(query), _left_aside(query.ignored)))

    async def visible(self, access: Access, kind: str, resource_id: str) -> Resource:
        """A resource this client may see; else the same 404 whether it exists or not."""
        found, patient = await self._current(kind, resource_id) if is_id(resource_id) else (None, None)
        if found is None or found["resourceType"] != kind or patient not in await self._sight.seen(access, [patient]):
            raise refused(404, "not-found", f"no {kind} of this id")
        return found

    async def _seen(self, access: Access, query: Query, *, forward: bool) -> list[Resource]:
        found, whole = await matches(self._app, self._peers, query, forward=forward)
        if not whole and not self._sight.unlimited(access):
            raise refused(400, "too-costly", "a search by patient, or by another parameter besides, would be right")
        patients = await self._sight.seen(access, (patient for _, patient in found))
        return [resource for resource, patient in found if patient in patients]

    async def _current(self, kind: str, resource_id: str) -> tuple[Resource | None, str | None]:
        """The resource as its owner holds it, and its patient."""
        handle = self._app.owning(resource_id)
        if handle is not None:
            async with handle.database.reading() as tx:
                stored = (await store.current(tx, [resource_id])).get(resource_id)
            return (stored.resource, patient_of_lane(stored.lane)) if stored else (None, None)
        address = self._peers.owner_of(resource_id)
        found = await self._peers.read(address, f"/fhir/{kind}/{resource_id}") if address else None
        return found, patient_of(found) if found else None

    async def _past(self, kind: str, resource_id: str, version_id: str) -> Resource | None:
        epoch, _, number = version_id.partition("-")
        if not all(n.isascii() and n.isdigit() and len(n) < 10 for n in (epoch, number)):
            return None
        handle = self._app.owning(resource_id)
        if handle is None:
            address = self._peers.owner_of(resource_id) or ""
            return await self._peers.read(address, f"/fhir/{kind}/{resource_id}/_history/{version_id}")
        async with handle.database.reading() as tx:
            sql = "select body from history where id = $1 and epoch = $2 and version = $3"
            rows = await tx.fetch(sql, resource_id, int(epoch), int(number))
        return store.parsed(rows[0][0]) if rows else None


def _left_aside(names: Sequence[str]) -> Resource | None:
    """The warning about parameters that a lenient search did not look at."""
    if not names:
        return None
    text = f"{len(names)} search parameters are not supported and were left aside: see the self link"
    return outcome([Issue("not-supported", "", text, "warning")])

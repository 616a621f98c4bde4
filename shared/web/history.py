"""Versions of one resource: as they were, which stood at an instant, and all of them as a history Bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi.responses import Response

from shared import store
from shared.app import Application
from shared.core import Resource, reference
from shared.fhir.searching import NULLIFIED, span, tags
from shared.smart.clients import OURSELVES
from shared.smart.keys import signing_key
from shared.smart.tokens import Access
from shared.web.answers import answered, etag, location
from shared.web.cursors import Cursors, Position
from shared.web.peers import Peers
from shared.web.requests import refused
from shared.web.search import CURSOR, MOST, SCANNED, Params, count_of
from shared.web.sight import Sight


def is_deleted(resource: Resource) -> bool:
    """Whether its sender deleted it."""
    return NULLIFIED in tags(resource)


class History:
    """Current and past versions, in this process or asked of the owner's."""

    def __init__(self, app: Application, peers: Peers, sight: Sight) -> None:
        self._app, self._peers, self._sight = app, peers, sight
        self._base = app.settings.base_url + "/fhir"
        self._cursors = Cursors(signing_key(app.settings.secrets))

    async def version(self, resource: Resource, version_id: str) -> Resource | None:
        """One version of a resource."""
        if resource["meta"]["versionId"] == version_id:
            return resource
        number = _numbered(version_id)
        if number is None:
            return None
        handle = self._app.owning(resource["id"])
        if handle is None:
            return await self._asked(resource, f"/_history/{version_id}")
        async with handle.database.reading() as tx:
            sql = "select body from history where id = $1 and epoch = $2 and version = $3"
            rows = await tx.fetch(sql, resource["id"], *number)
        return store.parsed(rows[0][0]) if rows else None

    async def as_of(self, resource: Resource, at: str) -> Resource | None:
        """The version that stood at an instant; None where there was none yet."""
        versions = await self.versions(resource)
        return next((v for v in versions if v["meta"]["lastUpdated"] <= at), None)

    async def versions(self, resource: Resource) -> list[Resource]:
        """Every version, newest first."""
        handle = self._app.owning(resource["id"])
        if handle is None:
            bundle = await self._asked(resource, f"/_history?_count={SCANNED}")
            return [e["resource"] for e in (bundle or {}).get("entry", ())]
        async with handle.database.reading() as tx:
            sql = "select body from history where id = $1 order by epoch desc, version desc"
            rows = await tx.fetch(sql, resource["id"])
        return [store.parsed(row[0]) for row in rows]

    async def answer(self, access: Access, resource: Resource, params: Params) -> Response:
        """The versions of a resource this client may see, newest first (R4 http, history)."""
        ours = access.client_id == OURSELVES
        asked = {name: value for name, value in params if name in ("_since", "_count", CURSOR) and value}
        count, since = count_of(list(asked.items()), SCANNED if ours else MOST), _since(asked.get("_since"))
        cursor = asked.pop(CURSOR, None)
        place = f"{reference(resource)}/_history" + (f"?{urlencode(asked)}" if asked else "")
        position = self._cursors.read(access.client_id, place, cursor) if cursor else None
        versions = [v for v in await self.versions(resource) if not self._sight.hidden(access, v)]
        found = await self._sight.shown(access, [v for v in versions if v["meta"]["lastUpdated"] >= since])
        behind = _behind(found, position)
        links = [{"relation": "self", "url": f"{self._base}/{place}"}]
        if len(behind) > count > 0:
            last = Position(behind[count - 1]["meta"]["versionId"], "")
            written = self._cursors.written(access.client_id, place, last)
            links.append({"relation": "next", "url": f"{self._base}/{place}{'&' if asked else '?'}{CURSOR}={written}"})
        bundle = {"resourceType": "Bundle", "type": "history", "total": len(found), "link": links}
        entries = [self._entry(version, ours=ours) for version in behind[:count]]
        return answered({**bundle, "entry": entries} if entries else bundle)

    def _entry(self, version: Resource, *, ours: bool) -> dict[str, Any]:
        """A version with what made it: POST the first, DELETE where its sender took it back, else PUT."""
        place, deleted = reference(version), is_deleted(version)
        created = store.version_of(version)[1] == 1
        method = "DELETE" if deleted else "POST" if created else "PUT"
        return {
            "fullUrl": f"{self._base}/{place}",
            **({"resource": version} if ours or not deleted else {}),
            "request": {"method": method, "url": place.partition("/")[0] if method == "POST" else place},
            "response": {
                "status": {"POST": "201 Created", "DELETE": "204 No Content"}.get(method, "200 OK"),
                "location": location(version, self._base),
                "etag": etag(version),
                "lastModified": version["meta"]["lastUpdated"],
            },
        }

    async def _asked(self, resource: Resource, tail: str) -> Resource | None:
        address = self._peers.owner_of(resource["id"])
        return await self._peers.read(address, f"/fhir/{reference(resource)}{tail}") if address else None


def _behind(versions: Sequence[Resource], position: Position | None) -> Sequence[Resource]:
    if position is None:
        return versions
    places = [v["meta"]["versionId"] for v in versions]
    return versions[places.index(position.last) + 1 :] if position.last in places else ()


def _numbered(version_id: str) -> tuple[int, int] | None:
    """(epoch, number) of a version id that may be one."""
    epoch, _, number = version_id.partition("-")
    good = all(n.isascii() and n.isdigit() and len(n) < 10 for n in (epoch, number))
    return (int(epoch), int(number)) if good else None


def _since(text: str | None) -> str:
    """The first moment of an instant, as stored; 400 where it is none."""
    found = span(text.replace(" ", "+")) if text else ("", "")
    if found is None:
        raise refused(400, "value", "_since: an instant would be right")
    return found[0]

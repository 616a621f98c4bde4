"""Answers a search: what matches and may be seen, in order, cut to pages that are linked, and what comes along.

Law of this file: what a client may not see is taken away before anything is counted, sorted or cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi.responses import Response

from shared.app import Application
from shared.clock import stamp
from shared.core import Resource, reference
from shared.fhir.outcomes import Issue, outcome
from shared.fhir.searching import type_of
from shared.smart.clients import OURSELVES
from shared.smart.keys import signing_key
from shared.smart.tokens import Access
from shared.web import search as limits
from shared.web.answers import answered
from shared.web.cursors import Cursors, Position
from shared.web.history import History
from shared.web.including import Including
from shared.web.matching import matches
from shared.web.ordering import Order
from shared.web.peers import Peers
from shared.web.reading import Reading
from shared.web.requests import permitted, refused
from shared.web.search import CURSOR, MOST, Params, Query, alternatives, query_of, values_of
from shared.web.sight import Found, Sight

Page = tuple[list[Resource], int, Position | None]
"""What is shown, how many match in all, and where the next page begins."""


class Searching:
    """Searches over every owner."""

    def __init__(self, app: Application, peers: Peers, sight: Sight, history: History, reading: Reading) -> None:
        self._app, self._peers, self._sight, self._history, self._reading = app, peers, sight, history, reading
        self._base = app.settings.base_url + "/fhir"
        self._including = Including(app.catalogue, sight, self._everywhere)
        self._cursors = Cursors(signing_key(app.settings.secrets))

    async def answer(self, access: Access, kind: str, params: Params, *, strict: bool) -> Response:
        """A searchset of what this client may see."""
        permitted(access, kind, "search-type")
        if access.client_id == OURSELVES:
            return await self._for_ourselves(kind, params)
        query = query_of(self._app.catalogue, kind, params, strict=strict, most=MOST)
        shown, total, position = await self._page(access, query)
        included = await self._including.included(access, query, shown)
        return answered(self._searchset(access, query, shown, included, total, position))

    async def seen(self, access: Access, kind: str, params: Params) -> list[Resource]:
        """What a condition (R4 http, conditional interactions) means for this client: at most two, by id."""
        query = query_of(self._app.catalogue, kind, params, strict=True, most=2)
        if not query.criteria:
            raise refused(412, "business-rule", "a condition by a search parameter would be right")
        found = await self._all_seen(access, query)
        return [resource for resource, _ in found[:2]]

    async def _for_ourselves(self, kind: str, params: Params) -> Response:
        """What this process holds, to another of ours."""
        query = query_of(self._app.catalogue, kind, params, strict=False, most=limits.SCANNED, ours=True)
        found, total = await matches(
            self._app, self._peers, query, most=query.count, forward=False, after=query.after
        )  # fmt: skip
        entries = [{"resource": resource} for resource, _ in found]
        return answered({"resourceType": "Bundle", "type": "searchset", "total": total, "entry": entries})

    async def _page(self, access: Access, query: Query) -> Page:
        position = self._cursors.read(access.client_id, str(query), query.cursor) if query.cursor else None
        order = Order(self._app.catalogue, query)
        if order.is_by_id and self._sight.unlimited(access):
            return await self._page_by_id(query, position)
        found = await self._all_seen(access, query)
        latest = max((str(r["meta"]["lastUpdated"]) for r, _ in found), default="")
        at = position.at if position else max(latest, stamp(self._app.clock()))
        after = await order.stands(await self._last(query, position), at, self._history.as_of) if position else None
        kept = await order.sorted(found, at, self._history.as_of, after)
        return _cut([r for r, _ in kept], len(found), query.count, at)

    async def _page_by_id(self, query: Query, position: Position | None) -> Page:
        """A page for whom sees all: only so much of each owner is read as is shown."""
        most = 1 if query.counts_only else query.count + 1
        after = position.last if position else None
        found, total = await matches(self._app, self._peers, query, most=most, forward=True, after=after)
        return _cut([r for r, _ in found], total, query.count, "")

    async def _last(self, query: Query, position: Position) -> Resource:
        """The resource shown last, also where it is no match any more."""
        found, _ = await self._reading.current(query.kind, position.last)
        if found is None:
            raise refused(410, "expired", "the search from its beginning would be right")
        return found

    async def _all_seen(self, access: Access, query: Query) -> list[Found]:
        """Every match this client may see, by id; 400 where there are too many to look through."""
        found, total = await self._everywhere(query)
        if total > len(found):
            raise refused(400, "too-costly", "a search by patient, or by another parameter besides, would be right")
        whole = {r["id"]: r for r, _ in found}
        seen = await self._sight.among(access, found)
        return [(r, p) for r, p in seen if r is whole[r["id"]] or self._is_still_found(query, r)]

    def _is_still_found(self, query: Query, shown: Resource) -> bool:
        """Whether it is found by what is shown of it, and not by a link to a patient the client has not sent."""
        asked = ((n, v) for n, v in query.criteria if type_of(n) == "reference" and n not in limits.OF_EVERY_TYPE)
        values = ((alternatives(v), values_of(self._app.catalogue, shown, n)) for n, v in asked)
        return all(set(wanted) & set(said) for wanted, said in values)

    async def _everywhere(self, query: Query) -> tuple[list[Found], int]:
        return await matches(self._app, self._peers, query, most=limits.SCANNED, forward=True)

    def _searchset(
        self, access: Access, query: Query, shown: Sequence[Resource], included: Sequence[Resource], total: int,
        position: Position | None,
    ) -> Resource:  # fmt: skip
        """Matches first, then what comes along, then what was left aside of the search."""
        empty = query.counts_only
        found = [*((r, "match") for r in shown), *((r, "include") for r in included)]
        entries = [] if empty else [self._entry(resource, mode) for resource, mode in found]
        if query.ignored:
            entries.append({"resource": _left_aside(query.ignored), "search": {"mode": "outcome"}})
        links = [{"relation": "self", "url": f"{self._base}/{query}"}]
        if position is not None and not empty:
            cursor = self._cursors.written(access.client_id, str(query), position)
            begun = f"{self._base}/{query}{'&' if query.params else '?'}"
            links.append({"relation": "next", "url": f"{begun}{CURSOR}={cursor}"})
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": total, "link": links}
        return {**bundle, "entry": entries} if entries else bundle

    def _entry(self, resource: Resource, mode: str) -> dict[str, Any]:
        return {"fullUrl": f"{self._base}/{reference(resource)}", "resource": resource, "search": {"mode": mode}}


def _cut(found: list[Resource], total: int, count: int, at: str) -> Page:
    shown = found[:count]
    return shown, total, Position(str(shown[-1]["id"]), at) if shown and len(found) > count else None


def _left_aside(number: int) -> Resource:
    """The warning about parameters that a lenient search did not look at."""
    text = f"{number} search parameters are not supported and were left aside: see the self link"
    return outcome([Issue("not-supported", "", text, "warning")])

"""Searches by the parameters the services declare: values matched exactly, commas are or, parameters are and."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from shared import store
from shared.app import Application, Handle
from shared.core import Resource
from shared.messages import Catalogue
from shared.web.requests import refused
from shared.web.sight import patient_of, patient_of_lane

if TYPE_CHECKING:
    from shared.web.peers import Peers

MOST = 500
"""Resources in one answer to an outside client."""
SCANNED = 5000
"""Matches one owner looks through; a search that finds more has to say more."""

Params = Sequence[tuple[str, str]]
Found = tuple[Resource, str | None]
"""A match and its patient."""

_OF_EVERY_READ = {"_format", "_pretty"}
_COMMA = re.compile(r"(?<!\\),")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_DATE_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)\d")
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Query:
    """A search as it is carried out: `params` are those that count, `ignored` the names of the others."""

    kind: str
    params: tuple[tuple[str, str], ...]
    count: int
    ignored: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As the self link states it."""
        return f"{self.kind}?{urlencode(self.params)}" if self.params else self.kind

    @property
    def criteria(self) -> tuple[tuple[str, str], ...]:
        """The parameters that choose resources."""
        return tuple((name, value) for name, value in self.params if name != "_count")


def declared_parameters(catalogue: Catalogue, kind: str) -> set[str]:
    """The parameters that some owner of this type answers by."""
    return {"_id"}.union(*(s.search.get(kind, {}) for s in catalogue.services if kind in s.owns))


def query_of(catalogue: Catalogue, kind: str, params: Params, *, strict: bool, most: int = MOST) -> Query:
    """What a search asks; refuses values that can mean nothing, modifiers, chains, and where strict the unknown."""
    declared = declared_parameters(catalogue, kind) | {"_count"}
    asked = [(name, value) for name, value in params if name not in _OF_EVERY_READ]
    for name, value in asked:
        _check(name, value, declared)
    ignored = tuple(dict.fromkeys(name for name, _ in asked if name not in declared))
    if ignored and strict:
        raise refused(400, "not-supported", f"of {kind}, the parameters {', '.join(sorted(declared))} would be right")
    wanted = tuple((name, value) for name, value in asked if name in declared and value)
    return Query(kind, wanted, _count(wanted, most), ignored)


def _check(name: str, value: str, declared: set[str]) -> None:
    plain = re.split(r"[:.]", name)[0]
    if plain != name and (plain in declared or plain == "_has"):
        raise refused(400, "not-supported", "a search parameter without modifier or chain would be right")
    if len(value) > _LONGEST or _CONTROL.search(value):
        raise refused(400, "value", f"search values of at most {_LONGEST} printable characters would be right")
    if name == "date" and _DATE_PREFIX.match(value):
        raise refused(400, "not-supported", "date: a date or an instant without prefix would be right")


def _count(params: Params, most: int) -> int:
    text = dict(params).get("_count", str(most))
    if not text.isascii() or not text.isdigit():
        raise refused(400, "value", "_count: a whole number from 0 would be right")
    return min(int(text.lstrip("0")[:9] or "0"), most)


async def matches(app: Application, peers: Peers, query: Query, *, forward: bool) -> tuple[list[Found], bool]:
    """Every match of every owner, newest first, and whether that is all of them."""
    found: list[Found] = []
    whole = True
    for handle in app.handles.values():
        if query.kind in handle.service.owns:
            found += await _own(handle, query)
            whole = whole and len(found) <= SCANNED
    for address in peers.owning(query.kind) if forward else ():
        resources, total = await peers.search(address, query)
        found += [(r, patient_of(r)) for r in resources]
        whole = whole and total <= len(resources)
    found.sort(key=lambda f: (f[0]["meta"]["lastUpdated"], f[0]["id"]), reverse=True)
    return found, whole


async def _own(handle: Handle, query: Query) -> list[Found]:
    """One service's own current resources that match, at most one more than it may look through."""
    sql, values = _sql(query, handle.service.name)
    async with handle.database.reading() as tx:
        rows = await tx.fetch(sql, *values)
    return [(store.parsed(body), patient_of_lane(lane)) for lane, body in rows]


_INDEXED = (
    "r.id in (select s.id from search s where s.type = $1 and s.parameter = ${parameter} and s.value = any(${values}))"
)


def _sql(query: Query, owner: str) -> tuple[str, list[object]]:
    """The statement of a search and its values; every text a client wrote is among the values."""
    where = ["r.type = $1", "r.owner = $2"]
    values: list[object] = [query.kind, owner]
    for name, value in query.criteria:
        if name == "_id":
            values.append(_alternatives(value))
            where.append(f"r.id = any(${len(values)})")
        else:
            values += [name, _alternatives(value)]
            where.append(_INDEXED.format(parameter=len(values) - 1, values=len(values)))
    order = f"order by r.updated desc, r.id desc limit {SCANNED + 1}"
    return f"select r.lane, r.body from resource r where {' and '.join(where)} {order}", values  # noqa: S608 (ours)


def _alternatives(value: str) -> list[str]:
    r"""Values joined by commas mean any of them; `\,` is a comma (R4 search, escaping)."""
    return [re.sub(r"\\([,$|\\])", r"\1", part) for part in _COMMA.split(value)]


def kinds_of(catalogue: Catalogue) -> Mapping[str, set[str]]:
    """Every type held here and the parameters it is found by."""
    kinds = {kind for service in catalogue.services for kind in service.owns}
    return {kind: declared_parameters(catalogue, kind) for kind in sorted(kinds)}

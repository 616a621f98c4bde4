"""Finds what matches, at every owner: its own index says, and the process that has it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared import store
from shared.app import Application, Handle
from shared.fhir.searching import NULLIFIED, normal, span, type_of
from shared.store.resources import SEARCHED
from shared.web.search import Query, alternatives, prefixed
from shared.web.sight import Found, patient_of, patient_of_lane

if TYPE_CHECKING:
    from shared.web.peers import Peers


async def matches(
    app: Application, peers: Peers, query: Query, *, most: int, forward: bool, after: str | None = None
) -> tuple[list[Found], int]:
    """At most so many matches of each owner, by id from behind `after`, and how many match at all owners."""
    found: list[Found] = []
    total = 0
    for handle in app.handles.values():
        if query.kind in handle.service.owns:
            own, number = await _own(handle, query, most, after)
            found, total = found + own, total + number
    for address in peers.owning(query.kind) if forward else ():
        resources, number = await peers.search(address, query, most, after)
        found, total = [*found, *((r, patient_of(r)) for r in resources)], total + number
    found.sort(key=lambda f: str(f[0]["id"]))
    return found, total


async def _own(handle: Handle, query: Query, most: int, after: str | None) -> tuple[list[Found], int]:
    """One service's own current resources."""
    where = Where([query.kind, handle.service.name])
    where.conditions = ["r.type = $1", "r.owner = $2", _NOT_DELETED]
    for name, value in query.criteria:
        where.add(name, value)
    counted = " and ".join(where.conditions), list(where.values)
    if after is not None:
        where.conditions.append(f"r.id > {where.value(after)}")
    sql = f"select r.lane, r.body from resource r where {' and '.join(where.conditions)} order by r.id limit {most}"  # noqa: S608 (ours)
    async with handle.database.reading() as tx:
        rows = await tx.fetch(sql, *where.values)
        if after is None and len(rows) < most:
            number = len(rows)
        else:
            number = (await tx.fetch(f"select count(*) from resource r where {counted[0]}", *counted[1]))[0][0]  # noqa: S608 (ours)
    return [(store.parsed(body), patient_of_lane(lane)) for lane, body in rows], int(number)


_NOT_DELETED = (
    "r.id not in (select s.id from search s where s.type = $1 and s.parameter = '_tag' "  # noqa: S608 (ours)
    f"and s.value = '{NULLIFIED}')"
)
_INDEXED = "r.id {within} (select s.id from search s where s.type = $1 and s.parameter = {parameter}{compared})"


@dataclass(slots=True)
class Where:
    """The conditions of a search; every text a client wrote is among the values, never in the statement."""

    values: list[object]
    conditions: list[str] = field(default_factory=list)

    def value(self, value: object) -> str:
        """The place of one more value."""
        self.values.append(value)
        return f"${len(self.values)}"

    def add(self, name: str, text: str) -> None:
        """One parameter more; its alternatives are or."""
        parameter, _, modifier = name.partition(":")
        if modifier == "missing":
            within = "not in" if text == "true" else "in"
            self.conditions.append(_INDEXED.format(within=within, parameter=self.value(parameter), compared=""))
        elif parameter == "_id":
            self.conditions.append(f"r.id = any({self.value(alternatives(text))})")
        else:
            self.conditions.append(self._by_value(parameter, alternatives(text)))

    def _by_value(self, parameter: str, values: Sequence[str]) -> str:
        if parameter == "_lastUpdated":
            return _any([self._updated(v) for v in values])
        place = self.value(parameter)
        if type_of(parameter) == "date":
            compared = _any([self._dated(v) for v in values])
        elif type_of(parameter) == "string":
            compared = _any([self._beginning(normal(v)) for v in values if normal(v)])
        else:
            compared = f"s.value = any({self.value([v[:SEARCHED] for v in values])})"
        return _INDEXED.format(within="in", parameter=place, compared=f" and {compared}")

    def _beginning(self, text: str) -> str:
        return f"substr(s.value, 1, {len(text)}) = {self.value(text)}"

    def _dated(self, text: str) -> str:
        prefix, (first, last) = _spanned(text)
        width = len(first)
        low, high = f"substr(s.value, 1, {width})", f"substr(s.value, {width + 2}, {width})"
        compared = _COMPARED[prefix](low, high, lambda: self.value(first), lambda: self.value(last))
        return f"(length(s.value) = {2 * width + 1} and ({compared}))"

    def _updated(self, text: str) -> str:
        prefix, (first, last) = _spanned(text)
        if len(first) == len("2026-11-22"):
            first, last = f"{first}T00:00:00.000000Z", f"{last}T23:59:59.999999Z"
        return f"({_COMPARED[prefix]('r.updated', 'r.updated', lambda: self.value(first), lambda: self.value(last))})"


_Place = Callable[[], str]
_COMPARED: dict[str, Callable[[str, str, _Place, _Place], str]] = {
    "eq": lambda low, high, first, last: f"{low} >= {first()} and {high} <= {last()}",
    "ne": lambda low, high, first, last: f"{low} < {first()} or {high} > {last()}",
    "gt": lambda low, high, first, last: f"{high} > {last()}",
    "lt": lambda low, high, first, last: f"{low} < {first()}",
    "ge": lambda low, high, first, last: f"{high} >= {first()}",
    "le": lambda low, high, first, last: f"{low} <= {last()}",
    "sa": lambda low, high, first, last: f"{low} > {last()}",
    "eb": lambda low, high, first, last: f"{high} < {first()}",
}
"""R4 search, prefixes: what of a resource's span must lie where of the searched one."""


def _spanned(text: str) -> tuple[str, tuple[str, str]]:
    prefix, date = prefixed(text)
    return prefix, span(date) or ("", "")


def _any(conditions: Sequence[str]) -> str:
    return f"({' or '.join(conditions)})" if conditions else "1 = 0"

"""What a search asks: the parameters that choose, in which order, how many, and what else comes with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from shared.core import Resource
from shared.fhir.searching import span, type_of
from shared.messages import Catalogue
from shared.web.requests import refused

MOST = 500
"""Resources in one answer to an outside client."""
SCANNED = 5000
"""Matches one owner looks through; a search that finds more has to say more."""

Params = Sequence[tuple[str, str]]

OF_EVERY_TYPE = ("_id", "_lastUpdated")
"""Parameters every type is found by."""
RESULT = ("_count", "_sort", "_include", "_revinclude", "_summary", "_total")
"""Parameters that choose nothing and say how the result comes."""
CURSOR = "_cursor"
"""Our own: where the next page begins, signed."""
AFTER = "_after"
"""Of our own processes alone: the id behind which to begin."""

_OF_EVERY_READ = {"_format", "_pretty"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_COMMA = re.compile(r"(?<!\\),")
_PREFIXED = re.compile(r"(?P<prefix>eq|ne|gt|lt|ge|le|sa|eb|ap)?(?P<date>.*)", re.DOTALL)
_PREFIXES = "eq ne gt lt ge le sa eb"
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Include:
    """`Type:parameter[:Target]` of `_include` (reverse: `_revinclude`)."""

    source: str
    parameter: str
    target: str | None
    reverse: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A search as it is carried out: `params` are those that count, `ignored` how many were left aside."""

    kind: str
    params: tuple[tuple[str, str], ...]
    count: int
    ignored: int = 0
    sort: tuple[tuple[str, bool], ...] = ()
    includes: tuple[Include, ...] = ()
    cursor: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        """As the self link states it, and as a cursor is bound to it."""
        return f"{self.kind}?{urlencode(self.params)}" if self.params else self.kind

    @property
    def criteria(self) -> tuple[tuple[str, str], ...]:
        """The parameters that choose resources."""
        return tuple((name, value) for name, value in self.params if name not in RESULT)

    @property
    def counts_only(self) -> bool:
        """Whether the total is all that is asked."""
        return self.count == 0 or ("_summary", "count") in self.params


def alternatives(value: str) -> list[str]:
    r"""Values joined by commas mean any of them; `\,` is a comma (R4 search, escaping)."""
    return [re.sub(r"\\([,$|\\])", r"\1", part) for part in _COMMA.split(value)]


def prefixed(value: str) -> tuple[str, str]:
    """The prefix of a date and the date; a blank before a zone is a plus nobody escaped."""
    found = _PREFIXED.fullmatch(value)
    assert found is not None
    return found["prefix"] or "eq", found["date"].strip().replace(" ", "+")


def declared_parameters(catalogue: Catalogue, kind: str) -> set[str]:
    """The parameters by which some owner of this type answers clients."""
    owners = (s for s in catalogue.services if kind in s.owns)
    return set(OF_EVERY_TYPE).union(*(s.search.get(kind, {}).keys() - s.private for s in owners))


def values_of(catalogue: Catalogue, resource: Resource, parameter: str) -> Sequence[str]:
    """What a resource is found by under a parameter of its owner's."""
    owner = next(s for s in catalogue.services if str(resource["id"]).startswith(f"{s.prefix}-"))
    values = owner.search.get(str(resource["resourceType"]), {}).get(parameter)
    return values(resource) if values is not None else ()


def kinds_of(catalogue: Catalogue) -> Mapping[str, set[str]]:
    """Every type held here and the parameters it is found by."""
    kinds = {kind for service in catalogue.services for kind in service.owns}
    return {kind: declared_parameters(catalogue, kind) for kind in sorted(kinds)}


def query_of(
    catalogue: Catalogue, kind: str, params: Params, *, strict: bool, most: int = MOST, ours: bool = False
) -> Query:
    """What a search asks; refuses values that can mean nothing, most modifiers, chains, and where strict the unknown.

    `ours`: one of our own processes asks; its lists of ids may be long and its answer begins where it says.
    """
    declared = declared_parameters(catalogue, kind)
    asked = [(name, value) for name, value in params if name not in _OF_EVERY_READ]
    internal = {AFTER} if ours else set()
    for name, value in asked:
        _check(name, value, declared, longest=_LONGEST * 200 if ours else _LONGEST)
    supported = [(n, v) for n, v in asked if _is_supported(catalogue, declared, kind, n, v)]
    beside = {CURSOR, *internal}
    ignored = len({name for name, value in asked if (name, value) not in supported and name not in beside})
    if ignored and strict:
        known = ", ".join(sorted(declared | set(RESULT)))
        raise refused(400, "not-supported", f"of {kind}, the parameters {known} would be right")
    wanted = tuple((name, value) for name, value in supported if value)
    single = dict(asked)
    return Query(
        kind, wanted, count_of(wanted, most), ignored, tuple(_sort(wanted)), tuple(_includes(wanted)),
        single.get(CURSOR), single.get(AFTER) if ours else None,
    )  # fmt: skip


def _check(name: str, value: str, declared: set[str], longest: int) -> None:
    simple, _, modifier = name.partition(":")
    plain = re.split(r"[:.]", name)[0]
    if len(value) > longest or (name != CURSOR and _CONTROL.search(value)):
        raise refused(400, "value", f"search values of at most {_LONGEST} printable characters would be right")
    if plain != name and (plain in declared or plain == "_has"):
        if modifier != "missing" or simple in OF_EVERY_TYPE or simple not in declared:
            raise refused(
                400, "not-supported", "a search parameter without chain or modifier but :missing would be right"
            )
        if value not in ("true", "false"):
            raise refused(400, "value", f"{simple}:missing as true or false would be right")
    elif name in declared and type_of(name) == "date":
        _check_dates(name, value)


def _check_dates(name: str, value: str) -> None:
    for text in alternatives(value):
        prefix, date = prefixed(text)
        if text and (prefix not in _PREFIXES or span(date) is None):
            right = f"{name}: a date or an instant, with one of {_PREFIXES} before it or none, would be right"
            raise refused(400, "value", right)


def _is_supported(catalogue: Catalogue, declared: set[str], kind: str, name: str, value: str) -> bool:
    match name:
        case "_sort":
            return all(part.removeprefix("-") in declared for part in value.split(","))
        case "_include" | "_revinclude":
            return _is_includable(catalogue, kind, _include(value, reverse=name == "_revinclude"))
        case "_summary":
            return value in ("count", "false")
        case "_total":
            return value in ("none", "estimate", "accurate")
        case "_count":
            return True
    return name.removesuffix(":missing") in declared


def _is_includable(catalogue: Catalogue, kind: str, include: Include | None) -> bool:
    if include is None or type_of(include.parameter) != "reference":
        return False
    fits = include.target in (None, kind) if include.reverse else include.source == kind
    return fits and include.parameter in declared_parameters(catalogue, include.source)


def _include(value: str, *, reverse: bool) -> Include | None:
    source, parameter, target = (*value.split(":"), "", "")[:3]
    return Include(source, parameter, target or None, reverse) if value.count(":") in (1, 2) else None


def _includes(params: Params) -> Iterator[Include]:
    for name, value in dict.fromkeys(params):
        if name in ("_include", "_revinclude") and (found := _include(value, reverse=name == "_revinclude")):
            yield found


def _sort(params: Params) -> Iterator[tuple[str, bool]]:
    """(parameter, descending) of the last `_sort`."""
    text = dict(params).get("_sort", "")
    yield from ((part.removeprefix("-"), part.startswith("-")) for part in text.split(",") if part)


def count_of(params: Params, most: int) -> int:
    """How many are shown, by `_count`."""
    text = dict(params).get("_count", str(most))
    if not text.isascii() or not text.isdigit():
        raise refused(400, "value", "_count: a whole number from 0 would be right")
    return min(int(text.lstrip("0")[:9] or "0"), most)

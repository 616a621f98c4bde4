"""Reads the everyday part of FHIRPath and compiles as it reads, so that a hot invariant costs microseconds.

What it does not know it leaves to fhirpathpy: most arithmetic, indexes, `resolve()`, `repeat()`, `%resource`, dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from shared.fhir.fhirpath.closures import FUNCTIONS, NAMED, resource_is
from shared.fhir.fhirpath.members import (
    TYPES,
    Beyond,
    Judge,
    Many,
    Member,
    always,
    judge,
    member,
    nothing,
    resource_named,
    this,
)
from shared.fhir.fhirpath.operators import OPERATORS

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*')|(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_$%]\w*)|(?P<sign><=|>=|!=|[=<>().,|+&]))"
)
_ESCAPED = re.compile(r"\\(.)")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset(("implies",)),
    frozenset(("or", "xor")),
    frozenset(("and",)),
    frozenset(("in", "contains")),
    frozenset(("=", "!=")),
    frozenset(("<", ">", "<=", ">=")),
    frozenset(("|",)),
    frozenset(("is",)),
    frozenset(("+", "&")),
)
"""Operators, those that bind least first."""


def compiled(expression: str, type_: str) -> Judge | None:
    """The truth of the expression for a value of a type; None when the expression is more than this file knows.

    What is compiled raises Beyond on values it cannot judge.
    """
    try:
        return judge(_Reader(expression, type_).whole())
    except Beyond:
        return None


class _Reader:
    """Reads an expression by precedence and compiles as it reads."""

    def __init__(self, expression: str, type_: str) -> None:
        self._tokens = list(_tokens(expression))
        self._at = 0
        self._type = type_

    def whole(self) -> Many:
        found = self._level(0)
        if self._at < len(self._tokens):
            raise Beyond
        return found

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        found = self._peek()
        self._at += 1
        return found

    def _given(self, sign: str) -> bool:
        if self._peek() == ("sign", sign):
            self._at += 1
            return True
        return False

    def _expected(self, sign: str) -> None:
        if not self._given(sign):
            raise Beyond

    def _level(self, level: int) -> Many:
        """Operands of one level, left to right."""
        if level == len(_LEVELS):
            return self._path()
        left = self._level(level + 1)
        while (word := self._peek()[1]) in _LEVELS[level] and self._peek()[0] != "text":
            self._at += 1
            left = self._typed(left) if word == "is" else OPERATORS[word](left, self._level(level + 1))
        return left

    def _typed(self, left: Many) -> Many:
        """`is`: of the value itself by its type, of a resource by its resourceType."""
        kind, name = self._next()
        if kind != "word":
            raise Beyond
        return always(self._is(name)) if left is this else resource_is(left, name)

    def _is(self, name: str) -> bool:
        """Whether the value checked is of a type; a criterion is about other values."""
        if "." in self._type or self._type in ("", "Resource", "DomainResource"):
            raise Beyond
        return _lowered(name) == _lowered(self._type)

    def _path(self) -> Many:
        found = self._term()
        while self._given("."):
            found = self._step(found)
        return found

    def _term(self) -> Many:
        kind, text = self._peek()
        if kind == "text":
            self._at += 1
            return always(_unquoted(text))
        if kind == "number":
            self._at += 1
            return always(Decimal(text) if "." in text else int(text))
        if self._given("("):
            inner = self._level(0)
            self._expected(")")
            return inner
        if text in NAMED:
            self._at += 1
            return NAMED[text]
        if text[:1] in ("$", "%"):
            raise Beyond
        return self._step(this)

    def _step(self, of: Many) -> Many:
        """A member of what comes before, or a function of it."""
        kind, name = self._next()
        if kind != "word":
            raise Beyond
        if not self._given("("):
            return resource_named(of, name) if name[:1].isupper() else member(of, name)
        if name in ("ofType", "as"):
            return self._chosen(of)
        if name == "is":
            kind, typed = self._next()
            self._expected(")")
            return resource_is(of, typed)
        if name not in FUNCTIONS:
            raise Beyond
        try:
            return FUNCTIONS[name](of, *self._arguments())
        except TypeError:  # another number of arguments than the function has
            raise Beyond from None

    def _arguments(self) -> Iterator[Many]:
        if self._given(")"):
            return
        kept, self._type = self._type, ""
        yield self._level(0)
        while self._given(","):
            yield self._level(0)
        self._type = kept
        self._expected(")")

    def _chosen(self, of: Many) -> Many:
        """`value.ofType(Quantity)`: the choice element written with that type."""
        kind, name = self._next()
        self._expected(")")
        typed = name[:1].upper() + name[1:]
        if kind != "word" or typed not in TYPES:
            raise Beyond
        if of is this:
            return this if self._is(name) else nothing
        if isinstance(of, Member) and of.choice:
            return member(of.before, f"{of.choice}{typed}")
        raise Beyond


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = expression.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise Beyond
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(lambda found: _CONTROLS.get(found[1], found[1]), text[1:-1])


def _lowered(name: str) -> str:
    return name[:1].lower() + name[1:]

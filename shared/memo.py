"""What a pure function says of a value that is never changed, worked out once for as long as it is often asked for.

Law of this file: only functions of what they are given, and only of values nobody changes; then remembering is unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

_NUMBERS = frozenset({bool, int, float, type(None)})

Value = TypeVar("Value")
Said = TypeVar("Said")
More = ParamSpec("More")

MOST = 2048
"""Answers that are kept of one function; the oldest goes first."""
LARGEST = 16_384
"""About so many characters a value has at most that is kept alive for its answer; larger ones (documents) are asked
about anew."""


def of_each(function: Callable[Concatenate[Value, More], Said]) -> Callable[Concatenate[Value, More], Said]:
    """The same function, which remembers its answers by the very object it was asked about, kept alive meanwhile.

    An equal object is another one: it is asked anew, and so is a large one. Meant for what the store has decoded, for
    that is one object a version (`shared/store/texts.py`). Further arguments must be hashable.
    """
    known: dict[Hashable, tuple[Any, Said]] = {}

    def remembered(value: Value, *more: Any) -> Said:
        key = (id(value), *more)
        found = known.get(key)
        if found is not None:
            return found[1]
        said = cast("Callable[..., Said]", function)(value, *more)
        if not _is_small(value):
            return said
        if len(known) >= MOST:
            known.pop(next(iter(known)), None)
        known[key] = (value, said)
        return said

    return cast("Callable[Concatenate[Value, More], Said]", remembered)


def _is_small(value: Any) -> bool:
    """Whether all that a value holds is about `LARGEST` characters or less; looks no further than that."""
    left, open_ = LARGEST, [value]
    while open_ and left >= 0:
        inner = open_.pop()
        # Nearly everything is a plain list, dict or string, and asking for its class costs a third of isinstance.
        items = inner if inner.__class__ is list else _parts(inner)
        left -= len(items)
        for item in items:
            if item.__class__ is str:
                left -= len(item)
            elif item.__class__ not in _NUMBERS:
                open_.append(item)
    return left >= 0


def _parts(value: Any) -> Collection[Any]:
    if value.__class__ is dict or isinstance(value, Mapping):
        return cast("Collection[Any]", value.values())
    if isinstance(value, str):
        return (str(value),)
    return value if isinstance(value, list | tuple) else ()

"""What a rule answers, and how it looks at a JSON object of any content: nothing here ever raises."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from shared.fhir.problems import Scope

Value = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A rule that could not be evaluated; the reason never holds a value of a patient."""

    reason: str


Broken = Callable[[Value, Scope], bool | list[str] | Unknown]


def has(value: Value, *names: str) -> bool:
    """Whether one of the elements is there, with a value or with a primitive extension."""
    for name in names:  # noqa: SIM110 - loops here run for every object, and any() takes twice as long
        if name in value or f"_{name}" in value:
            return True
    return False


def has_choice(value: Value, name: str) -> bool:
    """Whether a choice element is there in any of its types."""
    starts = (name, f"_{name}")
    for key in value:  # noqa: SIM110
        if key.startswith(starts):
            return True
    return False


def both(value: Value, one: str, other: str) -> bool:
    """Whether two elements that exclude each other are both there."""
    return has(value, one) and has(value, other)


def without(value: Value, one: str, other: str) -> bool:
    """Whether an element is there without the other it needs."""
    return has(value, one) and not has(value, other)


def objects(value: Value, name: str) -> Iterator[tuple[int, Value]]:
    """(position, object) of a repeating element."""
    items = value.get(name)
    return (
        ((at, item) for at, item in enumerate(items) if isinstance(item, dict)) if isinstance(items, list) else iter(())
    )


def inside(value: Value, name: str) -> Value:
    """An element that is one object; empty when it is not."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def coded(concept: Value, system: str, *codes: str) -> bool:
    """Whether a CodeableConcept has one of the codes of a system."""
    return any(c.get("system") == system and c.get("code") in codes for _, c in objects(concept, "coding"))


def number(value: Any) -> Decimal | None:
    """A JSON number, or None."""
    return Decimal(value) if isinstance(value, Decimal | int) and not isinstance(value, bool) else None


def negative(value: Value, name: str) -> bool:
    """Whether an element is a number below zero."""
    found = number(value.get(name))
    return found is not None and found < 0


def written(value: Any) -> Any:
    """What tells a JSON value from others: its text, in which a number is not a string of the same digits."""
    if value.__class__ is str:
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(value, sort_keys=True, default=str).encode()

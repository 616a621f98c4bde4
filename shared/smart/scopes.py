"""What a token allows: SMART backend scopes, read, narrowed to the registration, asked per interaction."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shared.smart.errors import InvalidScope

Interaction = Literal[
    "create", "read", "vread", "history-instance", "update", "patch", "delete", "search-type", "history-type"
]
"""An interaction with one resource type, as http://hl7.org/fhir/restful-interaction names it."""

_LETTERS: dict[Interaction, str] = {
    "create": "c",
    "read": "r",
    "vread": "r",
    "history-instance": "r",
    "update": "u",
    "patch": "u",
    "delete": "d",
    "search-type": "s",
    "history-type": "s",
}
_ORDER = "cruds"
_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}
_SCOPE = re.compile(
    r"system/(?P<type>\*|[A-Z][A-Za-z]{0,63})\.(?:(?P<old>read|write|\*)|(?P<letters>(?=[cruds])c?r?u?d?s?))", re.ASCII
)
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Scope:
    """Interactions (letters of `cruds`, in that order) with one resource type, or with every one (`*`)."""

    resource_type: str
    letters: str

    def __str__(self) -> str:
        return f"system/{self.resource_type}.{self.letters}"


def parse(text: str) -> tuple[Scope, ...]:
    """The scopes of a space-separated list, in version 2 form, each type once. Raises InvalidScope naming the place."""
    if not 0 < len(text) <= _LONGEST:
        raise InvalidScope(f"scope: 1 to {_LONGEST} characters like `system/Patient.rs system/Task.cu` would be right")
    return _merged(_scope(n, word) for n, word in enumerate(text.split(" "), start=1))


def stated(scopes: Iterable[Scope]) -> str:
    """The scopes as the token response states them."""
    return " ".join(map(str, scopes))


def granted(requested: tuple[Scope, ...], allowed: tuple[Scope, ...]) -> tuple[Scope, ...]:
    """What of the request the registration allows: all of it, or less (the response states it).

    `system/*.rs` asked of a registration for `system/Patient.rs` gives `system/Patient.rs`.
    Raises InvalidScope when nothing is left.
    """
    common = _merged(both for asked in requested for may in allowed if (both := _common(asked, may)).letters)
    if not common:
        raise InvalidScope("scope: nothing of it is registered for this client")
    return common


def allows(scopes: Iterable[Scope], resource_type: str, interaction: Interaction) -> bool:
    """Whether these scopes allow this interaction with this resource type."""
    letter = _LETTERS[interaction]
    return any(scope.resource_type in ("*", resource_type) and letter in scope.letters for scope in scopes)


def _scope(place: int, word: str) -> Scope:
    found = _SCOPE.fullmatch(word)
    if found is None:
        raise InvalidScope(f"scope {place}: {_reason(word)}")
    return Scope(found["type"], found["letters"] or _VERSION_1[found["old"]])


def _reason(word: str) -> str:
    if "?" in word:
        return "restriction by search parameters is not supported"
    if not word.startswith("system/"):
        return "only system/ scopes are given to backend services"
    return "system/ a resource type or *, then . and letters of cruds in that order, would be right"


def _common(asked: Scope, may: Scope) -> Scope:
    """What both allow; without letters where they name different types."""
    if "*" not in (asked.resource_type, may.resource_type) and asked.resource_type != may.resource_type:
        return Scope(asked.resource_type, "")
    resource_type = may.resource_type if asked.resource_type == "*" else asked.resource_type
    return Scope(resource_type, _ordered(set(asked.letters) & set(may.letters)))


def _merged(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Each type once, in the order first named, without what `*` allows anyway."""
    letters: dict[str, set[str]] = {}
    for scope in scopes:
        letters.setdefault(scope.resource_type, set()).update(scope.letters)
    every = letters.get("*", set())
    return tuple(Scope(t, _ordered(own)) for t, own in letters.items() if t == "*" or own - every)


def _ordered(letters: set[str]) -> str:
    return "".join(letter for letter in _ORDER if letter in letters)

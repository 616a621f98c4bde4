"""Whether codes are of the value set an element is bound to, and which codings were found good before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.fhir.primitives import coded
from shared.fhir.problems import Check, Problems, Scope, one

_REMEMBERED = 4096
"""Codings kept."""
_SHORT = 10_000
"""Characters of a text of which the limit is far."""


def binding_of(code: str, codings: frozenset[tuple[str, str]], *, text: bool = False) -> Check | None:
    """The check of a binding for a value of a type; None for a type that has no codes.

    text  whether a CodeableConcept without any coding is enough, as in an extensible binding.
    """
    codes = frozenset(code for _, code in codings)
    if code == "CodeableConcept":
        return concept_in(codings, text=text)
    if code in ("Coding", "Quantity"):
        return coding_in(codings)
    return coded(codes) if code in ("code", "string", "uri") else None


def coding_in(codings: frozenset[tuple[str, str]]) -> Check:
    """A Coding, or the unit of a Quantity, of a required binding."""

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        return None if bound_in([value], codings) else one("code-invalid", "must be a coding of the required value set")

    return check


def concept_in(codings: frozenset[tuple[str, str]], *, text: bool = False) -> Check:
    """A CodeableConcept of a required binding: one coding at least; only extensions may stand for it."""
    instead = frozenset(("extension", "text")) if text else frozenset(("extension",))

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        try:
            (coding,) = value["coding"]
            if (coding["system"], coding["code"]) in codings:
                return None
        except (KeyError, TypeError, ValueError):
            pass
        if value.__class__ is not dict or ("coding" not in value and not instead.isdisjoint(value)):
            return None
        listed = value.get("coding")
        bound = listed.__class__ is list and bound_in(listed, codings)
        return None if bound else one("code-invalid", "needs a coding of the required value set", path=".coding")

    return check


def bound_in(listed: Sequence[Any], codings: frozenset[tuple[str, str]]) -> bool:
    """Whether one of these codings is of a value set."""
    for coding in listed:
        if coding.__class__ is dict:
            system, code = coding.get("system"), coding.get("code")
            if system.__class__ is str and code.__class__ is str and (system, code) in codings:
                return True
    return False


def remembering(check: Check) -> Check:
    """The check of a Coding, passed over where its system and code, and nothing else, were good before.

    The same few stand everywhere. So many are kept; they are codes, and nothing of whom they are said.
    """
    known: set[tuple[str, str]] = set()

    def remembered(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        if value.__class__ is not dict or len(value) != 2:
            return check(value, parent, scope)
        system, code = value.get("system"), value.get("code")
        if system.__class__ is not str or code.__class__ is not str:
            return check(value, parent, scope)
        if (system, code) in known:
            return None
        found = check(value, parent, scope)
        if found is None and len(known) < _REMEMBERED:
            known.add((system, code))
        return found

    return remembered


def remembering_concept(check: Check) -> Check:
    """The same for a CodeableConcept of one such coding, with or without a text, which is looked at every time."""
    known: set[tuple[str, str]] = set()

    def remembered(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        try:
            (coding,) = value["coding"]
            key = coding["system"], coding["code"]
            alone = len(coding) == 2 and (len(value) == 1 or _with_text(value))
            if alone and key in known:
                return None
        except (KeyError, TypeError, ValueError):
            return check(value, parent, scope)
        found = check(value, parent, scope)
        if found is None and alone and len(known) < _REMEMBERED:
            known.add(key)
        return found

    return remembered


def _with_text(concept: Mapping[str, Any]) -> bool:
    """Whether there is nothing beside the codings but a short text."""
    text = concept.get("text")
    return len(concept) == 2 and text.__class__ is str and 0 < len(text) < _SHORT

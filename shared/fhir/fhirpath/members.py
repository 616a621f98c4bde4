"""What everyday FHIRPath is made of: members of JSON objects, constants, and the truth of a collection."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Items = list[Any]
Many = Callable[[Any], Items]
"""The value at hand -> a collection."""
Truth = bool | None
Judge = Callable[[Any], Truth]


class Beyond(Exception):
    """More than this file knows."""


_CHOICES = frozenset(
    re.findall(
        r"\w+",
        """abatement additive age allowed amount answer asNeeded author born bounds characteristic chargeItem
        code collected content created date deceased defaultValue definingSubstance definition detail
        diagnosis dose doseNumber due effective entity event example fastingStatus fixed identified
        indication item legallyBinding location manufacturer maxValue medication minValue minimumVolume
        module multipleBirth name occurred occurrence offset onset participantEffective pattern performed
        probability procedure product quantity rate reported scheduled seriesDoses serviced source start
        statusReason studyEffective subject substance target time timing topic used value when""",
    )
)
"""Elements of R4 that are written with the name of their type."""

TYPES = frozenset(
    re.findall(
        r"\w+",
        """Address Age Annotation Attachment Base64Binary Boolean Canonical Code CodeableConcept Coding ContactDetail
    ContactPoint Contributor Count DataRequirement Date DateTime Decimal Distance Dosage Duration Expression HumanName
    Id Identifier Instant Integer Markdown Meta Money Oid ParameterDefinition Period PositiveInt Quantity Range Ratio
    Reference RelatedArtifact SampledData Signature String Time Timing TriggerDefinition UnsignedInt Uri Url
    UsageContext Uuid""",
    )
)


def truth(items: Items) -> Truth:
    """The truth of a collection: None when it is empty; a single boolean is itself, and anything else is true."""
    if not items:
        return None
    return items[0] if len(items) == 1 and items[0].__class__ is bool else True


def lone(value: Any) -> bool:
    """Whether extensions stand for the value of a primitive."""
    return isinstance(value, dict) and value.keys() <= {"id", "extension"}


class Judged:
    """A collection that is true, false or empty, of which `of` answers without making it."""

    __slots__ = ("of",)

    def __init__(self, of: Judge) -> None:
        self.of = of

    def __call__(self, value: Any) -> Items:
        answer = self.of(value)
        return [] if answer is None else [answer]


def judge(of: Many) -> Judge:
    """The truth of a collection of the value at hand."""
    return of.of if isinstance(of, Judged) else lambda value: truth(of(value))


class Always:
    """One value, whatever is asked."""

    __slots__ = ("items", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.items: Items = [value]

    def __call__(self, value: Any) -> Items:
        return self.items


def always(value: Any) -> Many:
    return Always(value)


def this(value: Any) -> Items:
    return [value]


def nothing(value: Any) -> Items:
    return []


def resource_named(of: Many, name: str) -> Many:
    """`Patient` at the start of a path: the resource itself, when it is one."""
    if of is not this:
        raise Beyond
    return lambda value: [value] if value.__class__ is dict and value.get("resourceType") == name else []


class Member:
    """The members of one name; a choice element under any of its names, extensions where there is no value."""

    __slots__ = ("_beside", "before", "choice", "name")

    def __init__(self, before: Many, name: str) -> None:
        self.before = before
        self.name = name
        self.choice = name if name in _CHOICES else ""
        self._beside = f"_{name}"

    def __call__(self, value: Any) -> Items:
        found: Items = []
        for one in self.before(value):
            if one.__class__ is not dict:
                continue
            item = one.get(self.name)
            if item is None or (item.__class__ is list and self._beside in one):
                item = self._other(one, item)
            if item.__class__ is list:
                found += item
            elif item is not None:
                found.append(item)
        return found

    def _other(self, one: Mapping[str, Any], value: Any) -> Any:
        """What stands for an element that is not there under its own name."""
        if value is not None or one.get(self._beside).__class__ is list:
            raise Beyond
        if self._beside in one:
            return one[self._beside]
        for key, chosen in one.items() if self.choice else ():
            bare = key.removeprefix("_")
            if bare.startswith(self.choice) and bare[len(self.choice) :] in TYPES and (bare == key or bare not in one):
                return chosen
        return None


def member(of: Many, name: str) -> Many:
    return Member(of, name)


def literal(of: Many) -> str | None:
    """The text where this is a literal one that is not empty; else None."""
    return of.value or None if isinstance(of, Always) and of.value.__class__ is str else None


def own(of: Many) -> str | None:
    """The name of a member of the value at hand itself; None when this is anything else."""
    return of.name if isinstance(of, Member) and of.before is this else None

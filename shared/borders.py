"""Under which profile a resource crosses from one service to another: stamped when saved, understood when heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from shared.core import CANONICAL, IDENTIFIERS, Resource, Service
from shared.fhir import definitions
from shared.fhir.outcomes import Issue, errors
from shared.memo import of_each
from shared.places import public

if TYPE_CHECKING:
    from shared.fhir.profiles import Validator

PROFILE = CANONICAL + "StructureDefinition/"
DECISION_MESSAGE = PROFILE + "decision-message|1.0"

_DIGITS = 6
"""Digits of a major version that are read: of thousands Python makes no number."""

Check = Callable[[Resource, str], Sequence[Issue]]
"""(resource, canonical|version of a profile, or "" for base R4) -> its issues."""

Upcasts = Mapping[tuple[str, int], Callable[[Resource], Resource]]
"""(profile name, major version) -> what turns a resource of that version into one of the next."""

_CODED: Mapping[str, tuple[str, str]] = {
    "Task": ("code", CANONICAL + "CodeSystem/task-code"),
    "Appointment": ("serviceCategory", CANONICAL + "CodeSystem/appointment-kind"),
}


COVERAGE_REQUIREMENTS_ID = IDENTIFIERS + "coverage-requirements"
"""Names what a payer's rules said of an order by the benefit request on whose occasion they were asked."""


def kind_of(resource: Resource) -> str:
    """`Type`, or `Type#code` where owner and profile hang on it: Task, Appointment, our filler orders, our papers,
    our Subscriptions at payers, what a payer's rules say of an order.

    Takes any JSON object: it is asked before anything is checked.
    """
    name = str(resource.get("resourceType"))
    if name == "ServiceRequest":
        return "ServiceRequest#filler-order" if resource.get("intent") == "filler-order" else name
    if name in ("Binary", "DocumentReference") and str(resource.get("id")).startswith("au-"):
        return f"{name}#letter"
    if name == "Subscription" and str(resource.get("id")).startswith("au-"):
        return "Subscription#at-payer"
    if name == "ClaimResponse" and str(resource.get("id")).startswith("in-"):
        return "ClaimResponse#held"
    if name == "CoverageEligibilityResponse" and COVERAGE_REQUIREMENTS_ID in _systems(resource.get("identifier")):
        return f"{name}#coverage-requirements"
    element, system = _CODED.get(name, ("", ""))
    code = next((c for c in _codes(resource.get(element), system)), None)
    return f"{name}#{code}" if code else name


def _systems(identifiers: Any) -> Iterable[Any]:
    return [i.get("system") for i in identifiers if isinstance(i, dict)] if isinstance(identifiers, list) else []


def _codes(value: Any, system: str) -> Iterable[str]:
    for concept in value if isinstance(value, list) else [value]:
        codings = concept.get("coding") if isinstance(concept, dict) else None
        for coding in codings if isinstance(codings, list) else ():
            if isinstance(coding, dict) and coding.get("system") == system and isinstance(coding.get("code"), str):
                yield coding["code"]


def types_of(kinds: Iterable[str]) -> frozenset[str]:
    """The resource types of kinds."""
    return frozenset(kind.partition("#")[0] for kind in kinds)


def stamped(resource: Resource, named: str) -> Resource:
    """The resource declaring our profile `name|version`, beside the profiles of others it came with."""
    meta = resource.get("meta", {})
    return {**resource, "meta": {**_unprofiled(meta), "profile": [*_of_others(meta), PROFILE + named]}}


def undeclared(meta: Mapping[str, Any]) -> dict[str, Any]:
    """A `meta` without the profiles that are ours to declare."""
    others = _of_others(meta)
    return {**_unprofiled(meta), "profile": others} if others else _unprofiled(meta)


def _unprofiled(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in meta.items() if k not in ("profile", "_profile")}


def _of_others(meta: Mapping[str, Any]) -> list[str]:
    """Profiles named that are not ours; one only an extension speaks of is null."""
    return [p for p in meta.get("profile", ()) if p is not None and not p.startswith(PROFILE)]


def version_said(resource: Resource, name: str) -> int:
    """The major version in which a resource declares our profile of this name; 0 when it declares none."""
    meta = resource.get("meta")
    listed = meta.get("profile") if isinstance(meta, dict) else None
    for canonical in listed if isinstance(listed, list) else ():
        url, _, version = str(canonical).partition("|")
        major = version.partition(".")[0]
        if url == PROFILE + name and major.isdecimal():
            return int(major[:_DIGITS])
    return 0


@cache
def checking(validator: Validator) -> Check:
    """The check of a border: against one profile, or base R4 where none is named."""

    def check(resource: Resource, profile: str) -> Sequence[Issue]:
        return validator.check(resource, (profile,) if profile else ())

    return check


def worded(issues: Sequence[Issue], most: int) -> list[str]:
    """The first issues as `<FHIRPath>: <rule, else issue code>: <what would be right>`."""
    return [f"{i.expression}: {i.rule or i.code}: {i.diagnostics}" for i in issues[:most]]


class OutOfReach(Exception):
    """Something stored is of a version that nothing turns into the one this release works with."""

    @property
    def told(self) -> str:
        """What may be said of it anywhere."""
        return str(self)


def unknown_profiles(service: Service) -> list[str]:
    """Each profile a service declares that the compiled contracts do not hold in that version, in words."""
    known = definitions.carepod()
    saved = (("saves", named) for named in service.profiles.values())
    read = (("reads", named) for named in service.reads.values())
    unknown = [(does, named) for does, named in (*saved, *read) if known.profile(PROFILE + named) is None]
    held = {named: known.profile(PROFILE + named.partition("|")[0]) for _, named in unknown}
    versions = {named: h.name.rpartition("|")[2] if h else "none of that name" for named, h in held.items()}
    return [f"{service.name} {does} {named}; the contracts hold {versions[named]}" for does, named in unknown]


@dataclass(frozen=True, slots=True)
class Border:
    """What one service may save and what it understands of others.

    check    the process's validator.
    upcasts  what brings a resource of an older major version up to the next.
    """

    service: Service
    check: Check
    upcasts: Upcasts = field(default_factory=dict)
    stored: Callable[[Resource], Resource] = field(init=False, repr=False, compare=False)
    """A stored resource in the version this release works with. Raises OutOfReach when nothing leads there."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "stored", of_each(self._current))

    def leaving(self, resource: Resource) -> tuple[Resource, list[Issue]]:
        """A resource as it is saved, declaring its profile, and every reason why it may not be."""
        kind, profiles = kind_of(resource), self.service.profiles
        if profiles and kind not in profiles:
            return resource, [Issue("not-supported", kind.partition("#")[0], f"{self.service.name} declares no {kind}")]
        named = profiles.get(kind, "")
        declared = stamped(resource, named) if named else resource
        return declared, self._broken(declared, named)

    def read(self, resources: Sequence[Resource]) -> list[Resource]:
        """What of a message this service reads, as it came."""
        return [r for r in resources if self._read_as(r) is not None]

    def heard(self, resources: Sequence[Resource]) -> tuple[list[Resource], list[Issue]]:
        """What a message brings that this service reads, in the version it understands, and what is wrong with it."""
        read: list[Resource] = []
        issues: list[Issue] = []
        for resource in resources:
            named = self._read_as(resource)
            if named is not None:
                current, broken = self._understood(resource, named)
                read.append(current)
                issues += broken
        return read, issues

    def _current(self, resource: Resource) -> Resource:
        named = self.service.profiles.get(kind_of(resource)) or self._read_as(resource) or ""
        current, issues = self._upcast(resource, named) if named else (resource, [])
        if issues:
            raise OutOfReach(issues[0].diagnostics)
        return current

    def _read_as(self, resource: Resource) -> str | None:
        """`name|major` this service reads a resource by; "" is base R4, None when it does not read it."""
        if not self.service.reads:
            return "" if resource["resourceType"] in self.service.listens else None
        return self.service.reads.get(kind_of(resource))

    def _understood(self, resource: Resource, named: str) -> tuple[Resource, list[Issue]]:
        current, issues = self._upcast(resource, named) if named else (resource, [])
        return current, issues or _wrong(_checked(current, self.check, PROFILE + named if named else ""))

    def _upcast(self, resource: Resource, named: str) -> tuple[Resource, list[Issue]]:
        """The resource in the wanted major version, or why that cannot be had."""
        name, _, version = named.partition("|")
        wanted, said = int(version.partition(".")[0]), version_said(resource, name)
        while said < wanted:
            upcast = self.upcasts.get((name, said))
            if upcast is None and said:
                return resource, [_too_far(resource, name, wanted, "an older")]
            # What was said before profiles were declared is version 1 that does not say so.
            resource, said = stamped(upcast(resource) if upcast else resource, f"{name}|{said + 1}.0"), said + 1
        return resource, [_too_far(resource, name, wanted, "a newer")] if said > wanted else []

    def _broken(self, resource: Resource, named: str) -> list[Issue]:
        return _wrong(self.check(resource, PROFILE + named if named else ""))


def _wrong(issues: Sequence[Issue]) -> list[Issue]:
    return [replace(i, expression=public(i.expression)) for i in errors(issues)]


@of_each
def _checked(resource: Resource, check: Check, profile: str) -> Sequence[Issue]:
    """What several services of this process hear in one profile is checked once."""
    return check(resource, profile)


def _too_far(resource: Resource, name: str, wanted: int, other: str) -> Issue:
    text = f"version {wanted} of {name} is understood here, and this is {other} one"
    return Issue("not-supported", f"{resource['resourceType']}.meta.profile", text)

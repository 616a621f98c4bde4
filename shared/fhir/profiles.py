"""Whether a resource is legal: element definitions compiled to Python closures, one type at a time, when first needed.

Every border asks the one `Validator` of its process. It answers with all issues, never with a value of a patient.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from shared.core import CANONICAL
from shared.fhir import definitions
from shared.fhir.bindings import coding_in, concept_in, remembering, remembering_concept
from shared.fhir.closures import (
    Members,
    Rule,
    Shape,
    also,
    array_beside,
    array_of,
    extension_beside,
    forbidden,
    obeying,
    obeying_value,
    object_of,
    unknown_in,
)
from shared.fhir.definitions import Definitions, Element, Structure, Type
from shared.fhir.extensions import defined, understood
from shared.fhir.fhirpath import rule_of
from shared.fhir.outcomes import Issue
from shared.fhir.overlays import Overlays
from shared.fhir.primitives import PRIMITIVES, coded
from shared.fhir.problems import MOST, Check, Demand, Problem, Problems, Scope, one, type_of
from shared.fhir.prose import RULES
from shared.fhir.slicing import matcher_of
from shared.fhir.slots import url_of
from shared.fhir.targets import leading_to

_MORE = Issue("too-costly", "", f"more than {MOST} issues; the rest is not listed")
_BOUND = {"Coding": coding_in, "CodeableConcept": concept_in}


class Validator:
    """Checks resources against FHIR R4, the extensions that are known, and profiles.

    `modifiers` are the URLs of modifier extensions the caller acts on; every other one is refused, as FHIR demands,
    unless the definitions know it.
    """

    def __init__(self, of: Definitions | None = None, *, modifiers: Collection[str] = ()) -> None:
        self._definitions = of or definitions.r4()
        self._modifiers = frozenset(modifiers)
        self._objects: dict[tuple[str, str], Check] = {}
        self.overlays = Overlays(self._definitions, partial(rule_of, knows=self), matcher_of)
        self._extensions = self._definitions.extensions()
        self._resources: dict[str, Check] = {}
        self._claimed: dict[str, Structure] = {}
        self._entry = self._any_resource(contained=False)

    def check(self, resource: Mapping[str, Any], profiles: Iterable[str] = (), *, claimed: bool = False) -> list[Issue]:
        """Every issue of one resource; none when it is legal. Of a very bad one the first thousand.

        profiles  canonicals the resource has to meet; without `|version` the newest known, with `|1` the newest 1.x;
                  an unknown one is an error, not-found.
        claimed   whether the profiles named by `meta.profile`, here and in resources inside, have to be met too; of
                  an unknown one there is an information, not-found.
        """
        value = resource if isinstance(resource, dict) else dict(resource)
        scope = Scope({}, claimed=claimed)
        found = self._entry(value, {}, scope)
        if profiles:
            found = [*(found or ()), *self._asked(value, profiles, scope)]
        return self._told(value, found) if found else []

    def compiled(self) -> Validator:
        """This validator with every profile and resource type compiled now instead of when it is first needed."""
        for name in self._definitions.resource_types:
            self._typed(name)
        for canonical in self._definitions.profiles():
            structure = self._definitions.profile(canonical)
            if structure is not None:
                self.overlays.compile(structure)
        return self

    @property
    def unchecked(self) -> list[str]:
        """What the profiles used so far demand and nothing here can check, sorted."""
        return sorted(self.overlays.unchecked)

    def member(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a code is in a value set; None when its codes are not known. Without system, of any."""
        codings = self._definitions.codings(value_set.partition("|")[0])
        if codings is None:
            return None
        return (system, code) in codings if system is not None else any(c == code for _, c in codings)

    def conforms(self, resource: Mapping[str, Any], profile: str) -> bool | None:
        """Whether a resource conforms to a profile; None when the profile is not known."""
        structure = self._definitions.profile(profile)
        return None if structure is None else self.overlays.conforms(resource, structure, Scope(resource))

    def _told(self, value: Mapping[str, Any], found: list[Problem]) -> list[Issue]:
        root = type_of(value)
        root = root if root in self._definitions.resource_types else ""
        issues = [
            Issue(p.code, f"{root}{p.path}".lstrip("."), p.diagnostics, p.severity, p.rule, p.profile)
            for p in _once(found)[:MOST]
        ]
        return [*issues, _MORE] if len(found) > MOST else issues

    def _asked(self, value: Any, profiles: Iterable[str], enclosing: Scope) -> Iterator[Problem]:
        """Problems of one resource with profiles, named by canonical."""
        for canonical in dict.fromkeys(profiles):
            structure = self._definitions.profile(canonical)
            if structure is None:
                yield Problem("", "not-found", "this profile is not known here", "", "error", canonical)
            else:
                yield from self.overlays.met(value, structure, Scope(value, enclosing)) or ()

    def _claims(self, value: Mapping[str, Any], scope: Scope) -> list[Problem]:
        """Problems of one resource with the profiles it names itself."""
        meta = value.get("meta")
        named = meta.get("profile") if meta.__class__ is dict else None
        found: list[Problem] = []
        for canonical in _strings(named) if named.__class__ is list else ():
            structure = self._claimed.get(canonical) or self._definitions.profile(canonical)
            if structure is None:
                found.append(self._unknown(canonical))
                continue
            if structure.url:
                self._claimed[canonical] = structure
            found += self.overlays.met(value, structure, scope) or ()
        return found

    def _unknown(self, canonical: str) -> Problem:
        """A profile that is named and not at hand: an error of ours, for there is none, or not in that version."""
        other = self._definitions.profile(canonical.partition("|")[0])
        version = f" in that version, but as {other.name.rpartition('|')[2]}" if other is not None else ""
        severity = "error" if canonical.startswith(CANONICAL) else "information"
        told = f"a profile it names is not known here{version}"
        return Problem(".meta.profile", "not-found", told, "", severity, canonical)

    def _any_resource(self, *, contained: bool) -> Check:
        """Any resource type, by `resourceType`; a contained one resolves its references where its container does."""
        types = self._definitions.resource_types

        def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
            if value.__class__ is not dict:
                return one("structure", "must be a JSON object")
            name = value.get("resourceType")
            if not isinstance(name, str) or name not in types:
                return one("structure", "must be a resource type of FHIR R4", path=".resourceType")
            inner = scope.inner(value) if contained else Scope(value, scope, url_of(parent) if parent else "")
            if name not in self._resources:
                self._resources[name] = self._typed(name)
            problems = self._resources[name](value, parent, inner)
            if inner.claimed and "meta" in value and (wrong := self._claims(value, inner)):
                return wrong if problems is None else problems + wrong
            return problems

        return check

    def _typed(self, name: str) -> Check:
        """The check of a whole resource type, data type or profile."""
        structure = self._definitions.structure(name)
        return self._object(structure, structure.root)

    def _object(self, structure: Structure, element: Element) -> Check:
        key = (structure.name, element.path)
        if key not in self._objects:
            self._objects[key] = object_of(self._shape(structure, element))
        return self._objects[key]

    def _shape(self, structure: Structure, element: Element) -> Shape:
        """What the children of one element say their object has to look like."""
        children = structure.children.get(element.path, ())
        members = [member for child in children for member in self._members(structure, child)]
        whole = structure.kind == "resource" and element is structure.root
        if whole:
            members.append(("resourceType", ".resourceType", lambda: _given))
        labels = {name: label for name, label, _ in members}
        return Shape(
            members=Members(
                {n: c for n, _, c in members}, unknown_in(labels, frozenset(c.name for c in children if c.choice))
            ),
            labels=labels,
            required=tuple(_required(self._members(structure, child)) for child in children if child.minimum),
            choices={n: f".{c.name}" for c in children if c.choice for n, _, _ in self._members(structure, c)},
            rules=_rules(element),
            alone=whole or structure.name == "Element",
        )

    def _members(self, structure: Structure, element: Element) -> list[tuple[str, str, Callable[[], Check]]]:
        """(JSON name, path part, how its check is compiled) for each name an element may have."""
        return list(self._named(structure, element))

    def _named(self, structure: Structure, element: Element) -> Iterator[tuple[str, str, Callable[[], Check]]]:
        label = f".{element.name}"
        for type_ in element.types or (Type(""),):
            name = element.name + (type_.code[0].upper() + type_.code[1:] if element.choice else "")
            yield name, label, partial(self._whole, structure, element, type_, name)
            if type_.code in PRIMITIVES and not element.attribute and not _identifies(structure, element):
                yield f"_{name}", label, partial(self._beside, element, name)

    def _whole(self, structure: Structure, element: Element, type_: Type, name: str) -> Check:
        """The check of one member: its type, its binding, its own invariants, its number."""
        if element.maximum == 0:
            return forbidden
        single = self._single(structure, element, type_)
        if element.repeats and type_.code in PRIMITIVES:
            return array_beside(single, f"_{name}", element.maximum)
        return array_of(single, element.maximum) if element.repeats else single

    def _beside(self, element: Element, name: str) -> Check:
        """The check of `_name`, the extensions of a primitive."""
        if element.maximum == 0:
            return forbidden
        extensible = self._typed("Element")
        code = element.types[0].code == "code" and element.strength == "required"
        if element.repeats:
            return array_beside(extensible, name, element.maximum, coded=code)
        return extension_beside(extensible, name, coded=code)

    def _single(self, structure: Structure, element: Element, type_: Type) -> Check:
        """The check of one value."""
        if element.id in structure.children or element.content:
            return self._object(structure, _found(structure, element.content or element.path))
        codings = self._definitions.codings(element.value_set) if element.strength == "required" else None
        rules = _rules(element)
        if type_.code in PRIMITIVES:
            bound = type_.code == "code" and codings is not None
            plain = coded(frozenset(c for _, c in codings or ())) if bound else PRIMITIVES[type_.code]
            return also(plain, obeying_value(rules)) if rules else plain
        single = self._complex(element, type_)
        rules = tuple(rule for rule in rules if rule[1] not in self._definitions.structure(type_.code).root.constraints)
        if codings is not None and type_.code in _BOUND:
            single = also(single, _BOUND[type_.code](codings))
        return also(single, obeying(rules)) if rules else single

    def _complex(self, element: Element, type_: Type) -> Check:
        """The check of a resource or of a data type with elements of its own."""
        if type_.code == "Resource":
            return self._any_resource(contained=True) if element.name == "contained" else self._entry
        single = self._typed(type_.profiles[0] if type_.profiles else type_.code)
        if type_.code == "Coding":
            return self._coding(single)
        if type_.code == "CodeableConcept":
            return self._objects.setdefault(("CodeableConcept", "remembered"), remembering_concept(single))
        if type_.code == "Reference":
            return leading_to(single, type_.targets, self._definitions.resource_types)
        if type_.code == "Extension" and self._extensions:
            single = defined(single, self._extensions, self._demanded)
        return understood(single, self._modifiers | self._extensions) if element.name == "modifierExtension" else single

    def _coding(self, single: Check) -> Check:
        """The one check of Codings, which remembers for all of them."""
        return self._objects.setdefault(("Coding", "remembered"), remembering(single))

    def _demanded(self, url: str) -> Demand | None:
        """What an extension's definition demands."""
        structure = self._definitions.profile(url)
        return None if structure is None else self.overlays.whole(structure)


def _given(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
    return None


def _once(found: list[Problem]) -> list[Problem]:
    """Each problem once; what base R4 says already is not said again by a profile."""
    base = {(p.path, p.code, p.rule) for p in found if not p.profile}
    return list(dict.fromkeys(p for p in found if not p.profile or (p.path, p.code, p.rule) not in base))


def _strings(items: list[Any]) -> Iterable[str]:
    """Each string of an array once."""
    if len(items) == 1 and items[0].__class__ is str:
        return items
    return dict.fromkeys(item for item in items if isinstance(item, str))


def _identifies(structure: Structure, element: Element) -> bool:
    """Whether this is the id of a resource, which has no extensions."""
    return structure.kind == "resource" and element.path == f"{structure.root.path}.id"


def _required(members: list[tuple[str, str, Callable[[], Check]]]) -> tuple[str, tuple[str, ...]]:
    return members[0][1], tuple(name for name, _, _ in members)


def _rules(element: Element) -> tuple[Rule, ...]:
    """The invariants of one element that are checked: those of severity error."""
    code = element.types[0].code if len(element.types) == 1 else ""
    code = "" if code in ("BackboneElement", "Element") and "." in element.path else code
    known = (rule_of(c, element.path, code) for c in element.constraints if c.severity == "error")
    return (*(rule for rule in known if rule is not None), *RULES.get(element.path, ()))


def _found(structure: Structure, path: str) -> Element:
    """The element of a structure at a path."""
    siblings = structure.children[path.rpartition(".")[0]]
    return next(element for element in siblings if element.id == path)


@cache
def r4() -> Validator:
    """The validator of base R4 for this process, in which no modifier extension is understood."""
    return Validator()


@cache
def carepod() -> Validator:
    """The validator of R4 and of our profiles for this process."""
    return Validator(definitions.carepod())

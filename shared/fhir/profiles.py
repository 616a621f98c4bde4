"""Whether a resource is legal: element definitions compiled to Python closures, one type at a time, when first needed.

Every border asks the one `Validator` of its process. It answers with all issues, never with a value of a patient.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from shared.fhir import definitions
from shared.fhir.closures import (
    Members,
    Rule,
    Shape,
    also,
    array_beside,
    array_of,
    coding_in,
    concept_in,
    extension_beside,
    forbidden,
    obeying,
    object_of,
    unknown_in,
)
from shared.fhir.definitions import Definitions, Element, Structure, Type
from shared.fhir.invariants import BROKEN
from shared.fhir.outcomes import Issue
from shared.fhir.primitives import PRIMITIVES, coded
from shared.fhir.problems import MOST, Check, Problems, Scope, one
from shared.fhir.targets import misdirected

_MORE = Issue("too-costly", "", f"more than {MOST} issues; the rest is not listed")
_BOUND = {"Coding": coding_in, "CodeableConcept": concept_in}


class Validator:
    """Checks resources against FHIR R4.

    `modifiers` are the URLs of modifier extensions the caller acts on; every other one is refused, as FHIR demands.
    """

    def __init__(self, of: Definitions | None = None, *, modifiers: Collection[str] = ()) -> None:
        self._definitions = of or definitions.r4()
        self._modifiers = frozenset(modifiers)
        self._objects: dict[tuple[str, str], Check] = {}
        self._entry = self._any_resource(contained=False)

    def check(self, resource: Mapping[str, Any]) -> list[Issue]:
        """Every issue of one resource; none when it is legal. Of a very bad one the first thousand."""
        value = resource if isinstance(resource, dict) else dict(resource)
        root = value.get("resourceType")
        root = root if isinstance(root, str) and root in self._definitions.resource_types else ""
        found = self._entry(value, {}, Scope({})) or []
        issues = [Issue(p.code, f"{root}{p.path}".lstrip("."), p.diagnostics, "error", p.rule) for p in found[:MOST]]
        return [*issues, _MORE] if len(found) > MOST else issues

    def _any_resource(self, *, contained: bool) -> Check:
        """Any resource type, by `resourceType`; a contained one resolves its references where its container does."""
        types = self._definitions.resource_types

        def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
            if value.__class__ is not dict:
                return one("structure", "must be a JSON object")
            name = value.get("resourceType")
            if not isinstance(name, str) or name not in types:
                return one("structure", "must be a resource type of FHIR R4", path=".resourceType")
            return self._typed(name)(value, parent, scope if contained else Scope(value, scope))

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
            if type_.code in PRIMITIVES and not element.attribute:
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
        if element.repeats:
            return array_beside(extensible, name, element.maximum)
        return extension_beside(extensible, name)

    def _single(self, structure: Structure, element: Element, type_: Type) -> Check:
        """The check of one value."""
        if element.path in structure.children or element.content:
            return self._object(structure, _found(structure, element.content or element.path))
        codings = self._definitions.codings(element.value_set) if element.strength == "required" else None
        if type_.code in PRIMITIVES:
            bound = type_.code == "code" and codings is not None
            return coded(frozenset(c for _, c in codings or ())) if bound else PRIMITIVES[type_.code]
        single = self._complex(element, type_)
        if codings is not None and type_.code in _BOUND:
            single = also(single, _BOUND[type_.code](codings))
        rules = _rules(element)
        return also(single, obeying(rules)) if rules else single

    def _complex(self, element: Element, type_: Type) -> Check:
        """The check of a resource or of a data type with elements of its own."""
        if type_.code == "Resource":
            return self._any_resource(contained=True) if element.name == "contained" else self._entry
        single = self._typed(type_.profiles[0] if type_.profiles else type_.code)
        if type_.code == "Reference":
            return also(single, self._leading_to(type_.targets))
        return also(single, self._understood) if element.name == "modifierExtension" else single

    def _leading_to(self, targets: frozenset[str]) -> Check:
        types = self._definitions.resource_types

        def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
            return misdirected(value, targets, scope, types) if value.__class__ is dict else None

        return check

    def _understood(self, value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        url = value.get("url") if value.__class__ is dict else None
        if isinstance(url, str) and url in self._modifiers:
            return None
        return one("extension", "a modifier extension that is not understood here changes the meaning; refused")


def _given(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
    return None


def _required(members: list[tuple[str, str, Callable[[], Check]]]) -> tuple[str, tuple[str, ...]]:
    return members[0][1], tuple(name for name, _, _ in members)


def _rules(element: Element) -> tuple[Rule, ...]:
    """The invariants of one element that are checked: those of severity error with hand-written code."""
    known: Iterable[Any] = (
        (BROKEN.get(f"{element.path} {c.key}") or BROKEN.get(c.key), c) for c in element.constraints
    )
    return tuple((broken, c) for broken, c in known if broken is not None and c.severity == "error")


def _found(structure: Structure, path: str) -> Element:
    """The element of a structure at a path."""
    siblings = structure.children[path.rpartition(".")[0]]
    return next(element for element in siblings if element.path == path)


@cache
def r4() -> Validator:
    """The validator of base R4 for this process, in which no modifier extension is understood."""
    return Validator()

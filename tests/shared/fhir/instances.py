"""Every constraint of base R4 that a resource at hand has to keep, with the value it is said of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from shared.fhir.definitions import Constraint, Definitions, Element, Structure, Type
from shared.fhir.problems import Scope


class Asked(NamedTuple):
    """One constraint, the path and type of the element it stands at, the value and where its references resolve."""

    constraint: Constraint
    path: str
    type: str
    value: Any
    scope: Scope


def asked(resource: Mapping[str, Any], definitions: Definitions) -> Iterator[Asked]:
    """Those of severity error; members that FHIR does not know, or of another shape, are passed over."""
    found = _of_resource(dict(resource), Scope(resource), definitions)
    yield from (one for one in found if one.constraint.severity == "error")


def _of_resource(value: dict[str, Any], scope: Scope, definitions: Definitions) -> Iterator[Asked]:
    name = value.get("resourceType")
    if isinstance(name, str) and name in definitions.resource_types:
        structure = definitions.structure(name)
        yield from (Asked(c, name, name, value, scope) for c in structure.root.constraints)
        yield from _inside(value, structure, structure.root, scope, definitions)


def _inside(value: Any, structure: Structure, element: Element, scope: Scope, d: Definitions) -> Iterator[Asked]:
    known = {n: (child, t) for child in structure.children.get(element.id, ()) for n, t in _names(child)}
    for name in known.keys() & value.keys():
        child, type_ = known[name]
        for one in value[name] if isinstance(value[name], list) else [value[name]]:
            if one is not None:
                yield from _of_member(one, structure, child, type_, scope, d)


def _names(child: Element) -> Iterator[tuple[str, Type]]:
    for type_ in child.types or (Type(""),):
        yield child.name + (type_.code[:1].upper() + type_.code[1:] if child.choice else ""), type_


def _of_member(
    value: Any, structure: Structure, child: Element, type_: Type, scope: Scope, d: Definitions
) -> Iterator[Asked]:
    inline = child.id in structure.children or bool(child.content)
    code = "" if inline else type_.code
    yield from (Asked(c, child.path, code, value, scope) for c in child.constraints)
    if not isinstance(value, dict):
        return
    if inline:
        of = child if not child.content else _at(structure, child.content)
        if child.content:
            yield from (Asked(c, of.path, "", value, scope) for c in of.constraints)
        yield from _inside(value, structure, of, scope, d)
    elif code == "Resource":
        yield from _of_resource(value, scope.inner(value) if child.name == "contained" else Scope(value, scope), d)
    else:
        inner = d.structure(type_.profiles[0] if type_.profiles else code)
        yield from (Asked(c, inner.root.path, inner.root.path, value, scope) for c in inner.root.constraints)
        yield from _inside(value, inner, inner.root, scope, d)


def _at(structure: Structure, path: str) -> Element:
    return next(e for children in structure.children.values() for e in children if e.path == path)

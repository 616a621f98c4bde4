"""What a profile demands beyond the types it constrains, compiled to closures; base R4 is checked beside it.

Only where a profile says more than the base type is there anything to run, so a profile costs what it adds, and a
resource is checked against several without its base type being checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from shared.fhir import patterns
from shared.fhir.bindings import binding_of
from shared.fhir.closures import Rule, obeying, obeying_value
from shared.fhir.definitions import Definitions, Element, Slicing, Structure, Type
from shared.fhir.primitives import PRIMITIVES
from shared.fhir.problems import Demand, Problems, Scope, one
from shared.fhir.slices import Group, Keyed, Lookup, Matcher, Slice, group_of
from shared.fhir.slots import ANY, Said, children
from shared.fhir.targets import aimed

OURS = "https://carepod.example/fhir/"
"""Value sets of ours are enforced where a binding is extensible too, for we know that they are complete."""

_ANONYMOUS = ("BackboneElement", "Element")
"""Types whose elements are defined where they stand."""
_WHOLE = ("Extension",)
"""Types whose profiles the base check applies by itself, wherever they stand."""


class Base(NamedTuple):
    """The element of a base type that an element of a profile constrains."""

    structure: Structure
    element: Element


class Overlays:
    """The demands of every profile of some definitions, compiled when first needed.

    unchecked  what a profile says and nothing here can check, for want of codes, definitions or an evaluator.
    """

    def __init__(
        self,
        definitions: Definitions,
        rule_of: Callable[[Any, str, str], Rule | None],
        matcher_of: Callable[[Overlays, Structure, Element, Base, Slicing], Matcher | None],
    ) -> None:
        self.definitions = definitions
        self.unchecked: set[str] = set()
        self._rule_of = rule_of
        self._matcher_of = matcher_of
        self._wholes: dict[str, Demand] = {}
        self._compiled: dict[str, Demand] = {}
        self._decided: set[tuple[str, str]] = set()
        """(profile, element id) whose value an item has because it is in the slice."""
        self._plain: dict[str, dict[str, Element]] = {}
        self._codes: dict[Demand, frozenset[tuple[str, str]]] = {}
        """Demand -> the codes of which a concept has one, where that is all it asks."""
        self._bound: dict[Demand, tuple[str, frozenset[tuple[str, str]]]] = {}
        """Demand -> the one child it asks that of, and the codes."""

    def whole(self, structure: Structure) -> Demand:
        """All a profile demands of a value, each problem bearing its name; nothing for a base type but the type."""
        if structure.name not in self._wholes:
            self._wholes[structure.name] = self._lazy(structure)
        return self._wholes[structure.name]

    def met(self, value: Any, structure: Structure, scope: Scope) -> Problems:
        """Problems of a resource with a profile, looked for once; met again on the way round it has none."""
        key = (id(value), structure.name)
        if key not in scope.memo:
            scope.memo[key] = None
            demand = self._wholes.get(structure.name) or self.whole(structure)
            scope.memo[key] = demand(value, None, scope)
        found: Problems = scope.memo[key]
        return found

    def conforms(self, value: Any, structure: Structure, scope: Scope) -> bool:
        """Whether a value meets a profile."""
        return not self.met(value, structure, scope)

    def compile(self, structure: Structure) -> Demand:
        """The demands of a profile, compiled now."""
        if structure.name not in self._compiled:
            self._compiled[structure.name] = self._structure(structure)
        return self._compiled[structure.name]

    def _lazy(self, structure: Structure) -> Demand:
        compiled, name = self._compiled, structure.name

        def check(value: Any, beside: Any, scope: Scope) -> Problems:
            problems = (compiled.get(name) or self.compile(structure))(value, beside, scope)
            return problems and [p if p.profile else p._replace(profile=structure.name) for p in problems]

        return check

    def _structure(self, structure: Structure) -> Demand:
        """The demands of the root, behind a look at the resource type."""
        base = self.definitions.structure(structure.type)
        demand = self._demand(structure, structure.root, Base(base, base.root), Type(structure.type)) or _nothing
        if structure.kind != "resource" or structure.type in ANY:
            return demand

        def check(value: Any, beside: Any, scope: Scope) -> Problems:
            if value.__class__ is not dict or value.get("resourceType") != structure.type:
                return one("structure", f"must be a {structure.type}", path=".resourceType")
            return demand(value, beside, scope)

        return check

    def _demand(self, profile: Structure, element: Element, base: Base, type_: Type) -> Demand | None:
        """What a profile says of one value of one type; None when that is nothing new."""
        return _all(list(self._parts(profile, element, base, type_)))

    def _parts(self, profile: Structure, element: Element, base: Base, type_: Type) -> Iterator[Demand]:
        above = self._above(profile, element) or base.element
        if (profile.name, element.id) not in self._decided:
            yield from patterns.values(element, above)
        yield from self._binding(profile, element, above, type_)
        yield from self._typed(profile, above, type_)
        yield from self._children(profile, element, base, type_)
        rules = tuple(self._rules(element, above, type_))
        if rules:
            yield obeying_value(rules) if type_.code in PRIMITIVES else obeying(rules)

    def _above(self, profile: Structure, element: Element) -> Element | None:
        """The same element outside of slices, which is asked of every item and need not be asked again in a slice."""
        if ":" not in element.id:
            return None
        if profile.name not in self._plain:
            every = (e for listed in profile.children.values() for e in listed)
            self._plain[profile.name] = {e.id: e for e in every if ":" not in e.id}
        return self._plain[profile.name].get(element.path)

    def _binding(self, profile: Structure, element: Element, above: Element, type_: Type) -> Iterator[Demand]:
        ours = element.strength == "extensible" and element.value_set.startswith(OURS)
        said = (above.strength, above.value_set) == (element.strength, element.value_set)
        if said or not (element.strength == "required" or ours) or not element.value_set:
            return
        codings = self.definitions.codings(element.value_set)
        if codings is None:
            self.unchecked.add(f"{profile.name} {element.id}: codes of {element.value_set}")
        elif bound := binding_of(type_.code, codings, text=ours):
            if type_.code == "CodeableConcept":
                self._codes[bound] = codings
            yield _where_given(bound) if type_.code in PRIMITIVES else bound

    def _typed(self, profile: Structure, above: Element, type_: Type) -> Iterator[Demand]:
        """Demands of the profiles a type is narrowed to, and of where a reference may lead."""
        of_base = next((t for t in above.types if t.code == type_.code), Type(type_.code))
        if type_.profiles and type_.profiles != of_base.profiles and type_.code not in _WHOLE:
            found = [self.definitions.profile(canonical) for canonical in type_.profiles]
            known = [s for s in found if s is not None]
            if len(known) == len(found):
                yield self._one_of(known)
            else:
                self.unchecked.update(
                    f"{profile.name}: {c}" for c, s in zip(type_.profiles, found, strict=True) if not s
                )
        if type_.code == "Reference" and type_.targets and type_.targets != of_base.targets:
            yield aimed(type_.targets, self.definitions, self.conforms)

    def _one_of(self, structures: list[Structure]) -> Demand:
        """A value meets one of several profiles; of a single one every problem is told."""
        if len(structures) == 1:
            return self.whole(structures[0])
        names = " or ".join(s.name for s in structures)

        def check(value: Any, beside: Any, scope: Scope) -> Problems:
            met = any(not self.whole(s)(value, beside, scope) for s in structures)
            return None if met else one("structure", f"must conform to {names}")

        return check

    def _rules(self, element: Element, above: Element, type_: Type) -> Iterator[Rule]:
        code = "" if type_.code in _ANONYMOUS else type_.code
        for constraint in element.constraints:
            if constraint.severity == "error" and constraint not in above.constraints:
                rule = self._rule_of(constraint, element.path, code)
                if rule is not None:
                    yield rule

    def _children(self, profile: Structure, element: Element, base: Base, type_: Type) -> Iterator[Demand]:
        listed = profile.children.get(element.id, ())
        if not listed and element.content and "#" not in element.content:
            yield self._repeated(profile, element.content, base, type_)
        inner = self.inside(base, type_) if listed else None
        if inner is not None:
            known = {c.name: Base(inner.structure, c) for c in inner.structure.children.get(inner.element.id, ())}
            every = (self._said(profile, child, known[child.name]) for child in listed if child.name in known)
            said = [one for one in every if one.new]
            if said:
                demand = children(said, primitive=type_.code in PRIMITIVES)
                if len(said) == 1 and said[0].lone in self._codes:
                    self._bound[demand] = said[0].element.name, self._codes[said[0].lone]
                yield demand

    def inside(self, base: Base, type_: Type) -> Base | None:
        """Where children are defined in the base: in place, elsewhere in the type, or in the type of the value."""
        structure, element = base
        if element.id in structure.children:
            return base
        if element.content:
            return Base(structure, _found(structure, element.content))
        if not type_.code or type_.code in ANY or type_.code.startswith("http"):
            return None
        inner = self.definitions.structure(type_.code)
        return Base(inner, inner.root)

    def _repeated(self, profile: Structure, path: str, base: Base, type_: Type) -> Demand:
        """The children of an element that takes those of another of the same profile, compiled when there are any."""
        compiled: list[Demand | None] = []

        def check(value: Any, beside: Any, scope: Scope) -> Problems:
            if not compiled:
                compiled.append(_all(list(self._children(profile, _found(profile, path), base, type_))))
            return compiled[0](value, beside, scope) if compiled[0] else None

        return check

    def _said(self, profile: Structure, element: Element, base: Base) -> Said:
        """What a profile says of one child: how many, of which types, each one, and in which slices."""
        above, maximum = self._above(profile, element) or base.element, element.maximum
        decided = (profile.name, element.id) in self._decided
        demands, group = self._demands(profile, element, base), self._group(profile, element, base)
        return Said(
            element=base.element,
            least=element.minimum if element.minimum > above.minimum and not decided else 0,
            most=maximum if maximum is not None and maximum != above.maximum else None,
            allowed=_allowed(element, above),
            demands=demands,
            group=group,
            implied=isinstance(group, Lookup) and self._implied(demands, group),
        )

    def _implied(self, demands: Mapping[str, Demand], group: Lookup) -> bool:
        """Whether every item asks only for codes at the place that tells its slices, all of which are among them."""
        bound = [self._bound.get(demand, ("", frozenset())) for demand in demands.values()]
        return all(group.place == ("coding", (name,)) and group.index.keys() <= codes for name, codes in bound)

    def _demands(self, profile: Structure, element: Element, base: Base) -> dict[str, Demand]:
        types = (element.types or base.element.types) if base.element.types else (Type(""),)
        made = ((t.code, self._demand(profile, element, base, t)) for t in types)
        demands = {code: demand for code, demand in made if demand is not None}
        return _scoped(demands, element) if base.element.types and base.element.types[0].code in ANY else demands

    def _group(self, profile: Structure, element: Element, base: Base) -> Group | None:
        """How the items of an element, or of a slice that is sliced again, fall into slices."""
        sliced = profile.slices.get(element.id, ())
        if not sliced or element.slicing is None:
            return None
        made = tuple(self._slice(profile, element.slicing, one, base) for one in sliced)
        undecided = [f"{profile.name} {s.id}: slice" for s, m in zip(sliced, made, strict=True) if m.matches is None]
        self.unchecked.update(undecided)
        return group_of(made, element.slicing)

    def _slice(self, profile: Structure, slicing: Slicing, slice_: Element, base: Base) -> Slice:
        matcher = self._matcher_of(self, profile, slice_, base, slicing)
        if isinstance(matcher, Keyed) and matcher.place[1]:
            self._decided.add((profile.name, ".".join((slice_.id, *matcher.place[1]))))
        return Slice(
            name=slice_.slice_name,
            minimum=slice_.minimum,
            maximum=slice_.maximum,
            matches=matcher,
            demands=self._demands(profile, slice_, base),
            inner=self._group(profile, slice_, base),
        )


def _nothing(value: Any, beside: Any, scope: Scope) -> Problems:
    """The demand of a profile that demands nothing."""
    return None


def _where_given(demand: Demand) -> Demand:
    """A demand on the value itself, which extensions may stand for."""
    return lambda value, beside, scope: None if value is None else demand(value, beside, scope)


def _all(parts: list[Demand]) -> Demand | None:
    if len(parts) < 2:
        return parts[0] if parts else None

    def check(value: Any, beside: Any, scope: Scope) -> Problems:
        found: Problems = None
        for part in parts:
            problems = part(value, beside, scope)
            if problems:
                found = problems if found is None else found + problems
        return found

    return check


def _scoped(demands: dict[str, Demand], element: Element) -> dict[str, Demand]:
    """Demands of whole resources, each asked where the references of that resource resolve."""
    contained = element.name == "contained"

    def scoped(demand: Demand) -> Demand:
        def check(value: Any, beside: Any, scope: Scope) -> Problems:
            if value.__class__ is not dict:
                return None
            inner = scope.inner(value) if contained else Scope(value, scope, beside or "")
            return demand(value, None, inner)

        return check

    return {code: scoped(demand) for code, demand in demands.items()}


def _allowed(element: Element, above: Element) -> frozenset[str] | None:
    """The type codes a profile leaves, or None when it leaves all of them."""
    codes = frozenset(t.code for t in element.types)
    said = {t.code for t in above.types}
    return None if codes == said or not codes or not said or codes & ANY else codes


def _found(structure: Structure, path: str) -> Element:
    """The element of a structure at an id."""
    if path == structure.root.id:
        return structure.root
    siblings = structure.children[path.rpartition(".")[0]]
    return next(element for element in siblings if element.id == path)

"""Invariants: by hand where somebody wrote them, else by closures over the everyday part of FHIRPath, else fhirpathpy.

Law of this file: what cannot be evaluated is said to be unknown; it neither passes in silence, nor raises, nor prints.
Nothing of fhirpathpy is imported before the first expression that needs it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from shared.fhir import definitions
from shared.fhir.definitions import Constraint
from shared.fhir.elements import Broken, Unknown
from shared.fhir.fhirpath.functions import FUNCTIONS, Knowledge, boolean, resolved_by_type
from shared.fhir.fhirpath.members import Beyond
from shared.fhir.fhirpath.places import Places, UnknownError, plain
from shared.fhir.fhirpath.reader import compiled
from shared.fhir.invariants import BROKEN, EXPRESSED
from shared.fhir.problems import Scope

Rule = tuple[Broken, Constraint]

ELSEWHERE: Mapping[str, str] = {
    "ele-1": "every object and array of the engine",
    "ref-1": "where references lead (shared.fhir.targets)",
    "txt-1": "narratives (shared.fhir.narrative)",
    "txt-2": "narratives (shared.fhir.narrative)",
}
"""Constraints of FHIR itself that another part of the validator checks."""

RUNS = 2_000
"""Expressions fhirpathpy runs for one resource or Bundle; nobody waits for more."""

_COUNTED = ("fhirpath", "runs")
_OWN = "dom-"
"""Keys that begin so are FHIR's own whatever the words of the expression, which later tools rewrite in snapshots."""

_VARIABLES: Mapping[str, str] = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}


def rule_of(constraint: Constraint, path: str, type_code: str = "", knows: Knowledge | None = None) -> Rule | None:
    """The check of one constraint; None when it says nothing that can be run, or something else checks it.

    path       where the constraint stands, in its base type: `Observation.component`, `Patient`, `Quantity`
    type_code  the type of the value there, `dateTime` of `Observation.effective[x]`; "" for backbone elements
    knows      answers `memberOf` and `conformsTo`
    """
    if not constraint.expression or (constraint.key in ELSEWHERE and _known(constraint)):
        return None
    broken = by_hand(constraint, path)
    return (broken or expressed(constraint.expression, type_code or path, knows, inner="." in path), constraint)


def by_hand(constraint: Constraint, path: str) -> Broken | None:
    """The hand-written rule that means the same as the constraint, if there is one."""
    if constraint.expression in EXPRESSED:
        return EXPRESSED[constraint.expression]
    if not (constraint.key.startswith(_OWN) or _known(constraint)):
        return None
    return BROKEN.get(f"{path} {constraint.key}") or BROKEN.get(constraint.key)


def _known(constraint: Constraint) -> bool:
    """Whether it is one of base R4, not another rule with the same key. (ele-1 stands everywhere and in no table.)"""
    return constraint.key == "ele-1" or constraint.expression in _expressions().get(constraint.key, ())


def expressed(expression: str, type_: str, knows: Knowledge | None = None, *, inner: bool = False) -> Broken:
    """A rule that runs an expression on values of a type or path: by closures where they can judge, else by fhirpathpy.

    `inner` says that the constraint stands at an element: where the value is a resource, the one around it is meant by
    `%resource`.
    """
    quick, slow = compiled(expression, type_), run(expression, type_, knows, inner=inner)
    if quick is None:
        return slow

    def broken(value: Any, scope: Scope) -> bool | list[str] | Unknown:
        if value is None:  # extensions stand for the value
            return False
        try:
            return quick(value) is not True
        except (Beyond, re.error):
            return slow(value, scope)

    return broken


def run(expression: str, type_: str, knows: Knowledge | None = None, *, inner: bool = False) -> Broken:
    """A rule that runs an expression by fhirpathpy; it answers Unknown where that is impossible."""

    def broken(value: Any, scope: Scope) -> bool | Unknown:
        if value is None:
            return False
        if _exhausted(scope):
            return Unknown(f"more than {RUNS} expressions of this kind in one resource")
        try:
            around = _around(value, scope) if inner else (scope.within, scope.resource)
            return not _holds(expression, plain(value), type_, _Place(scope, *around), knows)
        except UnknownError as error:
            return Unknown(str(error))
        except Exception:  # noqa: BLE001 - whatever it meets in odd JSON; its words may hold values of a patient
            return Unknown("the expression cannot be evaluated on this value")

    return broken


def _exhausted(scope: Scope) -> bool:
    """Whether fhirpathpy had its share of one check; a run takes some tenths of a millisecond and more."""
    runs = scope.memo.get(_COUNTED, 0)
    scope.memo[_COUNTED] = runs + 1
    return bool(runs >= RUNS)


class _Place(NamedTuple):
    """Where a value stands: the scope its references resolve in, `%resource` and `%rootResource`."""

    scope: Scope
    resource: Any
    root: Any


def _around(value: Any, scope: Scope) -> tuple[Any, Any]:
    """`%resource` and `%rootResource` of an element; of a resource it is what it is contained in, or its Bundle."""
    if not _is_resource(value) or scope.enclosing is None:
        return scope.within, scope.resource
    if scope.within is not scope.resource:
        return scope.resource, scope.resource
    return scope.enclosing.within, scope.enclosing.resource


def _holds(expression: str, value: Any, type_: str, place: _Place, knows: Knowledge | None) -> bool:
    """Whether the expression is true; nothing is not true, and any one thing is."""
    tree = _parsed(expression)
    engine, nodes = import_module("fhirpathpy.engine"), import_module("fhirpathpy.engine.nodes")
    import_module("fhirpathpy.engine.invocations.constants").constants.reset()
    nodes.TypeInfo.model = _model()
    root = value if _is_resource(value) else nodes.ResourceNode(value, type_)
    named = {"resource": place.resource, "rootResource": place.root}
    around = {name: plain(found) if found else root for name, found in named.items() if f"%{name}" in expression}
    context = {
        "dataRoot": [root],
        "$this": [root],
        "$index": 0,
        "vars": {**_VARIABLES, "context": root, **around},
        "model": _model(),
        "userInvocationTable": FUNCTIONS,
        "traceFn": _silent,
        "places": Places(value, place.scope),
        "knows": knows,
        "by_type": resolved_by_type(expression),
    }
    return boolean(engine.do_eval(context, [root], tree)) is True


def _is_resource(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


def _silent(label: str, values: Any) -> None:
    """What `trace()` does here: fhirpathpy would print the values, which are a patient's."""


@cache
def _model() -> Mapping[str, Any]:
    found: Mapping[str, Any] = import_module("fhirpathpy.models").models["r4"]
    return found


@cache
def _expressions() -> Mapping[str, frozenset[str]]:
    """key -> the expressions base R4 has under it."""
    found: dict[str, set[str]] = {}
    for constraint in definitions.r4()._constraints:
        found.setdefault(constraint.key, set()).add(constraint.expression)
    return {key: frozenset(expressions) for key, expressions in found.items()}


@cache
def _parsed(expression: str) -> Mapping[str, Any]:
    """The tree of an expression; UnknownError when it is not FHIRPath, of which fhirpathpy alone would run a part."""
    antlr, generated = import_module("antlr4"), "fhirpathpy.parser.generated.FHIRPath"
    strict = _listener()
    lexer = import_module(f"{generated}Lexer").FHIRPathLexer(antlr.InputStream(expression))
    parser = import_module(f"{generated}Parser").FHIRPathParser(antlr.CommonTokenStream(lexer))
    for reader in (lexer, parser):
        reader.removeErrorListeners()
        reader.addErrorListener(strict)
    listener = import_module("fhirpathpy.parser.ASTPathListener").ASTPathListener()
    antlr.ParseTreeWalker().walk(listener, parser.entireExpression().expression())
    tree: Mapping[str, Any] = listener.parentStack[0]["children"][0]
    return tree


def _listener() -> Any:
    base = import_module("antlr4.error.ErrorListener").ErrorListener

    class Strict(base):  # type: ignore[misc, valid-type]
        def syntaxError(self, *where: object) -> None:  # noqa: N802
            raise UnknownError("the expression is not FHIRPath")

    return Strict()

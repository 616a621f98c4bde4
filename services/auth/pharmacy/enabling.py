"""Says which items of a question set are asked, given what is answered so far: the next question follows from answers.

Source: FHIR R4 Questionnaire.item.enableWhen and enableBehavior. Law of this file: what an item answered counts only
while that item is asked itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from services.auth.words import number

Item = Mapping[str, Any]
Given = Mapping[str, tuple[Mapping[str, Any], ...]]
"""linkId -> its answers, each an element of QuestionnaireResponse.item.answer."""

SILENT = ("group", "display")
"""Types of items that ask nothing themselves."""


def items_of(parent: Item) -> Iterator[Item]:
    """Every item of a set or of an item, depth first, in its order."""
    for item in parent.get("item", ()):
        yield item
        yield from items_of(item)


MOST, DEEPEST, LONGEST = 2000, 10, 50
"""Items of a set, items inside each other, items each of which depends on the next: project defaults."""


def is_bounded(questions: Item) -> bool:
    """Whether a set is small, flat and short enough to be answered: no item depends on itself, or on too many."""
    items = list(items_of(questions))
    if len(items) > MOST or _depth(questions) > DEEPEST:
        return False
    needs = {i["linkId"]: {c["question"] for c in i.get("enableWhen", ())} for i in items}
    for item in items:
        for inner in item.get("item", ()):
            needs[inner["linkId"]].add(item["linkId"])
    for _ in range(LONGEST):
        needs = {link: before for link, before in needs.items() if not before.isdisjoint(needs)}
    return not needs


def _depth(parent: Item) -> int:
    return max((1 + _depth(item) for item in parent.get("item", ())), default=0)


def asked_items(questions: Item, given: Given) -> frozenset[str]:
    """linkIds of the items that are asked: enabled themselves, and so is everything they stand in."""
    return frozenset(item["linkId"] for item in _asked(questions, given))


def open_items(questions: Item, given: Given, offered: Collection[str] = ()) -> list[Item]:
    """The items that are asked and not answered; one that need not be answered only until a person was offered it."""
    asked = (i for i in _asked(questions, given) if i["type"] not in SILENT and not given.get(i["linkId"]))
    return [i for i in asked if i.get("required") or i["linkId"] not in offered]


def _asked(questions: Item, given: Given) -> list[Item]:
    enabling = _Enabling(questions, given)
    return [item for item in items_of(questions) if enabling.is_asked(item["linkId"])]


class _Enabling:
    """Which items of one set are asked, each looked at once; one that would depend on itself is not."""

    def __init__(self, questions: Item, given: Given) -> None:
        self._given = given
        self._items = {item["linkId"]: item for item in items_of(questions)}
        inner = ((i["linkId"], item["linkId"]) for item in self._items.values() for i in item.get("item", ()))
        self._around: Mapping[str, str] = dict(inner)
        self._known: dict[str, bool] = {}

    def is_asked(self, link: str) -> bool:
        if link not in self._known:
            self._known[link] = False  # while it is looked at
            around = self._around.get(link)
            self._known[link] = (around is None or self.is_asked(around)) and self._is_enabled(self._items[link])
        return self._known[link]

    def _is_enabled(self, item: Item) -> bool:
        """By its own conditions; what another item answered counts only where that one is asked."""
        conditions = item.get("enableWhen", ())
        held = (_holds(c, self._counting(c["question"])) for c in conditions)
        return not conditions or (any(held) if item.get("enableBehavior") == "any" else all(held))

    def _counting(self, link: str) -> tuple[Mapping[str, Any], ...]:
        return self._given.get(link, ()) if link in self._items and self.is_asked(link) else ()


def _holds(condition: Item, answers: tuple[Mapping[str, Any], ...]) -> bool:
    wanted = next(v for k, v in condition.items() if k.startswith("answer"))
    said = [v for a in answers for k, v in a.items() if k.startswith("value")]
    match condition["operator"]:
        case "exists":
            return bool(said) is wanted
        case "!=":
            return bool(said) and not any(_same(v, wanted) for v in said)
        case "=":
            return any(_same(v, wanted) for v in said)
    compared = ORDERED[condition["operator"]]
    return any(compared(one, other) for v in said for one, other in _comparable(v, wanted))


ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def _same(said: Any, wanted: Any) -> bool:
    """Equal as R4 compares: codes by system and code, quantities by number and unit, anything else as it is."""
    if isinstance(said, Mapping) and isinstance(wanted, Mapping) and "code" in wanted and "value" not in wanted:
        return (said.get("system"), said.get("code")) == (wanted.get("system"), wanted.get("code"))
    if isinstance(said, Mapping):
        return any(one == other for one, other in _comparable(said, wanted))
    return bool(said == wanted)


def _comparable(said: Any, wanted: Any) -> Iterator[tuple[Any, Any]]:
    """Two values that can be told apart by size: numbers, quantities of one unit, dates and times as written."""
    if isinstance(said, Mapping) and isinstance(wanted, Mapping):
        if _unit(said) == _unit(wanted) and "value" in said and "value" in wanted:
            yield said["value"], wanted["value"]
    elif (one := number(said)) is not None and (other := number(wanted)) is not None:
        yield one, other
    elif isinstance(said, str) and isinstance(wanted, str):
        yield said, wanted


def _unit(quantity: Mapping[str, Any]) -> Any:
    return quantity.get("code") or quantity.get("unit")

"""The next question follows from the answers: every operator of enableWhen, and what an item that is not asked said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from services.auth.pharmacy.enabling import DEEPEST, LONGEST, MOST, asked_items, is_bounded, open_items
from tests.services.auth.pharmacy import asks, questionnaire

KG = {"value": 80, "code": "kg"}
RED, BLUE = ({"system": "urn:colours", "code": c} for c in ("red", "blue"))


def when(operator: str, element: str, value: Any, question: str = "1") -> dict[str, Any]:
    return {"question": question, "operator": operator, element: value}


def is_asked(conditions: list[dict[str, Any]], *said: Any, behavior: str = "all") -> bool:
    """Whether item 2 is asked, where 1 is answered by these values."""
    changes = {"enableWhen": conditions} | ({"enableBehavior": behavior} if len(conditions) > 1 else {})
    questions = questionnaire(asks("1", "open-choice"), asks("2", "boolean", **changes))
    return "2" in asked_items(questions, {"1": tuple({"valueX": v} for v in said)} if said else {})


@pytest.mark.parametrize(
    ("condition", "said", "expected"),
    [
        (when("exists", "answerBoolean", True), (1,), True),
        (when("exists", "answerBoolean", True), (), False),
        (when("exists", "answerBoolean", False), (), True),
        (when("=", "answerBoolean", True), (True,), True),
        (when("=", "answerBoolean", True), (False,), False),
        (when("=", "answerBoolean", False), (False,), True),
        (when("!=", "answerCoding", RED), (BLUE,), True),
        (when("!=", "answerCoding", RED), (BLUE, RED), False),
        (when("!=", "answerCoding", RED), (), False),
        (when("=", "answerCoding", RED), ({**RED, "display": "Red"},), True),
        (when("=", "answerCoding", RED), (BLUE,), False),
        (when("=", "answerCoding", RED), (BLUE, RED), True),
        (when(">", "answerDecimal", Decimal("100.0")), (Decimal("99.9"),), False),
        (when(">", "answerDecimal", Decimal("100.0")), (100,), False),
        (when(">", "answerDecimal", Decimal("100.0")), (Decimal("100.1"),), True),
        (when(">=", "answerInteger", 100), (99,), False),
        (when(">=", "answerInteger", 100), (100,), True),
        (when("<", "answerInteger", 100), (100,), False),
        (when("<", "answerInteger", 100), (99,), True),
        (when("<=", "answerInteger", 100), (100,), True),
        (when("<=", "answerInteger", 100), (101,), False),
        (when("<", "answerDate", "2026-06-01"), ("2026-05-31",), True),
        (when("<", "answerDate", "2026-06-01"), ("2026-06-01",), False),
        (when(">=", "answerQuantity", KG), (KG,), True),
        (when(">=", "answerQuantity", KG), ({**KG, "code": "[lb_av]"},), False),
        (when("=", "answerQuantity", KG), ({**KG, "value": Decimal("80.0")},), True),
    ],
)
def test_a_condition_holds_as_r4_says(condition: dict[str, Any], said: tuple[Any, ...], expected: bool) -> None:
    assert is_asked([condition], *said) is expected


BETWEEN = [when(">", "answerInteger", 10), when("<", "answerInteger", 20)]


@pytest.mark.parametrize(("value", "both", "one"), [(10, False, True), (11, True, True), (20, False, True)])
def test_several_conditions_hold_all_or_any(value: int, both: bool, one: bool) -> None:
    assert is_asked(BETWEEN, value) is both
    assert is_asked(BETWEEN, value, behavior="any") is one


def test_what_an_item_said_that_is_not_asked_any_more_counts_for_nothing() -> None:
    chain = questionnaire(
        asks("1", "boolean"),
        asks("2", "boolean", enableWhen=[when("=", "answerBoolean", True)]),
        asks("3", "boolean", enableWhen=[when("=", "answerBoolean", True, "2")]),
    )
    yes = ({"valueBoolean": True},)
    assert asked_items(chain, {"1": yes, "2": yes}) == {"1", "2", "3"}
    assert asked_items(chain, {"1": ({"valueBoolean": False},), "2": yes}) == {"1"}


def test_what_stands_in_a_group_that_is_not_asked_is_not_asked() -> None:
    inner = asks("2.1", "boolean")
    group = {"linkId": "2", "type": "group", "item": [inner], "enableWhen": [when("exists", "answerBoolean", True)]}
    questions = questionnaire(asks("1", "boolean"), group, asks("3", "boolean", enableWhen=[
        when("=", "answerBoolean", True, "2.1")]))  # fmt: skip
    assert asked_items(questions, {"2.1": ({"valueBoolean": True},)}) == {"1"}


def test_items_that_wait_for_each_other_are_not_asked() -> None:
    one = asks("1", "boolean", enableWhen=[when("exists", "answerBoolean", False, "2")])
    two = asks("2", "boolean", enableWhen=[when("exists", "answerBoolean", True, "1")])
    assert "2" not in asked_items(questionnaire(one, two), {})


def test_what_need_not_be_answered_is_open_until_a_person_was_offered_it() -> None:
    questions = questionnaire(
        asks("1", "boolean"), asks("2", "string", required=False), {"linkId": "3", "type": "display", "text": "Thanks"}
    )
    assert [i["linkId"] for i in open_items(questions, {})] == ["1", "2"]
    assert [i["linkId"] for i in open_items(questions, {}, {"1", "2"})] == ["1"]
    assert open_items(questions, {"1": ({"valueBoolean": False},)}, {"1", "2"}) == []


def unless(link: str) -> dict[str, Any]:
    return when("exists", "answerBoolean", False, link)


def chain(length: int, times: int = 1) -> list[dict[str, Any]]:
    """Items each of which is asked by so many conditions on the one before it."""
    later = (asks(str(i), "string", enableBehavior="all", enableWhen=[unless(str(i - 1))] * times)
             for i in range(1, length))  # fmt: skip
    return [asks("0", "string"), *later]


def nested(depth: int) -> dict[str, Any]:
    item = asks("x", "string")
    for level in range(1, depth):
        item = {"linkId": f"g{level}", "type": "group", "item": [item]}
    return item


def test_two_conditions_on_one_item_do_not_double_the_work() -> None:
    assert len(asked_items(questionnaire(*chain(LONGEST, times=2)), {})) == LONGEST


@pytest.mark.parametrize(
    ("items", "bounded"),
    [
        (chain(LONGEST), True),
        (chain(LONGEST + 1), False),
        ([nested(DEEPEST)], True),
        ([nested(DEEPEST + 1)], False),
        ([asks(str(i), "string") for i in range(MOST)], True),
        ([asks(str(i), "string") for i in range(MOST + 1)], False),
        ([asks("1", "string", enableWhen=[unless("2")]), asks("2", "string", enableWhen=[unless("1")])], False),
        ([{**nested(2), "enableWhen": [unless("x")]}], False),
    ],
)
def test_a_set_has_bounds(items: list[dict[str, Any]], bounded: bool) -> None:
    assert is_bounded(questionnaire(*items)) is bounded

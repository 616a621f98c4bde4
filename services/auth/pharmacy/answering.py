"""Takes what a person answered to items of a question set: outputs of the Task, each typed by the item's linkId."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.auth.pharmacy.enabling import SILENT, Given, Item, items_of, open_items
from services.auth.pharmacy.filling import answered
from services.auth.wire.contents import is_held
from services.auth.words import answer_of, code_of, day, number, question_code, target
from shared.core import IDENTIFIERS, Resource

ASKS, ANSWERED = "question-set", "answered"
ITEM = IDENTIFIERS + "question-set-item"
"""System of an output's type whose code is the linkId of the item it answers."""

VALUES: Mapping[str, tuple[str, ...]] = {
    "boolean": ("valueBoolean",),
    "decimal": ("valueDecimal", "valueInteger"),
    "integer": ("valueInteger",),
    "date": ("valueDate",),
    "dateTime": ("valueDateTime",),
    "time": ("valueTime",),
    "string": ("valueString",),
    "text": ("valueString",),
    "url": ("valueUri",),
    "choice": ("valueCoding",),
    "open-choice": ("valueCoding", "valueString"),
    "quantity": ("valueQuantity",),
    "attachment": ("valueReference",),
    "reference": ("valueReference",),
}
"""Type of an item -> the elements of Task.output by which a person answers it."""


def set_of(response: Resource | None) -> Item | None:
    """The question set inside its answers."""
    inside = (response or {}).get("contained", ())
    return next((r for r in inside if r["resourceType"] == "Questionnaire"), None)


def is_waiting(response: Resource) -> bool:
    """Whether answers still wait for their question set."""
    return response["status"] == "in-progress" and not response.get("contained")


def by_persons(response: Resource, questions: Item, tasks: Iterator[Resource], known: Mapping[str, Resource]) -> Given:
    """What persons answered to this set, the latest word on each item."""
    about = f"QuestionnaireResponse/{response['id']}"
    found: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for task in tasks:
        if question_code(task) == ASKS and answer_of(task) and target(task.get("reasonReference")) == about:
            found |= _given(task, questions, known)
    return found


def written_in(parent: Mapping[str, Any]) -> Given:
    """linkId -> the answers that stand in a response, or in an item of it."""
    found: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for item in parent.get("item", ()):
        found[item["linkId"]] = tuple(item.get("answer", ()))
        for inner in (item, *item.get("answer", ())):
            found |= written_in(inner)
    return found


def _given(task: Resource, questions: Item, known: Mapping[str, Resource]) -> Given:
    items = {i["linkId"]: i for i in items_of(questions)}
    found: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for link, element, value in _said(task):
        if link in items:
            taken, source = _taken(items[link], element, value, task, known)
            found[link] = (*found.get(link, ()), answered(taken, source))
    return found


def _taken(
    item: Item, element: str, value: Any, task: Resource, known: Mapping[str, Resource]
) -> tuple[Mapping[str, Any], Resource]:
    """One value as the item takes it, and what it comes from: the document named, else the Task it was said on."""
    match item["type"], element:
        case "attachment", _:
            return _attached(known[target(value) or ""])
        case "decimal", _:
            return {"valueDecimal": value}, task
        case _, "valueCoding":
            return {element: next((o for o in _options(item) if _is_same(o, value)), value)}, task
    return {element: value}, task


def _attached(document: Resource) -> tuple[dict[str, Any], Resource]:
    attachment = document["content"][0]["attachment"]
    kept = {k: v for k, v in attachment.items() if k in ("contentType", "title", "creation", "size", "hash")}
    return {"valueAttachment": kept or {"title": "Document"}}, document


def _said(task: Resource) -> Iterator[tuple[str, str, Any]]:
    """(linkId, element, value) of each item a Task's outputs answer."""
    for output in task.get("output", ()):
        link = code_of(output.get("type"), ITEM)
        for element, value in output.items():
            if link is not None and element.startswith("value"):
                yield link, element, value


# Whether it can be taken


def answers_no_item(task: Resource, known: Mapping[str, Resource]) -> bool:
    """Whether an answer to a question set leaves all open that must be answered, or does not fit the item it names."""
    if question_code(task) != ASKS:
        return False
    response = known.get(target(task.get("reasonReference")) or "", {})
    questions = set_of(response) or {}
    items = {i["linkId"]: i for i in items_of(questions) if i["type"] not in SILENT}
    said = list(_said(task))
    links = [link for link, _, _ in said]
    repeated = {link for link in links if links.count(link) > 1}
    unfit = (link not in items or not _fits(items[link], e, v, known) for link, e, v in said)
    blank = not said and (not items or open_items(questions, written_in(response), items))
    return bool(blank) or any(unfit) or any(not items[link].get("repeats") for link in repeated)


def _fits(item: Item, element: str, value: Any, known: Mapping[str, Resource]) -> bool:
    """Whether a value is of the item's type, among its options, no longer than allowed, and names what we hold."""
    if element != "valueCoding" and any(o.get(element) == value for o in item.get("answerOption", ())):
        return True
    if element not in VALUES[item["type"]]:
        return False
    match element:
        case "valueCoding":
            return _is_offered(item, value)
        case "valueReference":
            found = known.get(target(value) or "")
            return found is not None and (item["type"] != "attachment" or is_held(found))
        case "valueString":
            return 0 < len(value) <= int(item.get("maxLength", len(value)))
        case "valueDate":
            return day(value) is not None
        case "valueDecimal" | "valueInteger":
            return number(value) is not None
    return True


def _is_offered(item: Item, coding: Mapping[str, Any]) -> bool:
    """Whether a coding is one of the item's options; any is where the options lie in a value set elsewhere."""
    return "answerValueSet" in item or any(_is_same(o, coding) for o in _options(item))


def _options(item: Item) -> list[Mapping[str, Any]]:
    return [o["valueCoding"] for o in item.get("answerOption", ()) if "valueCoding" in o]


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one.get("system"), one.get("code")) == (other.get("system"), other.get("code"))

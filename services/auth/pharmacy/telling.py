"""Tells what a question set was answered, in words for paper: question, answer, and the resource it was taken from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.auth.words import EVIDENCE, extension, target

Row = tuple[str, str, str, str | None]
"""Number of the item, question, answer in words, `Type/id` of its source."""


def answered_items(parent: Mapping[str, Any]) -> Iterator[Row]:
    """Every answered item of a response, in its order."""
    for item in parent.get("item", ()):
        answers = item.get("answer", ())
        if answers:
            said = ", ".join(_in_words(a) for a in answers)
            yield item["linkId"], item.get("text", ""), said, source_of(answers[0])
        for inner in (item, *answers):
            yield from answered_items(inner)


def source_of(answer: Mapping[str, Any]) -> str | None:
    """`Type/id` of the resource an answer was taken from."""
    return target((extension(answer, EVIDENCE) or {}).get("valueReference"))


def _in_words(answer: Mapping[str, Any]) -> str:
    value = next(v for k, v in answer.items() if k.startswith("value"))
    match value:
        case bool():
            return "yes" if value else "no"
        case {"value": number}:
            return f"{number} {value.get('unit') or value.get('code', '')}".strip()
        case Mapping():
            return str(value.get("display") or value.get("title") or value.get("code") or "attached")
    return str(value)

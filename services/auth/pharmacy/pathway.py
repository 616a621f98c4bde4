"""Asks for a drug by the pharmacy benefit: its question set answered whole, then the request as any other.

Law of this file: what the chart answers is filled in with its source, everything else a person answers; nothing goes
out while an item that is asked has no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, tzinfo
from typing import Any

from services.auth.case import Case
from services.auth.decision.expedited import hastened
from services.auth.home import units_asked
from services.auth.pharmacy.answering import ASKS, ITEM, by_persons, set_of
from services.auth.pharmacy.enabling import Given, Item, asked_items, items_of, open_items
from services.auth.pharmacy.filling import from_chart
from services.auth.pharmacy.sets import begun, held, questionnaire, response_id, why_none, with_set
from services.auth.pharmacy.telling import source_of
from services.auth.questions import Question
from services.auth.stage import Stage, asking, output
from services.auth.wire.claims import claim_for
from services.auth.words import answer_of, days_after, local_day, question_code, target, unversioned
from shared.core import Resource, reference
from shared.dates import day_range
from shared.policy import Figure
from shared.settings import Payer

EXPIRED, UNAVAILABLE = "question-set-expired", "question-set-unavailable"
SET_ENDS = "question-set:"
"""Wake of answers with a last day: `question-set:<QuestionnaireResponse id>`."""


def question_set(case: Case) -> Stage | None:
    """The pharmacy benefit alone pays: its question set is had, answered, and sent with the request."""
    manager = case.manager
    if manager is None:
        return None
    stage = hastened(case)
    if stage.status != "submitted":
        return stage
    stored = case.facts.at("QuestionnaireResponse/" + response_id(case))
    response = dict(stored) if stored is not None else begun(case, manager)
    figure = held(case, manager) if manager.pathway != "pas" else None
    if set_of(response) is None and figure is not None:
        response = with_set(response, questionnaire(figure))
    questions = set_of(response)
    if questions is not None:
        return _noted(_answered(case, manager, stage, unversioned(response), questions), case, figure)
    if manager.pathway == "pas" and response["status"] == "in-progress":
        return Stage("investigating", "question-set-asked", saves=(response,))
    return _unavailable(case, manager, stage, response)


def _noted(stage: Stage, case: Case, figure: Figure | None) -> Stage:
    return replace(stage, note=f"Question set {case.policy.stands_by(figure)}") if figure else stage


def _unavailable(case: Case, manager: Payer, stage: Stage, response: Resource) -> Stage:
    """Without a set a person says whether the request goes without one, or it is asked for again."""
    why = why_none(response) or "None is held that is in force and adopted."
    text = (
        f"There is no question set of {manager.name} for this drug. {why} Answer `submit` where it takes the request "
        "without one, or `resubmit` to ask for one again."
    )
    about = reference(response)
    question = Question(UNAVAILABLE, reference(case.order), text, about, reason=about)
    stored = case.facts.at("Task/" + question.id_for(case.order))
    return stage if stored is not None and answer_of(stored) == "submit" else asking(question)


# Answering


def _answered(case: Case, manager: Payer, stage: Stage, response: Mapping[str, Any], questions: Item) -> Stage:
    given = answers(case, response, questions)
    asked = asked_items(questions, given)
    filled = {k: v for k, v in response.items() if k != "item"} | _items_element(questions, given, asked)
    about, last = reference(response), last_day(questions, case.zone)
    said = [q for q in case.questions if _is_said(q, about)]
    missing = open_items(questions, given, _offered(case, response, questions, said))
    if last is not None and last < case.on:
        text = f"The last day to answer the question set of {manager.name} was {last}: answer `resubmit` to ask anew."
        question = Question(EXPIRED, reference(case.order), text, about, reason=about)
        return replace(asking(question), saves=({**filled, "status": "stopped"},))
    if missing:
        question = Question(
            ASKS, reference(case.order), _asks(manager, missing, last), f"{about}|{len(said)}",
            last.isoformat() if last else "", about,
        )  # fmt: skip
        opened = Stage("question", "question-set-opened", OPENED, questions=(question,))
        return replace(opened, outputs=_missing(missing), saves=({**filled, "status": "in-progress"},))
    whole = {**filled, "status": "completed"}
    return replace(stage, saves=(_claim(case, stage, whole, given, asked), whole))


OPENED = "The pharmacy benefit's question set asks what the chart does not say."


def answers(case: Case, response: Resource, questions: Item) -> Given:
    """What the chart answers, and what persons did; a person's word stands before the chart's."""
    return {**_charted(case, questions), **by_persons(response, questions, iter(case.questions), case.facts.known)}


def _charted(case: Case, questions: Item) -> Given:
    return {i["linkId"]: found for i in items_of(questions) if (found := from_chart(case, i))}


def _is_said(question: Resource, about: str) -> bool:
    """Whether a person answered a question about these answers."""
    return (
        question_code(question) == ASKS
        and target(question.get("reasonReference")) == about
        and bool(answer_of(question))
    )


def _offered(case: Case, response: Resource, questions: Item, said: Sequence[Resource]) -> frozenset[str]:
    """linkIds of what a person was asked, by what was known before each of his answers."""
    charted, found = _charted(case, questions), frozenset[str]()
    for count in range(len(said)):
        before = by_persons(response, questions, iter(said[:count]), case.facts.known)
        found |= asked_items(questions, {**charted, **before})
    return found


def last_day(questions: Item, zone: tzinfo) -> date | None:
    """The last day on which answers are taken, by the practice's clock; a month or a year ends with its last day."""
    end = str((questions.get("effectivePeriod") or {}).get("end", ""))
    if not end or len(end) > len("2026-12"):
        return local_day(end, zone)
    return day_range(end)[1]


def _missing(missing: Iterable[Item]) -> tuple[dict[str, Any], ...]:
    """Each open item as something missing: its linkId, and what it asks."""
    told = ({"coding": [{"system": ITEM, "code": i["linkId"]}], "text": i.get("text", i["linkId"])} for i in missing)
    return tuple(output("missing", valueCodeableConcept=t) for t in told)


def _asks(manager: Payer, missing: Iterable[Item], last: date | None) -> str:
    until = f", until {last}" if last else ""
    listed = "; ".join(f"{i['linkId']} {i.get('text', '')} [{_kind(i)}]" for i in missing)
    return (
        f"The question set of {manager.name} asks what the chart does not say{until}. Answer `answered`, and each item "
        f"in an output typed {ITEM} with its number: {listed}"
    )


def _kind(item: Item) -> str:
    options = ", ".join(_option(o) for o in item.get("answerOption", ()))
    several = " several of:" if item.get("repeats") else ""
    kind = f"{item['type']}{several} {options}".strip()
    return kind if item.get("required") else f"{kind}; may be left open"


def _option(option: Mapping[str, Any]) -> str:
    """What may be answered, as a person reads it."""
    value = next((v for k, v in option.items() if k.startswith("value")), "")
    if not isinstance(value, Mapping):
        return str(value)
    code = value.get("code") or value.get("reference", "")
    return f"{code} {value.get('display', '')}".strip()


# What goes out


def _items_element(questions: Item, given: Given, asked: frozenset[str]) -> dict[str, Any]:
    found = list(_items(questions, given, asked))
    return {"item": found} if found else {}


def _items(parent: Item, given: Given, asked: frozenset[str]) -> Iterator[dict[str, Any]]:
    """The items that are asked and answered, in the set's order; what stands in a question stands in its answer."""
    for item in (i for i in parent.get("item", ()) if i["linkId"] in asked):
        inner = list(_items(item, given, asked))
        named = {"linkId": item["linkId"], **({"text": item["text"]} if "text" in item else {})}
        said = [dict(a) for a in given.get(item["linkId"], ())]
        if item["type"] == "group" and inner:
            yield {**named, "item": inner}
        elif item["type"] != "group" and said:
            yield {**named, "answer": [{**said[0], **({"item": inner} if inner else {})}, *said[1:]]}


def _claim(case: Case, stage: Stage, whole: Mapping[str, Any], given: Given, asked: frozenset[str]) -> Resource:
    """The request with the answers, and with everything of the chart that they were taken from."""
    first = next(r for r in stage.saves if r["resourceType"] == "Claim")
    cited = [literal for i in first.get("supportingInfo", ()) if (literal := target(i.get("valueReference")))]
    sources = [s for link in asked for a in given.get(link, ()) if (s := source_of(a)) and s.startswith(CITED)]
    units = units_asked(case)
    assert units is not None, "a request that is complete has its units counted"
    return claim_for(case, units, [*cited, *sources, reference(whole)])


CITED = ("Observation/", "Condition/", "DocumentReference/", "MedicationRequest/")
"""Sources of answers that travel along; who somebody is and how he is insured does anyway."""


# What ends it


def given_up(case: Case) -> Iterator[dict[str, Any]]:
    """Answers under way that nobody asks for any more."""
    current = None if case.ended or case.manager is None else response_id(case)
    for response in case.facts.based_on(case.order, "QuestionnaireResponse"):
        if response["status"] == "in-progress" and response["id"] != current:
            yield {**unversioned(response), "status": "stopped"}


def set_ends(case: Case, saves: Iterable[Resource]) -> dict[str, datetime | None]:
    """The instant after the last day of answers that were saved; cleared once they are no longer under way."""
    found: dict[str, datetime | None] = {}
    for response in (r for r in saves if r["resourceType"] == "QuestionnaireResponse"):
        last = last_day(set_of(response) or {}, case.zone)
        if last is not None:
            ends = datetime.combine(days_after(last, 1), time(), case.zone)
            found[SET_ENDS + response["id"]] = ends if response["status"] == "in-progress" else None
    return found

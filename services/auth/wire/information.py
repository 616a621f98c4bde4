"""Answers a payer that wants more before it decides: what the chart holds is sent, for the rest a person is asked.

Law of this file: each request of a payer is one question, and what its answer names is sent once. What a payer names
that is of another matter, or restricted, only a person sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.auth.case import Case, is_ours
from services.auth.questions import Question, asked
from services.auth.stage import Stage, output
from services.auth.wire.contents import is_held
from services.auth.wire.pertinent import may_be_named, pertains
from services.auth.wire.standing import may_travel, stands
from services.auth.wire.wanted import LOINC, Wanted, wanted_by
from services.auth.words import ANSWER, GAP, answer_of, code_of, concept, question_code, target, task_code
from shared.core import Resource, reference

REQUESTED, ATTACHED = "information-requested", "attached"
INFORMATION = "information-for-payer"
RESULTS = ("final", "amended", "corrected")


def pended(case: Case, claim: Resource, answer: Resource) -> Stage:
    """The payer decides later; where it wants more first, what is there goes out and a person is asked for the rest."""
    sent, asking, missing = list[Resource](), list[Question](), list[dict[str, Any]]()
    for wanted in wanted_by(answer):
        question = question_about(claim, wanted)
        stored = asked(case, question)
        found = _held(case, claim, wanted)
        if stored["status"] == "completed":
            continue
        if found:
            sent.append({**stored, "status": "completed", "output": [_attached(r) for r in found]})
        else:
            asking.append(question)
            missing += [output("missing", valueCodeableConcept=c) for c in _lacking(case, claim, wanted)]
    reason = REQUESTED if asking else "preauthorization-pended"
    return Stage("pended", reason, outputs=tuple(missing), saves=tuple(sent), questions=tuple(asking), answer=answer)


def question_about(claim: Resource, wanted: Wanted) -> Question:
    """The question to a person for one request of the payer, whichever of its answers repeats it."""
    until = f", until {wanted.by}" if wanted.by else ""
    text = (
        f"The payer wants more before it decides{until}: {wanted.told}. What is received and belongs to "
        "this request is sent by itself; or answer `attached` and name what is to be sent, or `told` where the payer "
        "was told another way."
    )
    key = "|".join((reference(claim), *wanted.number))
    return Question(REQUESTED, reference(claim), text, key, wanted.by.isoformat() if wanted.by else "")


def _attached(literal: str) -> dict[str, Any]:
    return {"type": concept(ANSWER, ATTACHED), "valueReference": {"reference": literal}}


def _held(case: Case, claim: Resource, wanted: Wanted) -> list[str]:
    """The latest of each kind wanted; nothing where one is not there, or a person has to read what is wanted."""
    if wanted.words or wanted.narrow or not wanted.codes:
        return []
    found = [_latest(case, claim, code) for code in wanted.codes]
    return [reference(r) for r in found if r is not None] if all(found) else []


def _lacking(case: Case, claim: Resource, wanted: Wanted) -> Iterable[dict[str, Any]]:
    """What of a request is not there or not sent unasked, as gaps; all of it where a person has to read it."""
    read = bool(wanted.words) or wanted.narrow or not wanted.codes
    for code in wanted.codes:
        if read or _latest(case, claim, code) is None:
            yield concept(LOINC, code, f"The payer wants: {wanted.called(code)}")
    for words in wanted.words:
        yield concept(GAP, INFORMATION, f"The payer wants: {words}")


def _latest(case: Case, claim: Resource, code: str) -> Resource | None:
    """The latest under this code, where nothing restricts it and it pertains to what is asked for."""
    found = [r for r in case.facts.of("DocumentReference", "Observation") if _is_usable(r) and _code(r) == code]
    latest = max(found, key=_when, default=None)
    shown = [target(i.get("valueReference")) for i in claim.get("supportingInfo", ())]
    return latest if latest and may_travel(latest) and pertains(case, latest, code, shown) else None


def _code(resource: Resource) -> str | None:
    return code_of(resource.get("type" if resource["resourceType"] == "DocumentReference" else "code"), LOINC)


def _is_usable(resource: Resource) -> bool:
    """A valid result, or a document of others that stands and whose content we hold."""
    if resource["resourceType"] == "Observation":
        return resource.get("status") in RESULTS
    return resource.get("status") == "current" and stands(resource) and is_held(resource) and not is_ours(resource)


def _when(resource: Resource) -> str:
    return str(resource.get("effectiveDateTime") or resource.get("date") or "")


# What a person or we said is to be sent


def is_to_be_sent(resource: Resource) -> bool:
    """Whether this is a question of a payer that is answered by what is to be sent."""
    return task_code(resource) == "authorization-question" and (
        (question_code(resource), answer_of(resource)) == (REQUESTED, ATTACHED)
    )


def attachments(question: Resource, known: Mapping[str, Resource]) -> list[Resource]:
    """The resources an answered question says are to be sent, as far as they are known and a person may send them."""
    if not is_to_be_sent(question):
        return []
    named = (known.get(target(o.get("valueReference")) or "") for o in question.get("output", ()))
    return [r for r in named if r is not None and may_be_named(r)]


def names_nothing(question: Resource, known: Mapping[str, Resource]) -> bool:
    """Whether a person said that something is to be sent, and named nothing we hold that may be."""
    return is_to_be_sent(question) and not attachments(question, known)


def asked_for(question: Resource, known: Mapping[str, Resource]) -> tuple[Resource | None, Wanted | None]:
    """The Claim a question is about, and the request of the payer it stands for."""
    claim = known.get(target(question["focus"]) or "")
    order = known.get(target(question["basedOn"][0]) or "")
    for answer in (r for r in known.values() if r["resourceType"] == "ClaimResponse"):
        for wanted in wanted_by(answer) if claim and target(answer.get("request")) == reference(claim) else ():
            if order and claim and question_about(claim, wanted).id_for(order) == question["id"]:
                return claim, wanted
    return claim, None

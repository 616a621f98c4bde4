"""Decides what authorization asserts after an event: takes in what is new, then works every order out anew.

Law of this file: what an event brought is first made a resource of ours; everything else follows from the whole state.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.auth.case import Case, answer_of, case_of, question_code
from services.auth.charges import charge_items, ledger_of, moved, terms_of
from services.auth.facts import Facts
from services.auth.news import PENDED, Worked, focus, reason, refusals, wakes
from services.auth.policy import AuthPolicy
from services.auth.questions import ANSWERS, OPEN, TEXTS, Question, asked, latest_word, overtaken, stands
from services.auth.responses import FINAL, benefit_received, issue_texts, received, reviews, standing
from services.auth.rules import stage_of
from services.auth.stage import Stage
from services.auth.tasks import appeal, preauthorization
from services.auth.words import ORDER, extension, target, task_code, unversioned
from shared.core import Decision, Event, Resource, reference

NOTHING = "nothing-to-do"
ISSUES = 5
"""Issues of a refusal that are told to the person."""

BEGUN = ("draft", "active", "on-hold")
"""Order statuses in which an authorization is begun."""


def coordinate(event: Event, facts: Facts, policy: AuthPolicy) -> Decision:
    """What follows from one event; see `docs/journey.md` for the reasons."""
    match event.kind, event.reason:
        case "message", _:
            return _followed(event, facts, (), policy)
        case "answer", "benefit-answered":
            return _followed(event, facts, _benefit_answered(event, facts, policy), policy)
        case "answer", "preauthorization-answered":
            return _followed(event, facts, _answered(event, facts, policy), policy)
        case "answer", code if code in TEXTS:
            return _followed(event, facts, _doubted(event, facts, policy, code), policy)
        case "wake", key if key.startswith(PENDED):
            return _followed(event, facts, _overdue(key.removeprefix(PENDED), event, facts, policy), policy)
        case "command", "task-answered":
            return _told(event, facts, policy)
        case _:
            return Decision(NOTHING)


# What an event brings


def _benefit_answered(event: Event, facts: Facts, policy: AuthPolicy) -> Iterable[Resource]:
    """The payer's first answer to a benefit request; a repeated one changes nothing."""
    request = facts.at(event.focus)
    for response in event.of_type("CoverageEligibilityResponse") if request else ():
        kept = benefit_received(request or {}, response, _base(request, policy))
        if facts.at(reference(kept)) is None:
            yield kept


def _answered(event: Event, facts: Facts, policy: AuthPolicy) -> Iterable[Resource]:
    """An answer to a Claim. After a final one a late pend or a repetition is nothing, another decision a question."""
    claim = facts.at(event.focus)
    for response in event.of_type("ClaimResponse") if claim else ():
        claim = claim or {}
        kept = received(claim, response, _base(claim, policy))
        final = next((a for a in _answers(facts, claim) if standing(claim, a) in FINAL), None)
        if final is not None:
            if standing(claim, kept) != "pended" and reviews(final) != reviews(kept):
                yield from _doubted(event, facts, policy, "payer-contradicts", reference(kept))
        elif all(reviews(a) != reviews(kept) for a in _answers(facts, claim)):
            yield kept


def _answers(facts: Facts, claim: Resource) -> list[Resource]:
    return [a for a in facts.of("ClaimResponse") if target(a.get("request")) == reference(claim)]


def _doubted(event: Event, facts: Facts, policy: AuthPolicy, code: str, key: str = "") -> Iterable[Resource]:
    """A question about a request whose answer nobody but a person can use, with what the payer said was wrong."""
    about = facts.at(event.focus)
    case = _case_about(about, facts, policy, event.at)
    if case is None or about is None:
        return
    if code == "preauthorization-unreadable":
        about = latest_word(case, about)
    issues = [text for o in event.of_type("OperationOutcome") for text in issue_texts(o)]
    text = " ".join([TEXTS[code], *issues[:ISSUES]])
    question = asked(case, Question(code, reference(about), text, key))
    if stands(case, question):
        yield question


def _overdue(claim_id: str, event: Event, facts: Facts, policy: AuthPolicy) -> Iterable[Resource]:
    """The question to inquire, where the Claim is still pended; each earlier inquiry makes it one more."""
    claim = facts.at("Claim/" + claim_id)
    case = _case_about(claim, facts, policy, event.at)
    if claim is not None and case is not None and case.claim == claim and stage_of(case).status == "pended":
        before = [q for q in case.questions if question_code(q) == "payer-late" and answer_of(q)]
        key = f"{reference(claim)}|{len(before)}"
        yield asked(case, Question("payer-late", reference(claim), TEXTS["payer-late"], key))


def _told(event: Event, facts: Facts, policy: AuthPolicy) -> Decision:
    """A person's answer to one of our questions: only status and output are taken from it."""
    given = next(iter(event.of_type("Task")), None)
    stored = facts.at(reference(given)) if given else None
    if given is None or stored is None or task_code(stored) not in ("authorization-question", "appeal"):
        return Decision("question-unknown", refusals=("question-unknown",))
    if stored["status"] not in OPEN:
        return Decision("question-closed", refusals=("question-closed",))
    if given["status"] != "completed" or not given.get("output"):
        return Decision("answer-missing", refusals=("answer-missing",))
    answer = {**unversioned(stored), "status": "completed", "output": list(given["output"])}
    if task_code(stored) != "appeal" and answer_of(answer) not in ANSWERS.get(question_code(stored) or "", ()):
        return Decision("answer-unknown", refusals=("answer-unknown",))
    return _followed(event, facts, (answer,), policy)


def _case_about(resource: Resource | None, facts: Facts, policy: AuthPolicy, at: datetime) -> Case | None:
    order = facts.at(target((extension(resource or {}, ORDER) or {}).get("valueReference")))
    return None if order is None else case_of(order, facts, policy, at)


def _base(resource: Resource | None, policy: AuthPolicy) -> str:
    """The address of the payer's server a request went to."""
    payer = policy.payer(((resource or {}).get("insurer", {}).get("identifier") or {}).get("value", ""))
    partner = policy.site.partners.get(payer.partner) if payer else None
    return partner.base if partner else ""


# What follows from the whole state


def _followed(event: Event, facts: Facts, brought: Iterable[Resource], policy: AuthPolicy) -> Decision:
    """Works every order of the patient out with what the event brought, and asserts what changed."""
    new = tuple(brought)
    known = facts.and_these(new)
    worked = [_worked(case_of(order, known, policy, event.at)) for order in known.orders if _concerns(order, known)]
    desired = {r["id"]: r for r in (*new, *(r for w in worked for r in w.saves))}
    saves = tuple(r for r in desired.values() if _differs(r, facts))
    if not saves:
        return Decision(NOTHING)
    changed = {reference(r) for r in saves}
    moved = [w for w in worked if changed & {reference(r) for r in w.saves}] or worked[:1]
    news = moved[0] if moved else None
    name = reason(event, news, saves, facts)
    return Decision(
        reason=name,
        saves=saves,
        wakes={k: v for w in worked for k, v in wakes(w, facts).items()},
        refusals=tuple(dict.fromkeys(code for w in moved for code in refusals(w, name))),
        evidence=tuple(dict.fromkeys(e for w in moved for e in w.stage.evidence)),
        focus=focus(news, saves, name),
    )


def _concerns(order: Resource, facts: Facts) -> bool:
    return order["status"] in BEGUN or bool(facts.tasks(order, "preauthorization"))


def _worked(case: Case) -> Worked:
    stage = stage_of(case)
    before, terms = ledger_of(case), terms_of(case, stage.status, stage.answer)
    after = moved(case, before, terms)
    questions = [asked(case, q) for q in stage.questions]
    saves: list[Resource] = [
        *stage.saves,
        *charge_items(case, before, after, stage.answer),
        preauthorization(case, stage, after, terms),
        *_appeals(case, stage),
        *questions,
        *overtaken(case, [q["id"] for q in questions]),
        *_withdrawn(case, stage),
    ]
    return Worked(case, stage, tuple(saves), before, after)


def _appeals(case: Case, stage: Stage) -> Iterable[Resource]:
    """Every denial, whole or in part, gets its appeal decision; the end of the order closes an open one."""
    claim = case.claim
    if claim and stage.answer and stage.status in ("denied", "partly-approved"):
        if any(r.action == "A3" for r in reviews(stage.answer)):
            yield appeal(case, stage.answer)
    elif case.ended:
        for task in case.facts.tasks(case.order, "appeal"):
            if task["status"] in OPEN:
                yield {**task, "status": "cancelled", "statusReason": {"text": "The order was revoked."}}


def _withdrawn(case: Case, stage: Stage) -> Iterable[Resource]:
    """Claims without a final answer that no longer stand: all of them once the order ended, else all but the last."""
    for claim in case.facts.of("Claim"):
        mine = target((extension(claim, ORDER) or {}).get("valueReference")) == reference(case.order)
        stands = not case.ended and (case.payer is None or claim["id"] == case.claim_id)
        decided = any(standing(claim, a) in FINAL for a in case.answers_to(claim))
        if mine and not stands and not decided and claim["status"] == "active":
            yield {**claim, "status": "cancelled"}


def _differs(resource: Resource, facts: Facts) -> bool:
    stored = facts.at(reference(resource))
    return stored is None or unversioned(stored) != unversioned(resource)

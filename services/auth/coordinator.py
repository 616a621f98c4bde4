"""Decides what authorization asserts after an event: takes in what is new, then works every order out anew.

Law of this file: what an event brought is first made a resource of ours; everything else follows from the whole state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from services.auth.assistance import enrolment as assistance
from services.auth.assistance.standing import CODE as HUB_ENROLMENT
from services.auth.benefit.reverifying import VERIFY, verifications, verified_again
from services.auth.case import Case
from services.auth.decision.appeals import climbed, ended, noted, told
from services.auth.decision.charges import charge_items, ledger_of, moved, terms_of
from services.auth.decision.clocks import awaits_payer, overdue
from services.auth.decision.granting import lacks_terms
from services.auth.decision.peer import talks
from services.auth.decision.spoken import is_spoken, told_of
from services.auth.discovery.findings import SILENT, TOLD, discovered, silences, silent
from services.auth.facts import Facts
from services.auth.news import PENDED, Worked, focus, is_moved, reason, refusals, told_in, wakes
from services.auth.papers.appeal_letter import letter
from services.auth.papers.byhand import enters_nothing
from services.auth.pharmacy.answering import answers_no_item
from services.auth.pharmacy.pathway import SET_ENDS, set_ends
from services.auth.pharmacy.pathway import given_up as sets_given_up
from services.auth.pharmacy.sets import received as set_received
from services.auth.policy import AuthPolicy
from services.auth.questions import ANSWERS, OPEN, TEXTS, Question, asked, latest_word, overtaken, stands
from services.auth.renewal.periods import case_of_period, given_up, renewals
from services.auth.renewal.telling import RENEW, renewal_task, renewal_wakes, standing_outputs
from services.auth.rules import stage_of
from services.auth.stage import Stage
from services.auth.subscribing.watching import LANE, lanes_of, missed, watched
from services.auth.tasks import preauthorization
from services.auth.viewing import case_of
from services.auth.wire.information import names_nothing
from services.auth.wire.receiving import benefit_received, received
from services.auth.wire.responses import FINAL, issue_texts, reviews, standing
from services.auth.wire.updating import UPDATE, may_be_updated
from services.auth.wire.wanted import wanted_by
from services.auth.wire.withdrawing import withdrawn
from services.auth.words import answer_of, order_of, period_of, question_code, target, task_code, unversioned
from shared.core import ROUSED, Decision, Event, Resource, reference

NOTHING = "nothing-to-do"
ISSUES = 5
"""Issues of a refusal that are told to the person."""

BEGUN = ("draft", "active", "on-hold")
"""Order statuses in which an authorization is begun."""


def coordinate(event: Event, facts: Facts, policy: AuthPolicy) -> Decision:
    """What follows from one event; see `docs/journey.md` for the reasons."""
    if event.lane.startswith(LANE):
        return watched(event, facts, policy)
    match event.kind, event.reason:
        case "message", _:
            return _followed(event, facts, (), policy)
        case "answer", "benefit-answered":
            return _followed(event, facts, _benefit_answered(event, facts, policy), policy)
        case "answer", "preauthorization-answered":
            return _followed(event, facts, _answered(event, facts, policy), policy)
        case "answer", "cancellation-answered":
            return _followed(event, facts, _taken_back(event, facts, policy), policy)
        case "answer", reason if reason == TOLD:
            return _followed(event, facts, discovered(event, facts), policy)
        case "answer", code if code.startswith("question-set-"):
            return _followed(event, facts, set_received(facts.at(event.focus), code, event.resources), policy)
        case "answer", code if code in TEXTS:
            return _followed(event, facts, _doubted(event, facts, policy, code), policy)
        case "wake", key if key.startswith(PENDED):
            return _followed(event, facts, _overdue(key.removeprefix(PENDED), event, facts, policy), policy)
        case "wake", key if key.startswith((VERIFY, SET_ENDS, RENEW, assistance.WAKE)):
            return _followed(event, facts, (), policy)
        case "wake", key if key.startswith(SILENT):
            return _followed(event, facts, silent(key.removeprefix(SILENT), facts, event.at), policy)
        case "wake", key if key == ROUSED:
            return _followed(event, facts, _missed(event, facts, policy), policy)
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
    claim = _about(event, facts)
    for response in event.of_type("ClaimResponse") if claim else ():
        claim = claim or {}
        kept = received(claim, response, _base(claim, policy))
        final = next((a for a in _answers(facts, claim) if standing(claim, a) in FINAL), None)
        if final is not None:
            said = [reviews(a) for a in _answers(facts, claim)]
            if standing(claim, kept) not in ("pended", "cancelled") and reviews(kept) not in said:
                yield from _doubted(event, facts, policy, "payer-contradicts", reference(kept))
        elif all(_says(a) != _says(kept) for a in _answers(facts, claim)):
            yield kept


def _says(answer: Resource) -> object:
    """What an answer decides and asks for: two that say the same are one."""
    return reviews(answer), wanted_by(answer)


def _taken_back(event: Event, facts: Facts, policy: AuthPolicy) -> Iterable[Resource]:
    """The payer's answer to a request that takes another back; anything but yes is a question."""
    request = facts.at(event.focus)
    for response in event.of_type("ClaimResponse") if request else ():
        kept = received(request or {}, response, _base(request, policy))
        if facts.at(reference(kept)) is None:
            yield kept
            if standing(request or {}, kept) != "cancelled":
                yield from _doubted(event, facts, policy, "payer-keeps")


def _answers(facts: Facts, claim: Resource) -> list[Resource]:
    """What the payer said of a Claim, and what a person entered that ends it: an approval by telephone does not."""
    found = (a for a in facts.of("ClaimResponse") if target(a.get("request")) == reference(claim))
    return [a for a in found if not is_spoken(a)]


def _doubted(event: Event, facts: Facts, policy: AuthPolicy, code: str, key: str = "") -> Iterable[Resource]:
    """A question about a request whose answer nobody but a person can use, with what the payer said was wrong."""
    about, key = _about(event, facts), key or _asked_by(event)
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


def _about(event: Event, facts: Facts) -> Resource | None:
    """What an answer is about: where a question sent for it, what that one is about."""
    found = facts.at(event.focus)
    return facts.at(target(found["focus"])) if found and found["resourceType"] == "Task" else found


def _asked_by(event: Event) -> str:
    """The question that sent for an answer, if one did."""
    return event.focus if event.focus and event.focus.startswith("Task/") else ""


def _overdue(claim_id: str, event: Event, facts: Facts, policy: AuthPolicy) -> Iterable[Resource]:
    """What the payer's clock asks for, where the Claim is still pended."""
    claim = facts.at("Claim/" + claim_id)
    case = _case_about(claim, facts, policy, event.at)
    if claim is None or case is None or case.claim != claim or not awaits_payer(case, stage_of(case).status):
        return
    if question := overdue(case):
        yield asked(case, question)


def _missed(event: Event, facts: Facts, policy: AuthPolicy) -> Iterable[Resource]:
    """A question about each pended request whose decision may have been told of in vain."""
    for order in facts.orders:
        case = case_of(order, facts, policy, event.at)
        yield from (asked(case, question) for question in missed(case, facts))


def _told(event: Event, facts: Facts, policy: AuthPolicy) -> Decision:
    """A person's answer to one of our questions: only status and output are taken from it.

    Each is owned by this practice's authorization-coordinator: who refers patients to it answers none.
    """
    client = policy.site.referrers.get(event.source or "")
    if client is None or not client.sees_all:
        return Decision("answer-not-by-practice", refusals=("answer-not-by-practice",))
    given = next(iter(event.of_type("Task")), None)
    stored = facts.at(reference(given)) if given else None
    if given is not None and stored is not None and task_code(stored) == HUB_ENROLMENT:
        return _entered(event, given, stored, facts, policy)
    if given is None or stored is None or task_code(stored) not in ("authorization-question", "appeal"):
        return _refused("question-unknown")
    if stored["status"] not in OPEN:
        return _refused("question-closed")
    if (note := noted(given, unversioned(stored), event.at, policy)) is not None:
        return _refused(note) if isinstance(note, str) else _followed(event, facts, (note,), policy)
    if given["status"] != "completed" or not given.get("output"):
        return _refused("answer-missing")
    answer = told(given, unversioned(stored), event.at, policy)
    if isinstance(answer, str):
        return _refused(answer)
    if task_code(stored) != "appeal" and answer_of(answer) not in ANSWERS.get(question_code(stored) or "", ()):
        return _refused("answer-unknown")
    if answers_no_item(answer, facts.known):
        return _refused("answer-missing")
    if names_nothing(answer, facts.known) or enters_nothing(answer, facts.known) or lacks_terms(answer):
        return _refused("answer-missing")
    if answer_of(answer) == UPDATE and not _may_update(answer, facts, policy, event.at):
        return _refused("answer-unknown")
    return _followed(event, facts, (answer,), policy)


def _refused(code: str) -> Decision:
    return Decision(code, refusals=(code,))


def _entered(event: Event, given: Resource, stored: Resource, facts: Facts, policy: AuthPolicy) -> Decision:
    """What a person enters on an enrolment; a refusal says what keeps it from being taken."""
    order = next((facts.at(target(b)) for b in stored["basedOn"]), None)
    case = case_of(order, facts, policy, event.at) if order else None
    after = assistance.told(given, stored, case) if case else "question-closed"
    return _refused(after) if isinstance(after, str) else _followed(event, facts, after, policy)


def _may_update(answer: Resource, facts: Facts, policy: AuthPolicy, at: datetime) -> bool:
    claim = facts.at(target(answer["focus"]))
    case = _case_about(claim, facts, policy, at)
    return claim is not None and case is not None and may_be_updated(case, claim)


def _case_about(resource: Resource | None, facts: Facts, policy: AuthPolicy, at: datetime) -> Case | None:
    """The case of the period a request, or an answer to one, is about."""
    order = facts.at(order_of(resource or {}))
    if resource is None or order is None:
        return None
    request = facts.at(target(resource.get("request"))) or resource
    return case_of_period(case_of(order, facts, policy, at), period_of(request))


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
    cases = [case_of(order, known, policy, event.at) for order in known.orders if _concerns(order, known)]
    worked = [w for case in cases for w in _worked(case)]
    desired = {r["id"]: r for r in (*new, *(r for w in worked for r in w.saves))}
    saves = tuple(r for r in desired.values() if _differs(r, facts))
    if not saves:
        return Decision(NOTHING)
    changed = {reference(r) for r in saves}
    moved = [w for w in worked if changed & {reference(r) for r in w.saves}] or worked[:1]
    news = next((w for w in moved if is_moved(w, facts)), moved[0] if moved else None)
    name = reason(event, news, saves, facts)
    return Decision(
        reason=name,
        saves=saves,
        wakes=silences(saves, facts.known) | {k: v for w in worked for k, v in _wakes(w, facts).items()},
        refusals=tuple(dict.fromkeys(code for w in moved for code in refusals(w, name))),
        evidence=tuple(dict.fromkeys(e for w in moved for e in w.stage.evidence)),
        focus=focus(news, saves, name),
        rouses=frozenset(lane for w in worked if _asks(w, facts) for lane in lanes_of(w.case)),
    )


def _asks(worked: Worked, facts: Facts) -> bool:
    """Whether a payer is asked something it was not asked before."""
    asked_of = (r for r in worked.saves if r["resourceType"] in ("CoverageEligibilityRequest", "Claim"))
    return any(facts.at(reference(r)) is None for r in asked_of)


def _concerns(order: Resource, facts: Facts) -> bool:
    return order["status"] in BEGUN or bool(facts.tasks(order, "preauthorization"))


def _worked(case: Case) -> Iterator[Worked]:
    """The first period of an order with its ledger, and each after it."""
    stage = stage_of(case)
    later = renewals(case, stage)
    first = terms_of(case, stage)
    before, terms = ledger_of(case), replace(first, grants=(*first.grants, *(g for r in later for g in r.grants)))
    after = moved(case, before, terms)
    task = preauthorization(case, stage, after, terms, first.grants, standing_outputs(later))
    own = [*charge_items(case, before, after, stage.answer), task, *given_up(case, stage, later)]
    besides = (*verified_again(case), *assistance.enrolments(case))
    yield Worked(case, stage, (*_saves(case, stage, own), *besides), before, after)
    for renewal in later:
        saves = _saves(renewal.case, renewal.stage, [renewal_task(renewal, after, terms)])
        yield Worked(renewal.case, renewal.stage, saves, after, after, renewal)


def _saves(case: Case, stage: Stage, own: Iterable[Resource]) -> tuple[Resource, ...]:
    """The requests of a period, what tells of it (`own`), and what persons are asked about it."""
    questions = [asked(case, q) for q in stage.questions]
    appeals = list(ended(case)) if case.ended else list(_appealed(case, stage))
    kept = [q["id"] for q in (*questions, *appeals, *stage.saves)]
    said = (*own, *appeals, *questions, *overtaken(case, kept))
    return (*stage.saves, *said, *talks(case, said), *told_of(case), *withdrawn(case), *sets_given_up(case))


def _wakes(worked: Worked, facts: Facts) -> dict[str, datetime | None]:
    """When a payer is late, a question set ends, the benefit is verified or help asked again, a period is worked."""
    told = wakes(worked, facts) | set_ends(worked.case, worked.stage.saves)
    if worked.renewal is not None:
        return told | renewal_wakes(worked.renewal, told_in(worked), facts)
    again = verifications(worked.case, worked.saves, facts.known)
    return told | again | assistance.wakes(worked.case, worked.saves)


def _appealed(case: Case, stage: Stage) -> Iterable[Resource]:
    """What is asked of a denial on the way up, and the letters of what is filed."""
    climb = climbed(case, stage.answer)
    yield from climb.tasks
    for level, task in climb.filed:
        yield from letter(case, climb.denial or {}, level, task)


def _differs(resource: Resource, facts: Facts) -> bool:
    stored = facts.at(reference(resource))
    return stored is None or unversioned(stored) != unversioned(resource)

"""Decides what intake asserts after an event: folds it over what is known, and works every referral out anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from services.intake.answers import telling
from services.intake.answers.numbering import numbered
from services.intake.answers.referral import course, referral
from services.intake.cases import cases
from services.intake.consequences import REASONS_BY_KIND, Policy, Worked, consequences, timers
from services.intake.countersigning import further_questions
from services.intake.doors.placing import omissions
from services.intake.facts import Case, Facts
from services.intake.folding import folded, is_answer, refusals
from services.intake.notices import Followed, consented, notices
from services.intake.notices.sending import told
from services.intake.orders import called_off, filler_orders
from services.intake.persons.duplicates import linked
from services.intake.persons.homing import parted
from services.intake.persons.kinship import rousing
from services.intake.pulls.pulling import is_about_pulling, pulling
from services.intake.questions import closed, questions_of
from services.intake.records import unversioned
from services.intake.requirements.demands import shortfalls
from services.intake.requirements.gap import Gap
from services.intake.rules import gaps
from shared.borders import kind_of
from shared.core import Decision, Event, Needs, Resource, reference

NOTHING = "nothing-to-change"


def coordinate(event: Event, facts: Facts, policy: Policy) -> Decision | Needs:
    """What follows from one event; see `docs/journey.md` for the reasons."""
    if facts.missing:
        return Needs(tuple(facts.missing))
    if (events := parted(event, facts)) is not None:
        here, there = events
        return replace(_told(here, facts, policy), passes=there)
    return _told(event, facts, policy)


def _told(event: Event, facts: Facts, policy: Policy) -> Decision:
    """The decision as others are told of it: each notification it begins numbered, the person's other lanes roused."""
    return rousing(numbered(_decided(event, facts, policy), facts, policy.site), facts)


def _decided(event: Event, facts: Facts, policy: Policy) -> Decision:
    if is_about_pulling(event, facts):
        return pulling(event, facts, policy, _settled)
    match event:
        case Event(kind="message" | "command") if codes := refusals(event, facts):
            return Decision("referral-refused", refusals=codes)
        case Event(kind="wake", reason=name) if name.startswith(telling.OVERDUE):
            return telling.overdue(event, facts, policy)
        case Event(kind="message" | "command" | "wake"):
            return _settled(event, facts, policy)
        case Event(kind="answer", reason="notice-sent" | "notice-refused"):
            return _noticed(event, facts, policy)
        case Event(kind="answer", reason="answer-told" | "answer-refused"):
            return telling.told(event, facts, policy)
        case _:
            return Decision(NOTHING)


def _settled(event: Event, facts: Facts, policy: Policy) -> Decision:
    """Every referral of the patient, worked out from all that is now known, and what else follows."""
    known = replace(facts, resources=folded(event, facts))
    now = replace(known, resources={**consented(known, policy.figures, event.at), **known.resources, **linked(known)})
    worked = [_worked(case, event, policy) for case in cases(event, facts, now, policy.site, policy.figures)]
    orders = _changed(facts, (o for w in worked for o in w.orders))
    tasks = _changed(facts, (t for w in worked for t in (w.referral, *w.questions.values())))
    followed = [Followed(w.case, w.gaps, w.order, w.referral) for w in worked]
    patients = notices(now, followed, event, policy.site, policy.figures)
    further = _changed(facts, (*consequences(worked), *patients.saves))
    said = {reference(r) for r in (*orders, *tasks, *further)}
    received = now.resources.values() if event.kind == "command" else ()
    others = _changed(facts, (r for r in received if reference(r) not in said))
    others = tuple(sorted(others, key=lambda r: r["resourceType"] != "Task"))  # an answer is what its decision is about
    codes = tuple(dict.fromkeys(g.code for w in worked for g in w.gaps))
    saves = (*orders, *tasks, *others, *further)
    reason = _reason(event, facts, orders, tasks, others or further) if saves else NOTHING
    return Decision(reason, saves, {**timers(worked), **patients.wakes}, refusals=codes)


def _worked(case: Case, event: Event, policy: Policy) -> Worked:
    lacking = _every(gaps(case, policy.figures), (*omissions(case), *shortfalls(case, policy.demands)))
    missing = () if case.replaced else lacking
    orders = filler_orders(case, missing, event.at)
    order = orders[0] if orders and orders[0]["id"] == case.order_id else None
    questions = questions_of(case, order, policy.site.auto_confirm, event.at)
    questions |= further_questions(case, order, policy.figures, event.at)
    if called_off(case):
        questions = {code: closed(q) for code, q in questions.items()}
    task = referral(course(case, missing, order, questions), event.at)
    return Worked(case, missing, orders, questions, task, policy, event.at)


def _every(ruled: tuple[Gap, ...], formal: tuple[Gap, ...]) -> tuple[Gap, ...]:
    """All gaps; what a rule names already, by its code or of the same element, is not said again."""
    codes, places = {gap.code for gap in ruled}, {gap.element for gap in ruled}
    return (*ruled, *(gap for gap in formal if gap.code not in codes and gap.element not in places))


def _changed(facts: Facts, resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Those that say anything else than what is stored, as they may be saved."""
    plain = {reference(r): unversioned(r) for r in resources}
    stored = facts.resources
    return tuple(r for key, r in plain.items() if key not in stored or unversioned(stored[key]) != r)


RECEIVED_REASONS: Mapping[str, str] = {
    "Observation": "observation-received",
    "MedicationDispense": "dispense-received",
    "SupplyDelivery": "delivery-received",
    **REASONS_BY_KIND,
}


def _reason(
    event: Event, facts: Facts, orders: tuple[Resource, ...], tasks: tuple[Resource, ...], others: tuple[Resource, ...]
) -> str:
    """The most telling name of what changed: the order, then an answer, then the referral, then the record."""
    if orders:
        return _order_reason(facts, orders[0])
    if is_answer(event, facts):
        return "question-answered"
    if tasks:
        ended = any(t["status"] == "cancelled" for t in tasks)
        new = any(reference(t) not in facts.resources for t in tasks)
        return "referral-revoked" if ended else "referral-accepted" if new else "referral-reported"
    kinds = {kind_of(r) for r in others}
    return RECEIVED_REASONS.get(next(iter(kinds)), "record-received") if len(kinds) == 1 else "record-received"


def _order_reason(facts: Facts, order: Resource) -> str:
    stored = facts.resources.get(reference(order), {}).get("status")
    match order["status"]:
        case "revoked":
            return "referral-revoked"
        case "draft" if stored is None:
            return "referral-accepted"
        case "active" if stored != "active":
            return "referral-completed"
    return "referral-changed"


def _noticed(event: Event, facts: Facts, policy: Policy) -> Decision:
    """A notice to the patient was given, or could not be: what follows from that is decided with it."""
    said = told(event, facts, policy.site)
    if not said:
        return Decision(NOTHING)
    further = _settled(replace(event, kind="message", resources=said), facts, policy)
    codes = (event.reason, *further.refusals) if event.reason == "notice-refused" else further.refusals
    return replace(further, reason="notice-given", saves=(*said, *further.saves), refusals=codes)

"""Says where an order's authorization stands: the first rule that speaks decides.

Law of this file: every rule looks at the whole case, none at what happened last; so any order of events ends alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from services.auth.benefit.benefits import excluded, in_force, pharmacy_only
from services.auth.benefit.coverages import question_key
from services.auth.benefit.reverifying import verified_again
from services.auth.case import Case
from services.auth.decision.answered import ANSWERED
from services.auth.decision.expedited import hastened
from services.auth.decision.rechecks import recheck
from services.auth.decision.spoken import entered_instead
from services.auth.discovery import findings
from services.auth.home import refused, unpaid
from services.auth.papers.byhand import answered_by_hand, by_hand
from services.auth.pharmacy.choosing import is_needed, which_benefit
from services.auth.pharmacy.pathway import question_set
from services.auth.questions import Question, open_about
from services.auth.stage import Stage, asking, asking_about, output, waiting
from services.auth.wire.claims import first_benefit_request
from services.auth.wire.held import confirmed, differing, inquired
from services.auth.wire.information import pended
from services.auth.wire.responses import (
    FINAL,
    authorized,
    standing,
)
from services.auth.words import DRUG, answer_of, concept, order_of, period_of, question_code, target
from shared.catalogue import drug as drug_of
from shared.core import Resource, reference


def stage_of(case: Case) -> Stage:
    """Where this case stands."""
    return by_hand(case, next(stage for rule in RULES if (stage := rule(case)) is not None))


# Before the payer is asked


def revoked(case: Case) -> Stage | None:
    """The order was taken back: nothing is authorized any more."""
    if case.ended:
        return Stage("cancelled", "preauthorization-cancelled", "The order was revoked.")
    return None


def uncovered(case: Case) -> Stage | None:
    """No active Coverage is known: the authorization waits for one."""
    if case.coverage is not None:
        return None
    return waiting("investigating", "coverage-missing", "coverage", "An active Coverage with payer and member id")


def undetermined(case: Case) -> Stage | None:
    """Nothing documents which of several Coverages pays first, and no payer was asked yet: a person says it."""
    if not case.precedence.unknown or case.claim is not None:
        return None
    key = question_key(case.precedence.plans)
    return asking_about("coverage-order", reference(case.order), case.precedence.unknown, key=key)


def unknown_payer(case: Case) -> Stage | None:
    """The Coverage names no payer of the site's configuration."""
    if case.payer is not None:
        return None
    text = "The Coverage names no payer this practice knows: which one is it?"
    return asking_about("payer-unknown", reference(case.coverage or case.order), text)


def unbillable(case: Case) -> Stage | None:
    """The drug is not in the catalogue, or has no billing code on the date of service."""
    if case.hcpcs is not None:
        return None
    if not case.may_ask:
        return Stage("investigating", "preauthorization-opened")
    text = "The drug has no billing code on the date of service: under which code is it asked for?"
    return asking_about("no-billing-code", reference(case.order), text)


def changed(case: Case) -> Stage | None:
    """The order no longer is what the payer was asked for: a person decides whether to keep or to ask again."""
    question = recheck(case, case.claim) if case.claim is not None and not _is_past(case, case.claim) else None
    return asking(question) if question is not None else None


def _is_past(case: Case, claim: Resource) -> bool:
    """Whether all that was granted lies behind, and the payer was asked for a later period."""
    answer = answer_that_counts(claim, case.answers_to(claim))
    ends = [a.end for a in authorized(claim, answer)] if answer is not None else []
    later = (c for c in case.facts.of("Claim") if order_of(c) == reference(case.order) and period_of(c) > case.period)
    return bool(ends) and max(ends) < case.on and any(c["status"] == "active" for c in later)


def benefit_unknown(case: Case) -> Stage | None:
    """The payer has not said yet whether the drug is covered and must be authorized."""
    if case.benefit is not None:
        return None
    request = first_benefit_request(case)
    if "required" in case.answers_about(request):
        return None
    for code, why in BENEFIT_DOUBTS.items():
        if open_about(case, code, reference(request)):
            return Stage("question", "preauthorization-questioned", why)
    return Stage("investigating", "benefit-asked", saves=(request,))


BENEFIT_DOUBTS = {
    "benefit-refused-by-payer": "The payer's benefit answer needs a person.",
    "benefit-unreadable": "The payer's benefit answer needs a person.",
    "benefit-unsendable": "The benefit request cannot be sent as it is.",
}
"""Question that keeps a benefit from being known -> why the authorization waits."""


def not_insured(case: Case) -> Stage | None:
    """The payer says that the coverage is not in force."""
    if case.benefit is None or in_force(case.benefit):
        return None
    return waiting(
        "needs-information", "preauthorization-incomplete", "coverage-not-in-force", "A Coverage that is in force"
    )


def not_covered(case: Case) -> Stage | None:
    """The payer covers another product for this: it is named, and nothing is asked."""
    figure = case.criteria
    benefit = case.benefit is not None and case.manager is None and excluded(case.benefit, case.hcpcs)
    refused = figure is not None and not figure.value["covered"]
    if case.claim is not None or not (benefit or refused or findings.is_refused(case)):
        return None
    preferred = figure.value.get("preferred", ()) if figure is not None else ()
    named = [d for key in preferred if (d := drug_of(key))]
    by_pharmacy = benefit and case.benefit is not None and pharmacy_only(case.benefit, case.hcpcs)
    return Stage(
        "not-covered",
        "preauthorization-not-covered",
        PHARMACY_ONLY if by_pharmacy else "The payer does not cover this product.",
        outputs=tuple(output("preferred", valueCodeableConcept=concept(DRUG, d.key, d.name)) for d in named),
        refusals=("product-not-covered",),
        note=case.policy.note_on(figure) if figure is not None else "",
    )


PHARMACY_ONLY = (
    "The payer pays this drug by its pharmacy benefit alone: another way of asking, or another drug, is needed."
)


def paid_elsewhere(case: Case) -> Stage | None:
    """At home this drug is paid by no benefit of this coverage, and no other coverage is known that has it."""
    if case.claim is not None or "drug" not in unpaid(case) or case.home_benefit is None:
        return None
    why, note = refused(case.home_benefit), case.policy.note_on(case.home_benefit)
    return Stage("not-covered", "preauthorization-not-covered", why, refusals=("home-not-covered",), note=note)


def partly_paid(case: Case) -> Stage | None:
    """The benefit pays the drug at home, but not its nursing or supplies: a person says how they are paid."""
    parts = unpaid(case)
    if case.claim is not None or not parts:
        return None
    text = f"This coverage pays no {' and no '.join(parts)} at home: agree who pays, then answer `accepted`."
    question = Question("home-partly-paid", reference(case.order), text)
    stored = case.facts.at("Task/" + question.id_for(case.order))
    return None if stored is not None and answer_of(stored) == "accepted" else asking(question)


def requirements_awaited(case: Case) -> Stage | None:
    """The payer's own rules were asked about this order, and have neither answered nor been silent for long enough."""
    if case.claim is not None or not findings.is_awaited(case, verified_again(case)):
        return None
    return Stage("investigating", "benefit-known")


def not_required(case: Case) -> Stage | None:
    """The payer, by its rules for this order or for this drug, or the benefit at home wants no authorization."""
    home = case.home_benefit.value if case.home_benefit else {}
    told = case.benefit is not None and not is_needed(case, case.benefit)
    free = told or (case.benefit is not None and home.get("authorization") == "not-required")
    said, number = findings.needed(case), findings.number(case)
    if case.claim is not None or said in findings.NEEDED or not (free or said in findings.FREE):
        return None
    outputs = (output("number", valueString=number),) if number else ()
    return Stage("not-required", "preauthorization-not-required", outputs=outputs)


# Once the payer was asked


def answered(case: Case) -> Stage | None:
    """The Claim stands as its answer says; without one it is submitted, unless the payer refused to read it."""
    claim = case.claim
    if claim is None:
        return None
    written = answer_that_counts(claim, case.answers_to(claim)) or confirmed(case, claim)
    answer = entered_instead(case, claim) or written or answered_by_hand(case, claim)
    if answer is not None and standing(claim, answer) in GRANTED and (stage := differing(case, claim, answer)):
        return stage
    if answer is not None and standing(claim, answer) == "pended":
        return pended(case, claim, answer)
    if answer is not None:
        return ANSWERED[standing(claim, answer)](claim, answer)
    for code, why in CLAIM_DOUBTS.items():
        if any(question_code(q) == code and target(q["focus"]) == reference(claim) for q in case.questions):
            return Stage("question", "preauthorization-questioned", why)
    return Stage("submitted", "preauthorization-asked", saves=(claim,))


GRANTED = ("approved", "partly-approved")

CLAIM_DOUBTS = {
    "held-authorization-unknown": "The payer does not know the authorization the referral names.",
    "preauthorization-refused-by-payer": "The payer's answer needs a person.",
    "preauthorization-unreadable": "The payer's answer needs a person.",
    "preauthorization-unsendable": "The request cannot be sent as it is.",
}
"""Question that keeps a Claim from its answer -> why the authorization waits."""


def answer_that_counts(claim: Resource, answers: Iterable[Resource]) -> Resource | None:
    """The first final answer; before one, the latest."""
    known = list(answers)
    final = (a for a in known if standing(claim, a) in FINAL)
    return next(final, known[-1] if known else None)


# Is the request complete?


def incomplete_order(case: Case) -> Stage | None:
    """The order is not clinically complete or its patient not known yet; until then the payer is not asked."""
    return None if case.may_ask and case.patient else Stage("investigating", "benefit-known")


def without_criteria(case: Case) -> Stage | None:
    """No criteria of this payer for this drug are in force and adopted: a person says whether to submit without."""
    question = Question(
        "no-criteria", reference(case.order), "No criteria of this payer for this drug are adopted: answer `submit`."
    )
    stored = case.facts.at("Task/" + question.id_for(case.order))
    if case.criteria is not None or (stored is not None and answer_of(stored) == "submit"):
        return None
    return asking(question)


RULES: Mapping[Callable[[Case], Stage | None], tuple[str, ...]] = {
    revoked: ("cancelled",),
    uncovered: ("investigating",),
    undetermined: ("question",),
    unknown_payer: ("question",),
    changed: ("question",),
    unbillable: ("investigating", "question"),
    paid_elsewhere: ("not-covered",),
    benefit_unknown: ("investigating", "question"),
    not_insured: ("needs-information",),
    not_covered: ("not-covered",),
    partly_paid: ("question",),
    requirements_awaited: ("investigating",),
    which_benefit: ("question",),
    not_required: ("not-required",),
    answered: ("submitted", "pended", *ANSWERED),
    incomplete_order: ("investigating",),
    inquired: ("submitted",),
    question_set: ("investigating", "needs-information", "question", "submitted"),
    without_criteria: ("question",),
    hastened: ("needs-information", "question", "submitted"),
}
"""From the end of an order to its submission, each with the statuses it may give; the first that speaks says where the
case stands. `contracts/preauthorization.svg` draws it."""

"""Says where an order's authorization stands: the first rule that speaks decides.

Law of this file: every rule looks at the whole case, none at what happened last; so any order of events ends alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from services.auth.case import Case, answer_of, question_code
from services.auth.claims import benefit_request
from services.auth.completeness import complete
from services.auth.questions import Question, open_about
from services.auth.responses import (
    FINAL,
    actions_of,
    authorized,
    excluded,
    in_force,
    must_authorize,
    reviews,
    standing,
)
from services.auth.stage import Stage, asking, asking_about, output, waiting
from services.auth.words import DRUG, REGIMEN, concept, extension, target
from shared.catalogue import drug as drug_of
from shared.core import Resource, reference


def stage_of(case: Case) -> Stage:
    """Where this case stands."""
    return next(stage for rule in RULES if (stage := rule(case)) is not None)


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
    claim = case.claim
    if claim is None or (extension(claim, REGIMEN) or {}).get("valueString") == case.fingerprint:
        return None
    text = "Drug, dose or diagnosis changed since the payer was asked: answer `resubmit`, or `keep` if it still holds."
    question = Question("order-changed", reference(claim), text, f"{reference(claim)}|{case.fingerprint}")
    stored = case.facts.at("Task/" + question.id_for(case.order))
    if stored is not None and answer_of(stored) == "keep":
        return None
    return asking(question)


def benefit_unknown(case: Case) -> Stage | None:
    """The payer has not said yet whether the drug is covered and must be authorized."""
    if case.benefit is not None:
        return None
    request = benefit_request(case)
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
    benefit = case.benefit is not None and excluded(case.benefit, case.hcpcs)
    refused = figure is not None and not figure.value["covered"]
    if case.claim is not None or not (benefit or refused):
        return None
    preferred = figure.value.get("preferred", ()) if figure is not None else ()
    named = [d for key in preferred if (d := drug_of(key))]
    return Stage(
        "not-covered",
        "preauthorization-not-covered",
        "The payer does not cover this product.",
        outputs=tuple(output("preferred", valueCodeableConcept=concept(DRUG, d.key, d.name)) for d in named),
        refusals=("product-not-covered",),
        note=case.policy.note_on(figure) if figure is not None else "",
    )


def not_required(case: Case) -> Stage | None:
    """The payer says that this drug needs no authorization."""
    if case.benefit is None or must_authorize(case.benefit, case.hcpcs) or case.claim is not None:
        return None
    return Stage("not-required", "preauthorization-not-required")


# Once the payer was asked


def answered(case: Case) -> Stage | None:
    """The Claim stands as its answer says; without one it is submitted, unless the payer refused to read it."""
    claim = case.claim
    if claim is None:
        return None
    answer = answer_that_counts(claim, case.answers_to(claim))
    if answer is not None:
        return ANSWERED[standing(claim, answer)](claim, answer)
    for code, why in CLAIM_DOUBTS.items():
        if any(question_code(q) == code and target(q["focus"]) == reference(claim) for q in case.questions):
            return Stage("question", "preauthorization-questioned", why)
    return Stage("submitted", "preauthorization-asked", saves=(claim,))


CLAIM_DOUBTS = {
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


def _pended(claim: Resource, answer: Resource) -> Stage:
    return Stage("pended", "preauthorization-pended", answer=answer)


def _approved(claim: Resource, answer: Resource) -> Stage:
    return _granted("approved", claim, answer)


def _partly_approved(claim: Resource, answer: Resource) -> Stage:
    return _granted("partly-approved", claim, answer)


def _granted(status: str, claim: Resource, answer: Resource) -> Stage:
    granted = authorized(claim, answer)
    numbers = dict.fromkeys(g.number for g in granted)
    periods = dict.fromkeys((g.start.isoformat(), g.end.isoformat()) for g in granted)
    outputs = [output("number", valueString=n) for n in numbers]
    outputs += [output("period", valuePeriod={"start": s, "end": e}) for s, e in periods]
    return Stage(status, "preauthorization-approved", outputs=(*outputs, *_reasons(answer)), answer=answer)


def _denied(claim: Resource, answer: Resource) -> Stage:
    why = "The payer denied the request."
    return Stage("denied", "preauthorization-denied", why, _reasons(answer), refusals=("denied",), answer=answer)


def _unclear(claim: Resource, answer: Resource) -> Stage:
    text = f"The payer answered with review action {actions_of(answer)}: what does it allow?"
    stage = asking_about("payer-answer", reference(claim), text, key=reference(answer))
    return Stage(stage.status, stage.reason, stage.why, questions=stage.questions, answer=answer)


def _reasons(answer: Resource) -> tuple[dict[str, Any], ...]:
    return tuple(output("denial-reason", valueCodeableConcept=dict(r)) for v in reviews(answer) for r in v.reasons)


ANSWERED: dict[str, Callable[[Resource, Resource], Stage]] = {
    "approved": _approved,
    "partly-approved": _partly_approved,
    "denied": _denied,
    "pended": _pended,
    "question": _unclear,
}


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


RULES: tuple[Callable[[Case], Stage | None], ...] = (
    revoked,
    uncovered,
    unknown_payer,
    changed,
    unbillable,
    benefit_unknown,
    not_insured,
    not_covered,
    not_required,
    answered,
    incomplete_order,
    without_criteria,
    complete,
)
"""From the end of an order to its submission; the first that speaks says where the case stands."""

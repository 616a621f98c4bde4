"""Says where an authorization stands once the payer has answered its Claim: granted, cut, denied, or to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from services.auth.questions import Question
from services.auth.stage import Stage, asking_about, output
from services.auth.wire.responses import actions_of, authorized, reviews, units_cut
from shared.core import Resource, reference


def _approved(claim: Resource, answer: Resource) -> Stage:
    return _granted("approved", claim, answer)


def _partly_approved(claim: Resource, answer: Resource) -> Stage:
    """What is approved goes ahead; of units that were cut a person says what becomes of the rest."""
    stage = _granted("partly-approved", claim, answer)
    if not (cut := units_cut(claim, answer)):
        return stage
    told = ", ".join(f"{code} {got:f} of {asked:f}" for code, (got, asked) in cut.items())
    text = f"The payer authorized fewer units than asked for ({told}): agree on the rest, then answer `accepted`."
    return replace(stage, questions=(Question("partly-authorized", reference(claim), text, reference(answer)),))


def _not_required(claim: Resource, answer: Resource) -> Stage:
    return Stage("not-required", "preauthorization-not-required", saves=(answer,), answer=answer)


def _granted(status: str, claim: Resource, answer: Resource) -> Stage:
    granted = authorized(claim, answer)
    numbers = dict.fromkeys(g.number for g in granted)
    periods = dict.fromkeys((g.start.isoformat(), g.end.isoformat()) for g in granted)
    outputs = [output("number", valueString=n) for n in numbers]
    outputs += [output("period", valuePeriod={"start": s, "end": e}) for s, e in periods]
    told = (*outputs, *_reasons(answer))
    return Stage(status, "preauthorization-approved", outputs=told, saves=(answer,), answer=answer)


def _denied(claim: Resource, answer: Resource) -> Stage:
    why = "The payer denied the request."
    return Stage(
        "denied", "preauthorization-denied", why, _reasons(answer), (answer,), refusals=("denied",), answer=answer
    )


def _unclear(claim: Resource, answer: Resource) -> Stage:
    text = f"The payer answered with review action {actions_of(answer)}: what does it allow?"
    stage = asking_about("payer-answer", reference(claim), text, key=reference(answer))
    return Stage(stage.status, stage.reason, stage.why, saves=(answer,), questions=stage.questions, answer=answer)


def _reasons(answer: Resource) -> tuple[dict[str, Any], ...]:
    return tuple(output("denial-reason", valueCodeableConcept=dict(r)) for v in reviews(answer) for r in v.reasons)


ANSWERED: dict[str, Callable[[Resource, Resource], Stage]] = {
    "approved": _approved,
    "partly-approved": _partly_approved,
    "denied": _denied,
    "not-required": _not_required,
    "question": _unclear,
}

"""Says whether a request is complete: the payer's criteria judged, the doses counted; else the smallest missing set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.auth.case import CHARTED, Case
from services.auth.criteria.criteria import NOTHING, Judgement, Verdict, judged
from services.auth.decision.urgency import statement
from services.auth.home import units_asked
from services.auth.policy import rule_of
from services.auth.stage import Stage, output
from services.auth.wire.claims import claim_for
from services.auth.wire.updating import updated
from services.auth.words import CRITERION, EVIDENCE, GAP, concept
from shared.core import Resource, reference


def complete(case: Case) -> Stage:
    """Every criterion is met and the doses can be counted: the Claim goes out. Otherwise the smallest set is named."""
    figure = case.criteria
    judgement = judged(rule_of(figure, case.phase) or NOTHING, case.chart) if figure is not None else Judgement((), ())
    regimen, units = case.regimen, units_asked(case)
    if judgement.met and not isinstance(regimen, str) and units is not None:
        cited = [v.evidence for v in judgement.verdicts if v.evidence and v.evidence.startswith(CHARTED)]
        weight = [reference(regimen.weight)] if regimen.weight else []
        stated = [reference(s)] if (s := statement(case)) else []
        claim = updated(case, claim_for(case, units, [*cited, *weight, *stated]))
        stage = Stage("submitted", "preauthorization-asked", saves=(claim,))
    else:
        stage = _lacking(judgement, regimen if isinstance(regimen, str) else None)
    return replace(
        stage,
        outputs=(*stage.outputs, *(_criterion(v) for v in judgement.verdicts)),
        evidence=_evidence(case, judgement),
        note=case.policy.note_on(figure) if figure is not None else "",
        judged=True,
    )


def _lacking(judgement: Judgement, dose_gap: str | None) -> Stage:
    gaps = [(v.gap or v.verdict, _told(v), v.criterion) for v in judgement.missing]
    if dose_gap is not None:
        gaps.append((dose_gap, DOSE_GAPS[dose_gap], ""))
    codes = tuple(dict.fromkeys(code for code, _, _ in gaps))
    return Stage(
        "needs-information",
        "preauthorization-incomplete",
        "Information missing: " + ", ".join(codes),
        outputs=tuple(output("missing", valueCodeableConcept=_gap(*g)) for g in gaps),
        refusals=codes,
    )


DOSE_GAPS = {
    "dose-missing": "Dose with unit, and timing of every dose",
    "weight-not-documented": "A body weight, for a dose by weight",
}


def _told(verdict: Verdict) -> str:
    if verdict.verdict == "not-met":
        return f"Criterion {verdict.criterion} is not met. It would be by: {verdict.text}"
    return verdict.text


def _gap(code: str, text: str, criterion: str) -> dict[str, Any]:
    coded = concept(GAP, code, text)
    if criterion:
        coded["coding"].append({"system": CRITERION, "code": criterion})
    return coded


def _criterion(verdict: Verdict) -> dict[str, Any]:
    told = output("criterion", valueCodeableConcept=concept(CRITERION, verdict.criterion, verdict.verdict))
    proof = {"url": EVIDENCE, "valueReference": {"reference": verdict.evidence}}
    return {"extension": [proof], **told} if verdict.evidence else told


def _evidence(case: Case, judgement: Judgement) -> tuple[str, ...]:
    cited = [case.facts.at(v.evidence) for v in judgement.verdicts if v.evidence]
    return tuple(dict.fromkeys(_versioned(r) for r in cited if r is not None))


def _versioned(resource: Resource) -> str:
    version = (resource.get("meta") or {}).get("versionId")
    return f"{reference(resource)}/_history/{version}" if version else reference(resource)

"""Answers before anything is sent to a payer: would this request be complete, what is missing, what is paid instead.

`POST [base]/$preauthorization-check` with a Bundle as a referral brings it. It decides by the figures and functions
that decide a real request, stores nothing and asks nobody; whether the payer would say yes it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from services.auth.case import Case
from services.auth.criteria.completeness import DOSE_GAPS
from services.auth.criteria.criteria import NOTHING, Judgement, Verdict, judged
from services.auth.criteria.findings import is_refuted
from services.auth.decision.experience import DECISIONS
from services.auth.facts import Facts
from services.auth.policy import AuthPolicy, days_of, rule_of
from services.auth.viewing import case_of
from services.auth.words import CRITERION, DRUG, GAP, ICD_10_CM, site_of_care
from shared.catalogue import Drug, drug, known
from shared.core import Inquiry, Resource, Tally
from shared.fhir.references import rewritten
from shared.policy import Figure

Status = Literal["complete", "incomplete", "not-covered", "no-criteria", "payer-unknown", "drug-unknown"]
PERIODS = ("initial", "renewal")
Part = dict[str, Any]


NOT_JUDGED = Judgement((), ())


@dataclass(frozen=True, slots=True)
class Looked:
    """What one product came to under the payer's criteria; `dose_gap` where its doses cannot be counted."""

    status: Status
    figure: Figure | None = None
    judgement: Judgement = NOT_JUDGED
    dose_gap: str | None = None


def precheck(bundle: Resource, asked: Mapping[str, str], policy: AuthPolicy, at: datetime) -> Resource:
    """A Parameters resource. Raises ValueError with what would be right for a `period` that is none."""
    period = asked.get("period", "initial")
    if period not in PERIODS:
        raise ValueError(f"period: one of {', '.join(PERIODS)} would be right")
    sent, names = received(bundle)
    case = case_sent(sent, policy, at)
    looked = _looked(case, period)
    said = [_code("status", looked.status), *_header(case, looked, period)]
    said += [_criterion(v, names) for v in looked.judgement.verdicts]
    said += list(_missing(looked))
    said += [_preferred(key, case, period) for key in _alternatives(looked)]
    return {"resourceType": "Parameters", "parameter": [*said, *_units(case, looked)]}


# What was sent


def received(bundle: Resource) -> tuple[Facts, Mapping[str, str]]:
    """The resources of a Bundle under `Type/id`, references changed with them; and the name each came under."""
    names: dict[str, str] = {}
    taken: list[dict[str, Any]] = []
    for at, entry in enumerate(bundle.get("entry", ())):
        resource = entry.get("resource")
        if isinstance(resource, dict):
            own = str(resource.get("id", f"e{at}"))
            literal = f"{resource['resourceType']}/{own}"
            names[entry.get("fullUrl", literal)] = literal
            taken.append({**resource, "id": own})
    facts = (rewritten(r, names) for r in taken)
    return Facts({f"{r['resourceType']}/{r['id']}": r for r in facts}), {v: k for k, v in names.items()}


def case_sent(sent: Facts, policy: AuthPolicy, at: datetime) -> Case:
    """The case of the order that was sent: its drug by prescription or order, its diagnoses, its first Coverage."""
    request = next(iter(sent.of("ServiceRequest")), {})
    prescriptions = sent.of("MedicationRequest")
    cited = [s.get("reference") for s in request.get("supportingInfo", ())]
    named = [p for p in prescriptions if f"MedicationRequest/{p['id']}" in cited]
    recognised = [p for p in (*named, *prescriptions) if known(_codings(p)) is not None]
    ordered = next(iter((*recognised, *named)), None)
    order = _order(request, ordered, sent)
    codings = [*(_codings(ordered) if ordered else ()), *(request.get("code") or {}).get("coding", ())]
    case = case_of(order, sent, policy, at)
    return replace(case, drug=known(codings), diagnoses=case.diagnoses or _standing(sent))


def _order(request: Resource, prescription: Resource | None, sent: Facts) -> dict[str, Any]:
    """The order as ours would read: the prescription among what it cites, a status whatever it came with."""
    subject = request.get("subject") or (prescription or {}).get("subject")
    patient = next(iter(sent.of("Patient")), {"id": "unknown"})
    cites = {"supportingInfo": [{"reference": f"MedicationRequest/{prescription['id']}"}]} if prescription else {}
    return {
        "resourceType": "ServiceRequest", "id": "order", "status": "active", "intent": "filler-order",
        **{k: v for k, v in (prescription or {}).items() if k in ("requester", "reasonCode", "reasonReference")},
        **{k: v for k, v in request.items() if k not in ("id", "status", "intent", "supportingInfo")},
        "subject": subject or {"reference": f"Patient/{patient['id']}"},
        **cites,
    }  # fmt: skip


def _codings(prescription: Resource) -> Sequence[Mapping[str, Any]]:
    return (prescription.get("medicationCodeableConcept") or {}).get("coding") or ()


def _standing(sent: Facts) -> tuple[str, ...]:
    """Every diagnosis in the chart, for an order that names none."""
    coded = [c.get("code") or {} for c in sent.of("Condition") if not is_refuted(c)]
    codings = (c for concept in coded for c in concept.get("coding", ()))
    return tuple(c["code"] for c in codings if c.get("system") == ICD_10_CM and "code" in c)


# What it comes to


def _looked(case: Case, period: str) -> Looked:
    if case.drug is None:
        return Looked("drug-unknown")
    if case.payer is None:
        return Looked("payer-unknown")
    figure = case.criteria
    if figure is None:
        return Looked("no-criteria")
    if not figure.value["covered"]:
        return Looked("not-covered", figure)
    judgement = judged(rule_of(figure, period) or NOTHING, case.chart)
    gap = case.regimen if isinstance(case.regimen, str) else None
    return Looked("complete" if judgement.met and gap is None else "incomplete", figure, judgement, gap)


def _alternatives(looked: Looked) -> Sequence[str]:
    """What the payer would rather pay, where the request cannot go as it is."""
    if looked.figure is None or looked.status == "complete":
        return ()
    preferred: Sequence[str] = looked.figure.value.get("preferred", ())
    return preferred


# What is said


def _header(case: Case, looked: Looked, period: str) -> Iterator[Part]:
    if case.payer is not None:
        yield {"name": "payer", "valueString": case.payer.id}
    if case.drug is not None:
        yield {"name": "drug", "valueCoding": _drug(case.drug)}
    figure = looked.figure
    if figure is None:
        return
    yield {"name": "policy", "valueString": figure.policy}
    yield {"name": "source", "valueString": case.policy.note_on(figure)}
    yield {"name": "draft", "valueBoolean": figure.draft}
    yield _code("period", period)
    if (days := days_of(figure, period)) is not None:
        yield {"name": "approval-days", "valueInteger": days}
    if site := site_of_care(case.order):
        yield _code("site-of-care", site)


def _criterion(verdict: Verdict, names: Mapping[str, str]) -> Part:
    parts = [_coding("code", CRITERION, verdict.criterion), _code("verdict", verdict.verdict)]
    parts.append({"name": "text", "valueString": verdict.text})
    if verdict.evidence:
        where = names.get(verdict.evidence, verdict.evidence)
        parts.append({"name": "evidence", "valueReference": {"reference": where}})
    if verdict.gap:
        parts.append(_coding("gap", GAP, verdict.gap))
    return {"name": "criterion", "part": parts}


def _missing(looked: Looked) -> Iterator[Part]:
    """The smallest set that would make the request complete."""
    for verdict in looked.judgement.missing:
        gap = _coding("gap", GAP, verdict.gap or verdict.verdict)
        code = _coding("criterion", CRITERION, verdict.criterion)
        yield {"name": "missing", "part": [gap, code, {"name": "text", "valueString": verdict.text}]}
    if looked.dose_gap is not None and looked.dose_gap not in {v.gap for v in looked.judgement.missing}:
        text = {"name": "text", "valueString": DOSE_GAPS[looked.dose_gap]}
        yield {"name": "missing", "part": [_coding("gap", GAP, looked.dose_gap), text]}


def _preferred(key: str, case: Case, period: str) -> Part:
    """A product the payer would rather pay, and what the same chart comes to for it; its doses are another order's."""
    other = drug(key)
    parts: list[Part] = []
    if other is not None:
        looked = _looked(replace(case, drug=other), period)
        missing = [_coding("missing", CRITERION, v.criterion) for v in looked.judgement.missing]
        status = "complete" if looked.figure and looked.figure.value["covered"] and not missing else looked.status
        parts = [{"name": "drug", "valueCoding": _drug(other)}, _code("status", status), *missing]
    return {"name": "preferred", "part": parts}


def _units(case: Case, looked: Looked) -> Iterator[Part]:
    """Billing units of all doses together, where they can be counted."""
    regimen = case.regimen if looked.figure is not None else "dose-missing"
    if case.drug is None or isinstance(regimen, str):
        return
    for code, units in (regimen.all_units(case.drug, case.starts) or {}).items():
        counted = {"name": "quantity", "valueDecimal": _plain(units)}
        yield {"name": "units", "part": [_code("code", code), counted]}


def _plain(units: Decimal) -> Decimal:
    return units.quantize(Decimal(1)) if units == units.to_integral_value() else units


def _code(name: str, code: str) -> Part:
    return {"name": name, "valueCode": code}


def _coding(name: str, system: str, code: str) -> Part:
    return {"name": name, "valueCoding": {"system": system, "code": code}}


def _drug(found: Drug) -> dict[str, str]:
    return {"system": DRUG, "code": found.key, "display": found.name}


def experience(found: Resource) -> tuple[Tally, ...]:
    """What this payer has decided of this drug so far, where both are known; the services count it."""
    said = {p["name"]: p for p in found["parameter"]}
    if "payer" not in said or "drug" not in said:
        return ()
    about = f"{said['payer']['valueString']}|{said['drug']['valueCoding']['code']}"
    return tuple(Tally(outcome, "ClaimResponse", "decision", f"{about}|{outcome}") for outcome in DECISIONS)


PRECHECK = Inquiry(
    code="preauthorization-check",
    title="Would this request for authorization be complete?",
    description=(
        "Judges a Bundle (order, prescription, Coverage, chart, as a referral brings them) by the payer's criteria "
        "this practice decides by: each criterion's verdict with the resource that proved it, the smallest set of "
        "documents or results that would complete the request, and what the payer would rather pay. Nothing is "
        "stored, nobody asked."
    ),
    answer=precheck,
    asks=(("period", "code", "`initial` (where nothing is said) or `renewal`"),),
    parts=(
        ("status", "code", "complete, incomplete, not-covered, no-criteria, payer-unknown or drug-unknown"),
        ("payer", "string", "The payer's id in this practice"),
        ("drug", "Coding", "The product in the catalogue"),
        ("policy", "string", "The policy that decided"),
        ("source", "string", "Where the policy is published, and who adopted it where it is a draft"),
        ("draft", "boolean", "Whether the policy is unverified"),
        ("period", "code", "The period asked about"),
        ("approval-days", "integer", "Days one approval runs"),
        ("site-of-care", "code", "Where the order wants it given"),
        ("criterion", "", "Each criterion of the policy"),
        ("criterion.code", "Coding", "Its name"),
        ("criterion.verdict", "code", "met, not-met or not-documented"),
        ("criterion.text", "string", "What it asks for"),
        ("criterion.evidence", "Reference", "The resource that shows it, by the name it came under"),
        ("criterion.gap", "Coding", "What is wrong where it is not met"),
        ("missing", "", "One of the smallest set that would make the request complete"),
        ("missing.gap", "Coding", "What is wrong"),
        ("missing.criterion", "Coding", "The criterion it would meet"),
        ("missing.text", "string", "What would satisfy it"),
        ("preferred", "", "A product the payer would rather pay, best first"),
        ("preferred.drug", "Coding", "The product"),
        ("preferred.status", "code", "What the same chart comes to for it, whatever its doses"),
        ("preferred.missing", "Coding", "A criterion of it that is not met"),
        ("units", "", "What the ordered doses come to"),
        ("units.code", "code", "HCPCS code"),
        ("units.quantity", "decimal", "Billing units of all doses"),
        ("experience", "", "What this payer has decided of this drug in this practice so far"),
        ("experience.approved", "integer", "Requests it approved, in whole or in part"),
        ("experience.denied", "integer", "Requests it denied"),
        ("experience.overturned", "integer", "Denials of these that were overturned on appeal or in a conversation"),
    ),
    tallies=experience,
)

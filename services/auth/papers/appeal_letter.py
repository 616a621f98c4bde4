"""Writes the letter of an appeal: each reason of the denial, what the chart holds on it, and where that comes from.

Law of this file: the letter argues nothing the chart does not show; where that is nothing, it says who adds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.auth.case import Case
from services.auth.criteria.criteria import leaves
from services.auth.decision.appeals import Level, letter_id
from services.auth.decision.clocks import urgency_asked
from services.auth.papers.packet import LABS, filed, filled, name_of, source_of, state_of, value_of
from services.auth.policy import rule_of
from services.auth.wire.responses import DENIED, named_claim, reviews
from services.auth.words import CRITERION, EVIDENCE, OUTPUT, code_of, extension, target
from shared.core import Resource, reference
from shared.paper import Part, sheets

TITLE = "Appeal of a denial"
FINDINGS = ("Criterion", "Finding", "What shows it", "Source")
OPENING = "We appeal the denial named above and ask that it be overturned. Each reason given is answered below."
CLOSING = (
    "We ask for a review by a peer of the prescriber, of the same or a similar specialty, and for every document the "
    "denial rests on. A talk from peer to peer is welcome at any time."
)
UNANSWERED = "The chart holds nothing that answers this reason: the prescriber adds it before this letter is sent."


def letter(case: Case, denial: Resource, level: Level, task: Resource) -> tuple[Resource, ...]:
    """The letter as DocumentReference and Binary, written once; nothing where it is written."""
    claim, document_id = case.claim, letter_id(task["id"])
    if claim is None or case.facts.at("DocumentReference/" + document_id) is not None:
        return ()
    number = f"Our reference: {claim['id']}"
    content = sheets(TITLE, case.policy.site.organization, number, tuple(_parts(case, claim, denial, level, task)))
    return filed(case, document_id, content, TITLE, denial)


def _parts(case: Case, claim: Resource, denial: Resource, level: Level, task: Resource) -> Iterator[Part]:
    said = filled(case, claim)
    pairs = (
        ("To", said["payer"]),
        ("From", f"{said['practice']}, NPI {case.policy.site.npi}, for {said['prescriber']}"),
        ("Date", case.on.isoformat()),
        ("About", f"{said['patient']}, born {said['born']}, member {said['member']}"),
        ("Denied", f"{said['drug']} ({said['code']}), {said['units']} units, on {level.notice}"),
        ("Your reference", _number(claim, denial)),
        ("Appeal", f"{level.words}, {urgency_asked(claim)}, to be filed by {task['restriction']['period']['end']}"),
    )
    yield Part(TITLE, pairs, (OPENING,), title=True)
    for reason in reasons_of(denial):
        heading, rows = f"Reason given: {_told(reason)}", list(answering(case, reason))
        yield Part(heading, rows=[FINDINGS, *rows]) if rows else Part(heading, texts=(UNANSWERED,))
    labs = [r for r in _cited(case, claim) if r["resourceType"] == "Observation"]
    if labs:
        rows = [(name_of(r), value_of(r), source_of(r).rpartition(", ")[2], source_of(r)) for r in labs]
        yield Part("Laboratory results", rows=[LABS, *rows])
    yield Part("What we ask for", texts=(CLOSING, f"For {said['practice']}, on behalf of {said['prescriber']}"))


def reasons_of(denial: Resource) -> list[Mapping[str, Any]]:
    """Each reason the payer gave, once."""
    found: list[Mapping[str, Any]] = []
    for reason in (r for v in reviews(denial) if v.action == DENIED for r in v.reasons):
        if reason not in found:
            found.append(reason)
    return found


def answering(case: Case, reason: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """What the request's criteria found on a reason: those it names, else every one that is met by something."""
    verdicts = [o for o in (case.task or {}).get("output", ()) if code_of(o["type"], OUTPUT) == "criterion"]
    named = [o for o in verdicts if _names(reason, _criterion(o))]
    figure = case.criteria
    texts = {c["id"]: c["text"] for c in leaves(rule_of(figure) or {"all": ()})} if figure else {}
    for output in named or verdicts:
        proof = case.facts.at(target((extension(output, EVIDENCE) or {}).get("valueReference")))
        if proof is not None:
            found = output["valueCodeableConcept"]["text"]
            yield texts.get(_criterion(output), _criterion(output)), found, _shown(proof), source_of(proof)


def _names(reason: Mapping[str, Any], criterion: str) -> bool:
    """Whether a reason is about a criterion: by its code, or because it has every word of its name."""
    codes = {c.get("code") for c in reason.get("coding", ())}
    words = str(reason.get("text", "")).lower()
    return criterion in codes or all(w in words for w in criterion.split("-"))


def _criterion(output: Mapping[str, Any]) -> str:
    return code_of(output["valueCodeableConcept"], CRITERION) or ""


def _shown(proof: Resource) -> str:
    measured = proof["resourceType"] == "Observation"
    return f"{name_of(proof)}: {value_of(proof) if measured else state_of(proof)}"


def _cited(case: Case, claim: Resource) -> Iterator[Resource]:
    for info in claim.get("supportingInfo", ()):
        if found := case.facts.at(target(info.get("valueReference"))):
            yield found


def _told(reason: Mapping[str, Any]) -> str:
    codes = (c.get("display") or c.get("code") for c in reason.get("coding", ()))
    return str(reason.get("text") or next((c for c in codes if c), "not said"))


def _number(claim: Resource, denial: Resource) -> str:
    """What the payer calls its denial."""
    mine = {(i["system"], i["value"]) for i in claim["identifier"]}
    others = (value for system, value in named_claim(denial) if (system, value) not in mine)
    return str(denial.get("preAuthRef") or next(others, reference(denial)))

"""Changes a request the payer holds: the same request with what is new, so that it stays one chain at the payer.

Source: Da Vinci PAS 2.2.1, specification 63-72, profile-claim-update: every item and every piece of evidence keeps its
sequence for ever, what changed or was added says so, and only the earlier request is named, not its predecessors.
What is asked for no more is left out of the request as we keep it, and said to be cancelled as it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.auth.case import Case
from services.auth.home import units_asked
from services.auth.wire.claims import CERTIFICATION, PAS, PRIOR, X12, insurer
from services.auth.wire.held import held_number
from services.auth.wire.responses import cancels, prior_of, standing
from services.auth.words import INFO_CANCELLED, concept, order_of, period_of, question_code, target
from shared.catalogue import billed
from shared.core import Resource, reference

UPDATE = "update"
INFO_CHANGED = PAS + "extension-infoChanged"
CANCEL = {"url": CERTIFICATION, "valueCodeableConcept": concept(X12 + "1322", "3")}
REVISED = {"url": CERTIFICATION, "valueCodeableConcept": concept(X12 + "1322", "4")}
HELD = ("approved", "partly-approved", "pended")


def may_be_updated(case: Case, claim: Resource) -> bool:
    """Whether the payer holds a request, not denied, of which something is still asked for, and takes changes of it."""
    answers, units = case.answers_to(claim), units_asked(case)
    if case.payer is None or case.payer.pathway != "pas" or held_number(claim) or not answers or units is None:
        return False
    if case.manager is not None:
        return False
    kept = any(billed(i["productOrService"]) in units for i in claim["item"])
    return kept and standing(claim, answers[-1]) in HELD


def updated(case: Case, claim: Resource) -> Resource:
    """A new request as the update of the one a person said it changes; as it is where there is none."""
    prior = _to_be_updated(case)
    asked = {billed(i["productOrService"]) for i in claim["item"]}
    if prior is None or asked.isdisjoint(billed(i["productOrService"]) for i in prior["item"]):
        return claim
    return {
        **claim,
        "related": [{"claim": {"reference": reference(prior)}, "relationship": PRIOR}],
        **({"supportingInfo": info} if (info := list(_evidence(prior, claim))) else {}),
        "item": sorted(_items(case.facts.known, prior, claim), key=lambda i: i["sequence"]),
    }


def cancelled(claim: Resource, known: Mapping[str, Resource]) -> list[dict[str, Any]]:
    """Items that this request, or one before it, asks for no more, each as it was asked for last, and cancelled."""
    kept, found = {i["sequence"] for i in claim["item"]}, dict[int, dict[str, Any]]()
    for earlier in _chain(known, claim):
        for item in earlier["item"]:
            if item["sequence"] not in kept:
                found.setdefault(item["sequence"], _cancelled(item))
    return [found[sequence] for sequence in sorted(found)]


def _chain(known: Mapping[str, Resource], claim: Resource) -> Iterator[Resource]:
    """The requests this one changes, the latest first."""
    earlier = known.get(prior_of(claim) or "")
    while earlier is not None:
        yield earlier
        earlier = known.get(prior_of(earlier) or "")


def _cancelled(item: Mapping[str, Any]) -> dict[str, Any]:
    bare = _unmarked(item)
    others = [e for e in bare["extension"] if e["url"] != CERTIFICATION]
    return {
        **bare,
        "extension": [*others, CANCEL],
        "modifierExtension": [{"url": INFO_CANCELLED, "valueBoolean": True}],
    }


def is_updated(case: Case, claim: Resource) -> bool:
    """Whether a request lives on in its update, made or still to be made."""
    to_be_made = case.claim is None and UPDATE in case.answers_about(claim)
    return _is_with_whom_is_asked(case, claim) and (is_changed(case, claim) or to_be_made)


def _is_with_whom_is_asked(case: Case, claim: Resource) -> bool:
    """Whether a request is with the insurer and under the Coverage that are asked now; others are not shown it."""
    same_coverage = case.coverage is not None and target(claim["insurance"][0]["coverage"]) == reference(case.coverage)
    return same_coverage and claim["insurer"].get("identifier") == insurer(case, case.reviewer).get("identifier")


def is_changed(case: Case, claim: Resource) -> bool:
    """Whether an update of this request was made: what the payer holds is that one."""
    return reference(claim) in _changed(case)


def _changed(case: Case) -> set[str | None]:
    return {prior_of(c) for c in case.facts.of("Claim") if not cancels(c)}


def is_replaced(case: Case, claim: Resource) -> bool:
    """Whether the payer holds an update in place of this request, or may."""
    made = (c for c in case.facts.of("Claim") if not cancels(c) and prior_of(c) == reference(claim))
    return any(not _never_held(case, c) for c in made)


def _never_held(case: Case, claim: Resource) -> bool:
    """Whether the payer refused a request unread, or it was never sent: the payer holds the one before it."""
    about = (question_code(q) for q in case.questions if target(q["focus"]) == reference(claim))
    return not case.answers_to(claim) and any(code in UNHELD for code in about)


UNHELD = ("preauthorization-refused-by-payer", "preauthorization-unsendable")


def as_first_asked(claim: Resource) -> dict[str, Any]:
    """A request without what it says of the one before it."""
    kept = {k: v for k, v in claim.items() if k != "related"}
    parts: dict[str, Any] = {k: [_unmarked(p) for p in kept[k]] for k in ("supportingInfo", "item") if k in kept}
    return {**kept, **parts}


def _to_be_updated(case: Case) -> Resource | None:
    """The request a person said is to be changed, and was not yet."""
    claims = [c for c in case.facts.of("Claim") if order_of(c) == reference(case.order) and period_of(c) == case.period]
    wanted = [c for c in claims if UPDATE in case.answers_about(c) and _is_with_whom_is_asked(case, c)]
    waiting = [c for c in wanted if not is_replaced(case, c)]
    return waiting[-1] if waiting else None


def _items(known: Mapping[str, Resource], prior: Resource, claim: Resource) -> Iterator[dict[str, Any]]:
    """The items under the sequences they have at the payer, new ones after the last there ever was."""
    before = {billed(i["productOrService"]): i for i in prior["item"]}
    following = max(i["sequence"] for c in (prior, *_chain(known, prior)) for i in c["item"])
    for item in claim["item"]:
        held = before.get(billed(item["productOrService"]))
        if held is None:
            following += 1
            yield _marked({**item, "sequence": following}, "added")
        elif _asks(held) == _asks(item):
            yield {**item, "sequence": held["sequence"]}
        else:
            others = [e for e in item["extension"] if e["url"] != CERTIFICATION]
            revised = {**item, "sequence": held["sequence"], "extension": [*others, REVISED]}
            yield _marked(revised, "changed")


def _asks(item: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in item.items() if k not in ("sequence", "extension")}


def _evidence(prior: Resource, claim: Resource) -> Iterator[Mapping[str, Any]]:
    """What went along before, under its sequence, and what is new after it."""
    before: Iterable[Mapping[str, Any]] = prior.get("supportingInfo", ())
    kept = [_unmarked(i) for i in before]
    known = {target(i["valueReference"]) for i in kept}
    yield from kept
    following = max((i["sequence"] for i in kept), default=0)
    for info in claim.get("supportingInfo", ()):
        if target(info["valueReference"]) not in known:
            following += 1
            yield _marked({**info, "sequence": following}, "added")


def _marked(part: Mapping[str, Any], how: str) -> dict[str, Any]:
    others = [e for e in part["extension"] if e["url"] != INFO_CHANGED]
    return {**part, "extension": [*others, {"url": INFO_CHANGED, "valueCode": how}]}


def _unmarked(part: Mapping[str, Any]) -> dict[str, Any]:
    return {**part, "extension": [e for e in part["extension"] if e["url"] != INFO_CHANGED]}

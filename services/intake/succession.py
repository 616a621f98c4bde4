"""Sees the referrals of one person side by side: which replaces which, and which asks for a therapy a second time.

Law of this file: an order that replaces another is a change, not an end: our order goes on under the new referral with
its authorization and its visits, and the replaced referral ends. Another referral for the same therapy waits until a
person has said which go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta

from services.intake.codes import ANSWER, CALLED_OFF, code_of
from services.intake.facts import Case
from services.intake.records import literal, placer_client
from services.intake.requirements.gap import limit
from services.intake.stays import instant
from services.intake.versions import source_updated
from shared.core import Resource, derived_id, reference
from shared.policy import Figures

QUESTION = "referral-question"
OVER = frozenset({"completed", "rejected", "cancelled"})
"""Statuses of a referral Task with which nothing competes any more."""
BEGUN = frozenset({"active", "on-hold", "completed"})


def related(cases: Iterable[Case], figures: Figures) -> tuple[Case, ...]:
    """These cases of one person, each with what the others are to it."""
    everyone = tuple(cases)
    rooted = [
        replace(
            c,
            replaced=_successor(c, everyone, figures) is not None,
            root=_root(c, everyone, figures),
            declined=_is_declined(c),
        )
        for c in everyone
    ]
    told = [replace(c, handed=_is_handed(c, rooted)) for c in rooted]
    return tuple(replace(c, rivals=tuple(_rivals(c, told))) for c in told)


# Replaced


def _successor(case: Case, everyone: Sequence[Case], figures: Figures) -> Case | None:
    """The referral that replaces this one, if any does."""
    return min((c for c in everyone if _replaces(c, case, figures)), key=_place, default=None)


def _replaces(new: Case, old: Case, figures: Figures) -> bool:
    if not new.request or not old.request or new.request["id"] == old.request["id"]:
        return False
    if _names(new, old):
        return not _names(old, new) or _said(new) > _said(old)
    return not _names(old, new) and _renews(new, old, figures)


def _names(new: Case, old: Case) -> bool:
    return reference(old.request) in map(literal, new.request.get("replaces", ()))


def _said(case: Case) -> tuple[str, str]:
    return source_updated(case.request) or "", str(case.request["id"])


def _renews(new: Case, old: Case, figures: Figures) -> bool:
    """Whether the placer took an order back and wrote the same drug again within the grace of policy."""
    same = new.drug is not None and old.drug is not None and new.drug.key == old.drug.key
    theirs = placer_client(new.referral) == placer_client(old.referral)
    if not (same and theirs and is_taken_back(old)) or is_taken_back(new):
        return False
    days = limit(figures, "replacement_grace_days", new)
    apart = _written(new) - _ended(old)
    return days is not None and abs(apart) <= timedelta(days=int(days))


def is_taken_back(case: Case) -> bool:
    """Whether the placer's own order or prescription says that it is called off."""
    asked = (case.request, case.medication)
    return case.called or any(r and r.get("status") in CALLED_OFF[r["resourceType"]] for r in asked)


def _written(case: Case) -> datetime:
    """When the referral came."""
    return (instant(case.stored["authoredOn"], time.min) if case.stored else None) or case.moment


def _ended(case: Case) -> datetime:
    """When it was called off, as far as it was before now."""
    stored = case.stored if case.stored and case.stored["status"] == "cancelled" else {}
    return instant(stored.get("lastModified"), time.min) or case.moment


def _place(case: Case) -> tuple[datetime, str]:
    return _written(case), str(case.referral["id"])


def _root(case: Case, everyone: Sequence[Case], figures: Figures) -> str | None:
    """The referral whose order goes on as this one's: the replaced one's, unless this one's own has begun."""
    own = case.facts.resources.get(f"ServiceRequest/{case.order_of(str(case.referral['id']))}", {})
    if own.get("status") in BEGUN:
        return None
    roots = (r for r in _ancestors(case, everyone, figures) if case.order_of(r) in _order_ids(case))
    return next(roots, None)


def _ancestors(case: Case, everyone: Sequence[Case], figures: Figures) -> Iterator[str]:
    """Ids of the referrals this one replaces, directly or through others, of the same record of the patient."""
    seen, latest = {case.referral["id"]}, [case]
    while latest:
        replaced = [
            old
            for old in everyone
            if old.referral["id"] not in seen
            and old.facts.patient == case.facts.patient
            and any(_successor(old, everyone, figures) is new for new in latest)
        ]
        yield from (str(old.referral["id"]) for old in replaced)
        seen |= {old.referral["id"] for old in replaced}
        latest = replaced


def _order_ids(case: Case) -> set[str]:
    return {str(o["id"]) for o in case.facts.of("ServiceRequest") if o.get("intent") == "filler-order"}


def _is_handed(case: Case, everyone: Sequence[Case]) -> bool:
    """Whether its order is another referral's now."""
    return case.replaced and any(c is not case and c.root and c.order_id == case.order_id for c in everyone)


# A second referral for the same therapy


def question_id(second: Resource, first: Resource) -> str:
    """The id of the question which of two referrals go on."""
    return derived_id("in", QUESTION, str(second["id"]), str(first["id"]))


def _is_declined(case: Case) -> bool:
    """Whether a person chose another referral."""
    own = f"Task/{case.referral['id']}"
    chosen = (("only-first", "partOf"), ("only-second", "focus"))
    return any(
        answer_to(task) == answer and own in _named(task, element)
        for task in case.facts.tasks(QUESTION) + tuple(t for f in case.facts.others for t in f.tasks(QUESTION))
        for answer, element in chosen
    )


def is_of_kin(case: Case, rival: Resource) -> bool:
    """Whether a rival is a referral of another record of the same person: another client may have sent that."""
    return literal(rival.get("for")) != f"Patient/{case.facts.patient}"


def answer_to(task: Resource) -> str | None:
    """What a person answered to the question about two referrals."""
    outputs = task.get("output", ()) if task["status"] == "completed" else ()
    return next((code for o in outputs if (code := code_of(o.get("type"), ANSWER))), None)


def _named(task: Resource, element: str) -> set[str | None]:
    found = task.get(element) or []
    return {literal(r) for r in (found if isinstance(found, list) else [found])}


def _rivals(case: Case, everyone: Sequence[Case]) -> Iterator[Resource]:
    """The referrals for the same therapy that were there before, as long as nobody has said that both go on."""
    if _is_live(case) and not _has_begun(case):
        for other in everyone:
            if _asks_the_same(case, other) and _is_live(other) and (_has_begun(other) or _place(other) < _place(case)):
                asked = case.facts.resources.get(f"Task/{question_id(case.referral, other.referral)}")
                if asked is None or answer_to(asked) != "both":
                    yield other.referral


def _is_live(case: Case) -> bool:
    over = case.replaced or case.declined or case.deceased or is_taken_back(case)
    return not over and bool(case.request) and (case.stored or {}).get("status") not in OVER


def _has_begun(case: Case) -> bool:
    return case.order is not None and case.order["status"] in BEGUN


def _asks_the_same(one: Case, other: Case) -> bool:
    same = one.drug is not None and other.drug is not None and one.drug.therapy == other.drug.therapy
    return same and one.referral["id"] != other.referral["id"]

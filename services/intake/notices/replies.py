"""What a patient's reply to a notice means: his consent or his refusal, and what only a person can read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from services.intake.codes import CONSENT_SCOPE, code_of, concept
from services.intake.facts import Facts
from services.intake.notices.language import OWN, languages
from services.intake.notices.wanted import NOTICE, QUESTIONS
from services.intake.records import literal
from shared.core import Resource, derived_id, reference
from shared.policy import Figures

V3_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
LOINC_CONSENT = {"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}


def notice_code(notice: Resource) -> str | None:
    """Our code of a notice: welcome, consent-request, ...; None of a CommunicationRequest that is none."""
    return next((code for c in notice.get("category", ()) if (code := code_of(c, NOTICE))), None)


def replies_to(notice: Resource, facts: Facts) -> tuple[Resource, ...]:
    """The replies to one notice, in the order they were received; what we sent ourselves is none.

    People answer the question, not the text that came last: while a question has no clear answer, a reply to anything
    sent to the same person since counts for it. Only one question is open at a time.
    """
    own, others = f"CommunicationRequest/{notice['id']}", _told_beside(notice, facts)
    replies: list[Resource] = []
    for reply in _received(facts):
        named = {literal(b) for b in reply.get("basedOn", ())}
        is_open = not any(_read(r, notice) in ("yes", "no") for r in replies)
        if own in named or (named & others and is_open and _at(reply) >= _sent(notice)):
            replies.append(reply)
    return tuple(replies)


def _received(facts: Facts) -> list[Resource]:
    theirs = [c for c in facts.of("Communication") if literal(c.get("sender"))]
    return sorted(theirs, key=lambda c: (_at(c), c["id"]))


def _at(communication: Resource) -> datetime:
    """When a reply was received; one that says no instant came before everything."""
    try:
        at = datetime.fromisoformat(str(communication.get("received") or communication.get("sent")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _sent(notice: Resource) -> datetime:
    return datetime.fromisoformat(notice["occurrenceDateTime"])


def _told_beside(notice: Resource, facts: Facts) -> frozenset[str]:
    """What else was sent to the person who was asked, where this is a question that was sent: no question itself."""
    if notice_code(notice) not in QUESTIONS or notice["status"] != "completed":
        return frozenset()
    told = (n for n in facts.of("CommunicationRequest") if notice_code(n) not in (None, *QUESTIONS))
    same = literal(notice["recipient"][0])
    return frozenset(f"CommunicationRequest/{n['id']}" for n in told if literal(n["recipient"][0]) == same)


def meaning(notice: Resource, facts: Facts) -> str | None:
    """yes, no or stop by the latest reply that says so; `unclear` where none does; None where there is no reply.

    Only who was asked can answer.
    """
    replies = replies_to(notice, facts)
    return next((m for r in reversed(replies) if (m := _read(r, notice))), "unclear" if replies else None)


def _read(reply: Resource, notice: Resource) -> str | None:
    """What one reply says, in the language of the notice; nothing where another than the one asked replied."""
    if literal(reply["sender"]) not in {literal(r) for r in notice.get("recipient", ())}:
        return None
    language = languages().get(str(notice.get("language", OWN)), languages()[OWN])
    return language.meaning(_text(reply))


def _text(communication: Resource) -> str:
    return " ".join(str(p.get("contentString", "")) for p in communication.get("payload", ()))


def consented(facts: Facts, figures: Figures, at: datetime) -> dict[str, dict[str, Any]]:
    """By `Type/id`, the Consent each clear answer to a consent request is, where the practice lets an answer count."""
    found = _consents(facts) if counts(figures, at.date()) else ()
    return {reference(c): c for c in found}


def _consents(facts: Facts) -> Iterator[dict[str, Any]]:
    """One for each clear answer: who takes his word back has the later one on file."""
    for notice in facts.of("CommunicationRequest"):
        asked = notice_code(notice) == "consent-request"
        for reply in replies_to(notice, facts) if asked else ():
            if (said := _read(reply, notice)) in ("yes", "no"):
                yield _consent(notice, reply, str(said))


def counts(figures: Figures, on: date) -> bool:
    """Whether a patient's answer is recorded as his consent without a person."""
    return any(f.value is True for f in figures.all("consent_by_notice", on))


def _consent(notice: Resource, reply: Resource, said: str) -> dict[str, Any]:
    on = str(reply.get("received") or reply["sent"])
    denied = {"provision": {"type": "deny"}} if said == "no" else {}
    return {
        "resourceType": "Consent",
        "id": derived_id("in", "Consent", str(reply["id"])),
        "status": "active",
        "scope": concept(CONSENT_SCOPE, "treatment"),
        "category": [LOINC_CONSENT],
        "patient": dict(notice["subject"]),
        "dateTime": on,
        "performer": [dict(reply["sender"])],
        "policyRule": concept(V3_ACT, "OPTIN" if said == "yes" else "OPTOUT"),
        "verification": [{"verified": True, "verifiedWith": dict(reply["sender"]), "verificationDate": on}],
        **denied,
    }

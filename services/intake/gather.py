"""Reads what intake holds of one patient, and whatever else is stored under the ids an event names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.intake.answers.numbering import is_notified, subscription_id
from services.intake.answers.telling import answer_id
from services.intake.facts import Facts
from services.intake.persons.duplicates import alike_keys, question_id
from services.intake.persons.gather_kin import with_kin
from services.intake.records import placer_client
from shared.core import Event, Gather, Resource, reference
from shared.ports import Reader
from shared.settings import Site


def gathering(site: Site) -> Gather:
    """As `gather_facts`, with what placers of this patient were told before, also where his record was another then."""

    async def gathered(event: Event, reader: Reader, lanes: frozenset[str]) -> Facts:
        facts = await gather_facts(event, reader, lanes)
        found = await reader.several(sorted(_told(event, facts, site)))
        return replace(facts, resources={**facts.resources, **_by_reference(found)})

    return gathered


def _told(event: Event, facts: Facts, site: Site) -> set[str]:
    """Ids of the answers that may be stored elsewhere, and of the sequences of those told by notifications."""
    placed = {t["id"]: placer_client(t) or event.source for t in (*facts.tasks("referral"), *event.of_type("Task"))}
    answered = {answer_id({"id": i}) for i, c in placed.items() if c in site.referrers and site.referrers[c].answers}
    sequences = {subscription_id(c) for c in placed.values() if is_notified(c, site)}
    return sequences | {a for a in answered if f"Communication/{a}" not in facts.resources}


async def gather_facts(event: Event, reader: Reader, lanes: frozenset[str]) -> Facts:
    """The patient's lane, and the records of other lanes that carry an id of the event: they show a wrong patient."""
    held = {reference(r): r for r in await reader.of_lane(event.lane)}
    brought = [r for r in event.resources if event.kind in ("command", "answer") and "id" in r]
    named = [r["id"] for r in brought if reference(r) not in held]
    named += (
        [event.focus.partition("/")[2]] if event.kind == "answer" and event.focus and event.focus not in held else []
    )
    found = held | _by_reference(await reader.several(dict.fromkeys(named)))
    patient = event.lane.removeprefix("patient/")
    facts = Facts(patient, {**found, **await gather_alike(event, patient, reader)})
    return await with_kin(event, facts, reader, lanes)


async def gather_alike(event: Event, patient: str, reader: Reader) -> dict[str, Resource]:
    """Patients of any client like the one just sent, and what was asked about them and him."""
    sent = event.of_type("Patient") if event.kind != "message" else ()
    keys = sorted({key for r in sent for key in alike_keys(r)})
    others = [o for key in keys for o in await reader.search("Patient", "alike", key) if o["id"] != patient]
    asked = await reader.several(question_id(patient, o["id"]) for o in others)
    return {reference(r): r for r in others} | _by_reference(asked)


def _by_reference(found: Mapping[str, Resource]) -> dict[str, Resource]:
    return {reference(r): r for r in found.values()}

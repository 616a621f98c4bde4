"""Which of two versions of one record stands: the source's own order of them, and where it has none, their arrival.

Law of this file: `laid_over` of any arrivals, in any order and however often each, ends in the version that the source
said last: the one whose version the client named (If-Match), else the one dated last, among equal dates the one that
came last for the first time. A version without a date is as new as what it finds; but what a pharmacy has done does not
become a promise again by one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from services.intake.codes import SOURCE_UPDATED, SUPERSEDED
from services.intake.records import bare
from shared.core import Resource

REPORTED = frozenset({"MedicationDispense", "SupplyDelivery"})
"""Kinds that are promised first and reported as done later, in messages that may overtake each other."""


def source_updated(resource: Resource) -> str | None:
    """When the source last changed it, by its own clock, as an instant in UTC."""
    return next((e["valueInstant"] for e in _extensions(resource) if e.get("url") == SOURCE_UPDATED), None)


def came_late(stored: Resource, received: Resource) -> bool:
    """Whether the source itself dates the received version before the stored one, or sent it before at that date."""
    before, after = source_updated(stored), source_updated(received)
    if before is None or after is None or is_read_back(stored, received):
        return False
    return after < before or (after == before and digest(received) in superseded(stored))


def went_back(stored: Resource, received: Resource) -> bool:
    """Whether a promise comes after what was promised is done, and no later date of its source says otherwise."""
    ended = stored["resourceType"] in REPORTED and stored.get("status") == "completed"
    later = (source_updated(received) or "") > (source_updated(stored) or "")
    return ended and received.get("status") in ("preparation", "in-progress") and not later


def laid_over(stored: Resource | None, received: Resource, *, matched: bool = False) -> Resource:
    """What stands of two versions of one record; `matched` says that the client named the stored one as the one he
    changes.
    """
    if stored is None:
        return received
    if not matched and (came_late(stored, received) or went_back(stored, received)):
        return stored
    same = bare(stored) == bare(received) and _tags(stored) == _tags(received)
    before, after = source_updated(stored) or "", source_updated(received) or ""
    if is_read_back(stored, received):
        after = ""
    if same and (matched or after <= before):
        return stored
    return received if after > before else following(stored, received, {digest(stored)})


def is_read_back(stored: Resource, received: Resource) -> bool:
    """Whether the date of a version is our own of the stored one: it was read here, and is no date of its source."""
    ours, theirs = stored.get("meta", {}).get("lastUpdated"), source_updated(received)
    return bool(ours and theirs) and datetime.fromisoformat(ours) == datetime.fromisoformat(str(theirs))


def following(stored: Resource, received: Resource, older: set[str]) -> Resource:
    """The received version at the stored one's date, remembering the older versions of that date."""
    before = source_updated(stored)
    if before is None:
        return undated(received) if is_read_back(stored, received) else received
    kept = superseded(stored) | older
    return dated(received, before, (kept - {digest(received)}) | (older - {digest(received)}))


def dated(resource: Resource, at: str, older: set[str]) -> Resource:
    """The resource with its source's date and the digests of other versions of that date."""
    others = [e for e in _extensions(resource) if e.get("url") not in (SOURCE_UPDATED, SUPERSEDED)]
    ours: list[dict[str, Any]] = [{"url": SOURCE_UPDATED, "valueInstant": at}]
    ours += [{"url": SUPERSEDED, "valueString": text} for text in sorted(older)]
    meta = {**resource.get("meta", {}), "extension": [*others, *ours]}
    rest = {k: v for k, v in resource.items() if k not in ("resourceType", "id", "meta")}
    return {"resourceType": resource["resourceType"], "id": resource["id"], "meta": meta, **rest}


def _tags(resource: Resource) -> Any:
    """What is said of the record itself: that it was deleted, for one."""
    return resource.get("meta", {}).get("tag")


def undated(resource: Resource) -> dict[str, Any]:
    """The resource without a source's date."""
    others = [e for e in _extensions(resource) if e.get("url") != SOURCE_UPDATED]
    meta = {k: v for k, v in resource.get("meta", {}).items() if k != "extension"}
    meta |= {"extension": others} if others else {}
    return {**{k: v for k, v in resource.items() if k != "meta"}, **({"meta": meta} if meta else {})}


def superseded(resource: Resource) -> set[str]:
    """Digests of the versions this one follows at the same date."""
    return {e["valueString"] for e in _extensions(resource) if e.get("url") == SUPERSEDED}


def digest(resource: Resource) -> str:
    """Of what the source said, whenever it did."""
    text = json.dumps(bare(resource), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _extensions(resource: Resource) -> Iterator[dict[str, Any]]:
    return iter(resource.get("meta", {}).get("extension", ()))

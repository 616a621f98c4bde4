"""Puts the bytes of documents that intake holds into them when they leave: fetched then, and kept nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.auth.wire.contents import LARGEST, OURS, held_elsewhere
from services.auth.words import target
from shared.core import Resource, reference
from shared.ports import Outside


async def with_contents(
    known: Mapping[str, Resource], cited: Iterable[str], lane: str, outside: Outside
) -> dict[str, Resource]:
    """What is known of a patient, where every document cited has its bytes inside as far as our services hold them.

    Bytes that lie in another patient's lane are none: a document names them by an id its sender chose.
    Raises TryLater while the service that holds them does not answer: a request never goes out without them for that.
    """
    documents = [known[c] for c in dict.fromkeys(cited) if c.startswith("DocumentReference/") and c in known]
    return {**known, **{reference(d): await _filled(d, lane, outside) for d in documents}}


async def _filled(document: Resource, lane: str, outside: Outside) -> Resource:
    content = [{**c, "attachment": await _whole(c["attachment"], lane, outside)} for c in document["content"]]
    return {**document, "content": content}


async def _whole(attachment: Mapping[str, Any], lane: str, outside: Outside) -> Mapping[str, Any]:
    """The attachment with its bytes; as it is where nobody of ours holds them for him, or they are too large."""
    found = OURS.fullmatch(str(attachment.get("url", "")))
    if found is None or "data" in attachment or not held_elsewhere(attachment):
        return attachment
    binary = await outside.document(found[1], lane)
    data = (binary or {}).get("data")
    if binary is None or _is_anothers(binary, lane) or not isinstance(data, str) or len(data) * 3 // 4 > LARGEST:
        return attachment
    kept = {k: v for k, v in attachment.items() if k not in ("url", "_url")}
    return {"contentType": binary.get("contentType", "application/octet-stream"), **kept, "data": data}


def _is_anothers(binary: Resource, lane: str) -> bool:
    """Whether bytes say themselves that they are about another patient."""
    kind, _, whose = (target(binary.get("securityContext")) or "").rpartition("/")
    return kind == "Patient" and whose != lane.rpartition("/")[2]

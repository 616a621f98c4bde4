"""References to a sender's own system, in our ids where what stands there was read before."""

from __future__ import annotations

from typing import Any

from shared import store
from shared.app import Handle
from shared.core import Resource
from shared.fhir.references import literals, rewritten


async def located(handle: Handle, client: str, resource: Resource) -> dict[str, Any]:
    """The resource with our references in place of the addresses of what was read of its sender's system before."""
    texts = {text for text in literals(resource) if text.startswith(("http://", "https://"))}
    async with handle.database.reading() as tx:
        known = await store.addressed(tx, client, sorted(texts))
    return rewritten(resource, known) if known else dict(resource)

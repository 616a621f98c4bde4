"""Asks a payer's own rules by CDS Hooks; whatever comes of it is a finding, and nobody waits longer than five seconds.

Law of this file: a call is a read. It is never in doubt, never tried again for its own sake, and no failure of it stops
anything: it becomes the finding that says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from services.auth.discovery.assertions import Assertion, asserted
from services.auth.discovery.findings import TOLD, UNANSWERED, WAITS, finding, hook_of
from services.auth.discovery.hooks import call, chosen
from services.auth.reading import gather_lane
from services.auth.words import target
from shared.core import Answer, Channel, Resource
from shared.fhir.json import LIMIT, GateError, decode, encode
from shared.ports import Outside, Reader
from shared.settings import Partner, Payer


class _Failed(Exception):
    """Why a call told nothing, in words that name no patient."""


async def deliver_hook(request: Resource, reader: Reader, outside: Outside) -> Answer:
    """Finds the payer's service for the hook of a benefit request, calls it, and keeps what it says of the order."""
    try:
        async with asyncio.timeout(WAITS.total_seconds()):
            said = await _said(request, reader, outside)
    except TimeoutError:
        said = UNANSWERED
    except _Failed as failure:
        said = f"{failure}: the authorization goes on without it."
    except httpx.HTTPError as error:
        said = f"The payer's service could not be asked ({type(error).__name__}): the authorization goes on without it."
    return Answer(TOLD, (finding(request, outside.now(), said),))


async def _said(request: Resource, reader: Reader, outside: Outside) -> Assertion | str:
    payer = _payer(request, outside)
    if payer is None:
        raise _Failed("The payer's service is no longer configured")
    partner = outside.site.partners[payer.coverage_requirements]
    listed = await _answered("GET", f"{partner.base}/cds-services", partner, outside)
    service = chosen(listed.get("services"), str(hook_of(request)))
    if service is None:
        raise _Failed("The payer has no service for this hook")
    known = await gather_lane(reader, f"patient/{(target(request['patient']) or '').rpartition('/')[2]}")
    made = call(request, known, outside.site, payer, service)
    if made is None:
        raise _Failed("Nobody is known who ordered")
    url = f"{partner.base}/cds-services/{service['id']}"
    return asserted(await _answered("POST", url, partner, outside, made.body), request, made.order, made.visits)


def _payer(request: Resource, outside: Outside) -> Payer | None:
    payer_id = request["insurer"]["identifier"]["value"]
    return next((p for p in outside.site.payers if p.id == payer_id and p.coverage_requirements), None)


async def _answered(
    method: str, url: str, partner: Partner, outside: Outside, body: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """The JSON object a service answers, signed for at its own address. Raises _Failed for any other answer."""
    headers = {"Accept": "application/json", "Authorization": f"Bearer {outside.proof(url)}"}
    content = None if body is None else encode(body)
    headers |= {"Content-Type": "application/json"} if body is not None else {}
    async with outside.http.stream(method, url, headers=headers, content=content) as response:
        if not response.is_success:
            raise _Failed(f"The payer's service answered {response.status_code}")
        found = bytearray()
        async for chunk in response.aiter_bytes():
            found += chunk[: LIMIT + 1 - len(found)]
            if len(found) > LIMIT:
                break
    try:
        return decode(bytes(found))
    except GateError:
        raise _Failed("The answer of the payer's service cannot be read") from None


def hook_due(before: Resource | None, after: Resource) -> str | None:
    """A new benefit request that names a hook is asked about by it once."""
    new = before is None and after["resourceType"] == "CoverageEligibilityRequest"
    return "1" if new and hook_of(after) else None


HOOK = Channel("coverage-requirements", hook_due, "idempotent", deliver_hook)

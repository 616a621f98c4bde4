"""Tells the placer where his referral stands: PUT of our Task to the system his client answers to."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from services.intake.codes import task_code
from services.intake.records import placer_client
from shared.core import Answer, Channel, Resource, TryLater
from shared.fhir.json import encode
from shared.ports import Outside, Reader
from shared.settings import Partner, Site

TOLD = ("status", "businessStatus", "statusReason", "output")
"""What a placer is told when it changes."""

LATER = frozenset({408, 425, 429})


def partner_of(task: Resource, site: Site) -> Partner | None:
    """The system that takes our answers to the client who placed this referral, if the practice configured one."""
    referrer = site.referrers.get(placer_client(task) or "")
    return site.partners.get(referrer.answers_to or "") if referrer else None


def due(site: Site) -> Callable[[Resource | None, Resource], str | None]:
    """A referral Task is told once for each version that says something new to a placer we can reach."""

    def referral_told(before: Resource | None, after: Resource) -> str | None:
        if after["resourceType"] != "Task" or task_code(after) != "referral" or partner_of(after, site) is None:
            return None
        same = before is not None and all(before.get(k) == after.get(k) for k in TOLD)
        return None if same else str(after["meta"]["versionId"])

    return referral_told


async def deliver_referral(task: Resource, reader: Reader, outside: Outside) -> Answer:
    """Sends the Task as it now stands, so that a late attempt never tells something old.

    Raises TryLater when the system cannot be reached, is busy or broken; its refusal is the answer `placer-refused`.
    """
    current = await reader.read(task["id"]) or task
    partner = partner_of(current, outside.site)
    if partner is None:
        return Answer("placer-refused")
    headers = {"Authorization": f"Bearer {await outside.token(partner.id)}", "Content-Type": "application/fhir+json"}
    try:
        response = await outside.http.put(
            f"{partner.base}/Task/{current['id']}", content=encode(current), headers=headers
        )
    except httpx.HTTPError as error:
        raise TryLater(type(error).__name__) from None
    return _answer(response)


def _answer(response: httpx.Response) -> Answer:
    if response.is_success:
        return Answer("placer-told")
    if response.status_code >= 500 or response.status_code in LATER:
        raise TryLater(f"HTTP {response.status_code}", _retry_after(response))
    return Answer("placer-refused")


def _retry_after(response: httpx.Response) -> float | None:
    """Retry-After in seconds; a date there is left to the usual backoff."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def placer(site: Site) -> Channel:
    """The channel to the placers' systems; a PUT of the same Task may be repeated."""
    return Channel("placer", due(site), "idempotent", deliver_referral)

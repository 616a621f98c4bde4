"""Tells the pharmacy of every visit that is booked, moved or called off after it was booked."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx

from services.scheduling.elements import identifier
from shared.core import Answer, Channel, Doubtful, Resource, TryLater
from shared.fhir.json import encode
from shared.ports import Outside, Reader

AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Refusals that are not about the order: the same may be sent later."""


def due(before: Resource | None, after: Resource) -> str | None:
    """The start of a newly booked or moved visit; the start with `/cancelled` of a booked one called off."""
    if after["resourceType"] != "Appointment":
        return None
    was = before["start"] if before is not None and before["status"] == "booked" else None
    if after["status"] == "booked":
        return str(after["start"]) if after["start"] != was else None
    return f"{was}/cancelled" if after["status"] == "cancelled" and was is not None else None


async def send(appointment: Resource, reader: Reader, outside: Outside) -> Answer:
    """Posts the order of one visit as a Bundle; the same again replaces it, for its identifier is the Appointment's."""
    partner = outside.site.partners[outside.site.pharmacy or ""]
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
    if partner.token_url:
        headers["Authorization"] = f"Bearer {await outside.token(partner.id)}"
    body = encode(await bundle(appointment, reader))
    try:
        answer = await outside.http.post(f"{partner.base}/orders", content=body, headers=headers)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise TryLater(f"the pharmacy cannot be reached: {type(error).__name__}") from None
    except httpx.TransportError as error:
        raise Doubtful(f"the pharmacy did not answer: {type(error).__name__}") from None
    return _said(answer)


def _said(answer: httpx.Response) -> Answer:
    if answer.status_code in AGAIN or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TryLater(f"the pharmacy answered {answer.status_code}", _retry_after(answer))
    return Answer("pharmacy-told" if answer.is_success else "pharmacy-refused")


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds of Retry-After; its other form, a date, counts as none."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


async def bundle(appointment: Resource, reader: Reader) -> dict[str, Any]:
    """A collection of the Appointment, its MedicationRequest and its Patient."""
    actors = (p["actor"].get("reference", "") for p in appointment["participant"] if "actor" in p)
    references = [i.get("reference", "") for i in appointment.get("supportingInformation", ())]
    names = [r for r in (*references, *actors) if r.startswith(("MedicationRequest/", "Patient/"))]
    found = [await reader.read(name.partition("/")[2]) for name in names]
    resources = [appointment, *(r for r in found if r is not None)]
    return {
        "resourceType": "Bundle",
        "identifier": identifier("pharmacy-order", appointment["id"]),
        "type": "collection",
        "entry": [{"fullUrl": f"urn:uuid:{r['id'][-36:]}", "resource": r} for r in resources],
    }


PHARMACY = Channel("pharmacy", due, "idempotent", send)

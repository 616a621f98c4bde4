"""Has a payer make, keep or renew our Subscription, by whichever of PAS's two spellings of the filter it takes.

Source: PAS 2.2.1 profile-subscription; its narrative spells the filter `org-identifier`, its topic and example
`orgIdentifier`.
Law of this file: before one is made it is looked for by its endpoint, so asking again makes no second. The secret is
said to the payer in the channel's header and stands nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from services.auth.answers import is_legal
from services.auth.subscribing.watching import BACKPORT, REFUSED, TAKEN
from services.auth.words import AT_PAYER, NPI, part
from shared.core import Answer, Channel, Resource
from shared.fhir.json import GateError, decode, encode
from shared.ports import Outside, Reader
from shared.posting import answered
from shared.settings import Partner

SPELLINGS = ("org-identifier", "orgIdentifier")
GONE = (httpx.codes.NOT_FOUND, httpx.codes.GONE, httpx.codes.METHOD_NOT_ALLOWED)
_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9.-]{1,64}")


async def deliver_subscription(subscription: Resource, reader: Reader, outside: Outside) -> Answer:
    """PUT where the payer has it, POST where it does not; each spelling once, and no more.

    Also where a notification made it active meanwhile: what is asked for then is its end.
    """
    partner = _partner(subscription, outside)
    address = part(subscription, AT_PAYER, "address") or await _found(subscription, partner, outside)
    response, address = await _asked(subscription, partner, outside, address)
    body = _body(response)
    if not response.is_success:
        return Answer(REFUSED, (body,) if body.get("resourceType") == "OperationOutcome" and is_legal(body) else ())
    kept = address or _address(body, partner) or await _found(subscription, partner, outside)
    if kept is None:
        return Answer(REFUSED)
    known = {k: body[k] for k in ("status", "end") if isinstance(body.get(k), str)} if is_legal(body) else {}
    at_payer = {"url": AT_PAYER, "extension": [{"url": "address", "valueUrl": kept}]}
    return Answer(TAKEN, ({"resourceType": "Subscription", "extension": [at_payer], **known},))


async def _asked(
    subscription: Resource, partner: Partner, outside: Outside, address: str | None
) -> tuple[httpx.Response, str | None]:
    """The payer's answer to the first spelling it takes, or to the last; and where it has it already."""
    response = httpx.Response(httpx.codes.NOT_FOUND)
    for spelling in SPELLINGS:
        sent = _sent(subscription, partner, outside.site.npi, spelling, address)
        if address is not None:
            response = await _called("PUT", address, partner, outside, sent)
            if response.status_code in GONE:
                address, sent = None, _sent(subscription, partner, outside.site.npi, spelling, None)
        if address is None:
            response = await _called("POST", f"{partner.base}/Subscription", partner, outside, sent)
        if not response.is_client_error:
            break
    return response, address


def _sent(subscription: Resource, partner: Partner, npi: str, spelling: str, address: str | None) -> dict[str, Any]:
    """As the payer gets it: our own numbering left out, the filter in one spelling, and the secret."""
    kept = {k: v for k, v in subscription.items() if k not in ("id", "meta", "extension", "error", "text")}
    header = [f"Authorization: Bearer {partner.notification_secret}"]
    filtered = {"url": BACKPORT + "filter-criteria", "valueString": f"{spelling}={NPI}|{npi}"}
    known = {"id": address.rpartition("/")[2]} if address else {}
    channel = {**subscription["channel"], "header": header}
    return {**kept, **known, "status": "requested", "_criteria": {"extension": [filtered]}, "channel": channel}


async def _found(subscription: Resource, partner: Partner, outside: Outside) -> str | None:
    """Where the payer has a Subscription for our endpoint already; a payer that cannot say so has none."""
    endpoint = subscription["channel"]["endpoint"]
    url = str(httpx.URL(f"{partner.base}/Subscription", params={"url": endpoint}))
    response = await _called("GET", url, partner, outside)
    entries = _body(response).get("entry") if response.is_success else ()
    known = [_object(_object(e).get("resource")) for e in entries] if isinstance(entries, list) else []
    mine = (r for r in known if _object(r.get("channel")).get("endpoint") == endpoint and r.get("status") != "off")
    return next((a for r in mine if (a := _address(r, partner))), None)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _address(body: Mapping[str, Any], partner: Partner) -> str | None:
    """At the payer's own base: no address it names is ever called."""
    known = body.get("id")
    is_one = body.get("resourceType") == "Subscription" and isinstance(known, str) and _ID.fullmatch(known)
    return f"{partner.base}/Subscription/{known}" if is_one else None


async def _called(
    method: str, url: str, partner: Partner, outside: Outside, body: Mapping[str, Any] | None = None
) -> httpx.Response:
    """Raises TryLater or Doubtful as `shared.posting.answered` does."""
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
    if partner.token_url:
        headers["Authorization"] = f"Bearer {await outside.token(partner.id)}"
    content = None if body is None else encode(body)
    return await answered(
        partner.id, outside.http.request(method, url, content=content, headers=headers), outside.now()
    )


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        return decode(response.content)
    except GateError:
        return {}


def _partner(subscription: Resource, outside: Outside) -> Partner:
    payer_id = subscription["channel"]["endpoint"].rpartition("/")[2]
    payer = next(p for p in outside.site.payers if p.id == payer_id)
    return outside.site.partners[payer.partner]


def subscription_due(before: Resource | None, after: Resource) -> str | None:
    """Each time it is asked for: the end it is asked for until tells them apart."""
    is_asked = after["resourceType"] == "Subscription" and after["status"] == "requested"
    return str(after["end"]) if is_asked and (before is None or before.get("end") != after["end"]) else None


SUBSCRIPTION = Channel("subscription", subscription_due, "idempotent", deliver_subscription)

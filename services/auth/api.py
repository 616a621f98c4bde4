"""Takes the payers' notifications of decisions after a pend: authenticated, then decided like any answer."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response

from services.auth.answers import usable_answers, validator
from services.auth.subscribing.watching import LANE, NOTIFIED
from services.auth.wire.responses import named_claim, responses_in
from services.auth.words import target
from shared.core import Decision, Event, Resource, reference
from shared.fhir.json import GateError, decode
from shared.fhir.outcomes import Issue, errors
from shared.ports import Reader
from shared.settings import Partner, Site
from shared.web.requests import Refused, body_of, check_media_types, refused, status_of


class Handle(Protocol):
    """What this service's routes use of the running service."""

    @property
    def site(self) -> Site: ...
    def reader(self) -> AbstractAsyncContextManager[Reader]: ...
    def now(self) -> datetime: ...
    async def take(self, event: Event) -> Decision: ...
    async def quarantine(self, client: str, place: str, issues: Iterable[Issue], body: bytes) -> None: ...


def router(handle: Handle) -> APIRouter:
    """`POST /notifications/pas/{payer_id}`: R5 Backport notification with the full PAS response.

    200 taken (again, too); 400 not a notification; 401 wrong secret; 404 about a Claim this payer was never sent;
    413 and 415 by size and media type; 422 not legal R4, and then a person is asked about each Claim it names.
    """
    routes = APIRouter(tags=["auth"])

    @routes.post("/notifications/pas/{payer_id}")
    async def notified(payer_id: str, request: Request) -> Response:
        partner = _authenticated(payer_id, request.headers.get("Authorization", ""), handle.site)
        check_media_types(request, body=True)
        body = await body_of(request)
        try:
            await _taken(_notification(body), payer_id, partner, handle)
        except Refused as refusal:
            await handle.quarantine(partner.id, "POST /notifications/pas", refusal.issues, body)
            raise
        return Response(status_code=200)

    return routes


def _authenticated(payer_id: str, authorization: str, site: Site) -> Partner:
    """The payer's partner, where the secret agreed with it is said; compared in constant time."""
    payer = next((p for p in site.payers if p.id == payer_id), None)
    partner = site.partners.get(payer.partner) if payer else None
    secret = partner.notification_secret if partner else None
    same = hmac.compare_digest(authorization.encode(), f"Bearer {secret or ''}".encode())
    if partner is None or not secret or not same:
        raise refused(401, "login", "the secret agreed with this payer, as Bearer, would be right")
    return partner


def _notification(body: bytes) -> Mapping[str, Any]:
    try:
        bundle = decode(body)
    except GateError as error:
        raise Refused(error.status, error.issues) from None
    match bundle:
        case {"resourceType": "Bundle", "type": "history", "entry": [{"resource": {"resourceType": "Parameters"}}, *_]}:
            return bundle
    text = "a Bundle of type history whose first entry is the subscription status would be right"
    raise refused(400, "structure", text, "Bundle")


async def _taken(bundle: Mapping[str, Any], payer_id: str, partner: Partner, handle: Handle) -> None:
    """Every answer in a notification becomes an event of its Claim; a handshake or heartbeat holds none."""
    issues = errors(validator().check(bundle))
    if not issues and any(p.id == payer_id and p.subscribes for p in handle.site.payers):
        await handle.take(_status(bundle, payer_id, partner, handle.now()))
    for response in responses_in(bundle):
        claim = await _claim(response, payer_id, handle)
        if claim is not None:
            answers = () if issues else usable_answers(claim, response)
            await handle.take(_event(claim, answers, partner, handle.now()))
        elif not issues:
            text = "the identifier of a Claim sent to this payer would be right"
            raise refused(404, "not-found", text, "ClaimResponse.identifier")
    if issues:
        raise Refused(status_of(issues), issues)


def _status(bundle: Mapping[str, Any], payer_id: str, partner: Partner, at: datetime) -> Event:
    """What a notification says of its Subscription: decided in the payer's own lane, before what it brings."""
    said = (bundle["entry"][0]["resource"],)
    return Event("answer", NOTIFIED, LANE + payer_id, at, at, said, None, partner.id)


async def _claim(response: Mapping[str, Any], payer_id: str, handle: Handle) -> Resource | None:
    """The Claim that an answer names by identifier, where it was sent to this payer."""
    async with handle.reader() as reader:
        for system, value in named_claim(response):
            for claim in await reader.search("Claim", "identifier", f"{system}|{value}"):
                if (claim["insurer"].get("identifier") or {}).get("value") == payer_id:
                    return claim
    return None


def _event(claim: Resource, answers: Iterable[Resource], partner: Partner, at: datetime) -> Event:
    found = tuple(answers)
    return Event(
        kind="answer",
        reason="preauthorization-answered" if found else "preauthorization-unreadable",
        lane=f"patient/{(target(claim['patient']) or '').rpartition('/')[2]}",
        at=at,
        occurred=at,
        resources=found,
        focus=reference(claim),
        source=partner.id,
    )

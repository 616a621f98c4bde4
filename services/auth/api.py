"""Takes the payers' notifications of decisions after a pend: authenticated, then decided like any answer."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response

from services.auth.deliver import usable_answers
from services.auth.responses import named_claim, responses_in
from services.auth.words import target
from shared.core import Decision, Event, Resource, reference
from shared.fhir.json import GateError, decode, encode
from shared.fhir.outcomes import Issue, outcome
from shared.ports import Reader
from shared.settings import Partner, Site

FHIR_JSON = "application/fhir+json"


class Handle(Protocol):
    """What this service's routes use of the running service."""

    @property
    def site(self) -> Site: ...
    def reader(self) -> AbstractAsyncContextManager[Reader]: ...
    def now(self) -> datetime: ...
    async def take(self, event: Event) -> Decision: ...


class Refused(Exception):
    """A notification that is not taken: HTTP status and what would be right."""

    def __init__(self, status: int, *issues: Issue) -> None:
        super().__init__(status)
        self.status, self.issues = status, issues


def router(handle: Handle) -> APIRouter:
    """`POST /notifications/pas/{payer_id}`: R5 Backport notification with the full PAS response.

    200 taken (again, too); 400 not a notification; 401 wrong secret; 404 about a Claim we never made.
    """
    routes = APIRouter(tags=["auth"])

    @routes.post("/notifications/pas/{payer_id}")
    async def notified(payer_id: str, request: Request) -> Response:
        try:
            partner = _authenticated(payer_id, request.headers.get("Authorization", ""), handle.site)
            await _taken(_notification(await request.body()), partner, handle)
        except Refused as refused:
            return Response(encode(outcome(refused.issues)), refused.status, media_type=FHIR_JSON)
        except GateError as refused:
            return Response(encode(outcome(refused.issues)), refused.status, media_type=FHIR_JSON)
        return Response(status_code=200)

    return routes


def _authenticated(payer_id: str, authorization: str, site: Site) -> Partner:
    """The payer's partner, where the secret agreed with it is said; compared in constant time."""
    payer = next((p for p in site.payers if p.id == payer_id), None)
    partner = site.partners.get(payer.partner) if payer else None
    secret = partner.notification_secret if partner else None
    same = hmac.compare_digest(authorization.encode(), f"Bearer {secret or ''}".encode())
    if partner is None or not secret or not same:
        raise Refused(401, Issue("login", "", "the secret agreed with this payer, as Bearer, would be right"))
    return partner


def _notification(body: bytes) -> Mapping[str, Any]:
    bundle = decode(body)
    match bundle:
        case {"resourceType": "Bundle", "type": "history", "entry": [{"resource": {"resourceType": "Parameters"}}, *_]}:
            return bundle
    text = "a Bundle of type history whose first entry is the subscription status would be right"
    raise Refused(400, Issue("structure", "Bundle", text))


async def _taken(bundle: Mapping[str, Any], partner: Partner, handle: Handle) -> None:
    """Every answer in a notification becomes an event of its Claim; a handshake or heartbeat holds none."""
    for response in responses_in(bundle):
        claim = await _claim(response, handle)
        answers = usable_answers(claim, response, partner.base)
        reason = "preauthorization-answered" if answers else "preauthorization-unreadable"
        await handle.take(_event(reason, claim, answers, partner, handle.now()))


async def _claim(response: Mapping[str, Any], handle: Handle) -> Resource:
    """Our Claim that an answer names by identifier."""
    async with handle.reader() as reader:
        for system, value in named_claim(response):
            for claim in await reader.search("Claim", "identifier", f"{system}|{value}"):
                return claim
    where = "ClaimResponse.identifier"
    raise Refused(404, Issue("not-found", where, "the identifier of a Claim of ours would be right"))


def _event(reason: str, claim: Resource, answers: Iterable[Resource], partner: Partner, at: datetime) -> Event:
    return Event(
        kind="answer",
        reason=reason,
        lane=f"patient/{(target(claim['patient']) or '').rpartition('/')[2]}",
        at=at,
        occurred=at,
        resources=tuple(answers),
        focus=reference(claim),
        source=partner.id,
    )

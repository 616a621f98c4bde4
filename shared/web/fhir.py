"""The routes of the FHIR base: who asks is known, which process answers is decided, then the call is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from fastapi.security import HTTPBearer

from shared.app import Application
from shared.smart.clients import OURSELVES, is_client_id
from shared.smart.server import Gate
from shared.smart.tokens import Access
from shared.web import binaries
from shared.web.admission import Admission
from shared.web.answers import FhirResponse
from shared.web.base import Base
from shared.web.bundles import LIMIT
from shared.web.calls import Call, call_of
from shared.web.limits import Limiter
from shared.web.openapi import BODY, FORM, PATCH, READ, WRITTEN
from shared.web.peers import ON_BEHALF, Peers
from shared.web.requests import FORM_TYPE, body_of, check_accept, check_json, limit_of, media_type, refused
from shared.web.senders import Sender

BEARER = HTTPBearer(
    bearerFormat="JWT", description="An access token of /token (SMART Backend Services)", auto_error=False
)
_LONGEST_FORM = 64 * 1024


class Entrance:
    """What every request of the FHIR base passes before it is answered."""

    def __init__(self, app: Application, peers: Peers, gate: Gate, limiter: Limiter) -> None:
        self._app, self._peers, self._gate, self._limiter = app, peers, gate, limiter
        self._admission = Admission(app)

    async def sender(self, request: Request) -> Sender:
        """Who asks, counted; our own processes say for whom."""
        access = await self._gate(request)
        if access.client_id == OURSELVES:
            client = request.headers.get(ON_BEHALF, OURSELVES)
            return Sender(access, client if is_client_id(client) else OURSELVES)
        await self._limiter.admit(access.client_id)
        return Sender(access, access.client_id)

    @asynccontextmanager
    async def admitted(self, request: Request) -> AsyncIterator[Sender]:
        """Who sends a body, and room for it; what our own processes pass on was let in where it came from."""
        sender = await self.sender(request)
        if sender.access.client_id == OURSELVES or request.method == "GET":
            yield sender
            return
        async with self._admission.room():
            yield sender

    async def elsewhere(self, request: Request, access: Access, body: bytes) -> Response | None:
        """The answer of the process with the door, which alone knows who has sent whom; None where it is this one."""
        if self._app.door is not None or access.client_id == OURSELVES:
            return None
        address = self._peers.door
        if address is None:
            raise refused(503, "transient", "CAREPOD_PEERS with the service that takes referrals would be right")
        return await self._peers.forwarded(request, address, body)


def routes(entrance: Entrance, base: Base) -> APIRouter:
    """The FHIR routes of one process."""
    router = APIRouter(
        prefix="/fhir", tags=["FHIR"], dependencies=[Depends(BEARER)], default_response_class=FhirResponse,
        redirect_slashes=False,
    )  # fmt: skip
    _bundles(router, entrance, base)
    _searches(router, entrance, base)
    _reads(router, entrance, base)
    _writes(router, entrance, base)
    return router


async def _answered(entrance: Entrance, base: Base, request: Request, call: Call) -> Response:
    """The answer to one call, in the process that gives it."""
    async with entrance.admitted(request) as sender:
        body = await body_of(request, limit_of(call.kind)) if call.method != "GET" else b""
        there = await entrance.elsewhere(request, sender.access, body)
        return there or await base.interactions.answer(sender, replace(call, body=body))


def _bundles(router: APIRouter, entrance: Entrance, base: Base) -> None:
    async def bundle(request: Request) -> Response:
        check_json(request)
        async with entrance.admitted(request) as sender:
            body, prefer = await body_of(request, LIMIT), request.headers.get("prefer", "")
            there = await entrance.elsewhere(request, sender.access, body)
            return there or await base.bundles.taken(sender, body, prefer)

    what = "A transaction Bundle (a referral with all it rests on), a batch, or a notification of a Subscription"
    router.post("", summary=what, responses=WRITTEN, openapi_extra=BODY)(bundle)
    router.post("/", include_in_schema=False)(bundle)

    @router.post("/$process-message", summary="A message Bundle", responses=WRITTEN, openapi_extra=BODY)
    async def message(request: Request) -> Response:
        check_json(request)
        async with entrance.admitted(request) as sender:
            body = await body_of(request, LIMIT)
            there = await entrance.elsewhere(request, sender.access, body)
            return there or await base.exchange.processed(sender, body)


def _searches(router: APIRouter, entrance: Entrance, base: Base) -> None:
    @router.get("/{kind}", summary="A search", responses=READ)
    async def search(kind: str, request: Request) -> Response:
        check_accept(request)
        return await _answered(entrance, base, request, call_of(request, kind))

    @router.post("/{kind}/_search", summary="A search by form", responses=READ, openapi_extra=FORM)
    async def search_by_form(kind: str, request: Request) -> Response:
        check_accept(request)
        sender = await entrance.sender(request)
        if media_type(request.headers.get("content-type", "")) != FORM_TYPE:
            raise refused(415, "not-supported", f"Content-Type: {FORM_TYPE} would be right")
        body = await body_of(request, _LONGEST_FORM)
        call = call_of(request, kind)
        asked = (*call.params, *parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        there = await entrance.elsewhere(request, sender.access, body)
        return there or await base.interactions.answer(sender, replace(call, method="GET", params=asked))


def _reads(router: APIRouter, entrance: Entrance, base: Base) -> None:
    @router.get("/{kind}/{resource_id}", summary="One resource", responses=READ)
    async def read(kind: str, resource_id: str, request: Request) -> Response:
        if binaries.is_asked_raw(kind, request):
            return binaries.raw(await _answered(entrance, base, request, call_of(request, kind, resource_id)))
        check_accept(request)
        return await _answered(entrance, base, request, call_of(request, kind, resource_id))

    @router.get("/{kind}/{resource_id}/${code}", summary="An operation on one resource", responses=READ)
    async def operation(kind: str, resource_id: str, code: str, request: Request) -> Response:
        check_accept(request)
        return await _answered(entrance, base, request, call_of(request, kind, resource_id, f"${code}"))

    @router.get("/{kind}/{resource_id}/_history", summary="Every version of one resource", responses=READ)
    async def history(kind: str, resource_id: str, request: Request) -> Response:
        check_accept(request)
        return await _answered(entrance, base, request, call_of(request, kind, resource_id, "_history"))

    @router.get("/{kind}/{resource_id}/_history/{version_id}", summary="One version", responses=READ)
    async def version(kind: str, resource_id: str, version_id: str, request: Request) -> Response:
        check_accept(request)
        return await _answered(entrance, base, request, call_of(request, kind, resource_id, f"_history/{version_id}"))


def _writes(router: APIRouter, entrance: Entrance, base: Base) -> None:
    async def write(kind: str, request: Request, resource_id: str = "") -> Response:
        if binaries.is_sent_raw(kind, request):
            return await binary(kind, request, resource_id)
        if request.method in ("POST", "PUT"):
            check_json(request)
        else:
            check_accept(request)
        return await _answered(entrance, base, request, call_of(request, kind, resource_id))

    async def binary(kind: str, request: Request, resource_id: str) -> Response:
        async with entrance.admitted(request) as sender:
            content = await body_of(request, binaries.MOST)
            there = await entrance.elsewhere(request, sender.access, content)
            sent = binaries.resource_of(request, resource_id, content)
            return there or await base.interactions.answer(
                sender, replace(call_of(request, kind, resource_id), body=sent)
            )

    created, changed = "One resource: a result, a coverage, a document", "A new version, or the answer to a question"
    one, where = "/{kind}/{resource_id}", "/{kind}"
    router.post(where, summary=created, responses=WRITTEN, openapi_extra=BODY)(write)
    router.put(one, summary=changed, responses=WRITTEN, openapi_extra=BODY)(write)
    router.put(where, summary="Conditional update", responses=WRITTEN, openapi_extra=BODY)(write)
    router.patch(one, summary="A JSON Patch of the current version", responses=WRITTEN, openapi_extra=PATCH)(write)
    router.patch(where, summary="Conditional patch", responses=WRITTEN, openapi_extra=PATCH)(write)
    router.delete(one, summary="Takes a record back: entered in error", responses=WRITTEN)(write)
    router.delete(where, summary="Conditional deletion", responses=WRITTEN)(write)

"""The routes of the FHIR base: who asks is known, which process answers is decided, then read, search or write."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from fastapi.security import HTTPBearer

from shared.app import Application
from shared.fhir.outcomes import Issue
from shared.smart.clients import OURSELVES, is_client_id
from shared.smart.server import Gate
from shared.smart.tokens import Access
from shared.web.answers import FhirResponse
from shared.web.capability import Kinds
from shared.web.limits import Limiter
from shared.web.peers import ON_BEHALF, Peers
from shared.web.reading import Reading
from shared.web.requests import FHIR_JSON, Refused, body_of, check_id, check_media_types, permitted, refused
from shared.web.sight import Sight
from shared.web.writing import Sender, Writing

_BEARER = HTTPBearer(
    bearerFormat="JWT", description="An access token of /token (SMART Backend Services)", auto_error=False
)
_RESOURCE = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"type": "string"}}}
_BODY = {"requestBody": {"required": True, "content": {FHIR_JSON: {"schema": _RESOURCE}}}}
_MEANINGS = {
    400: "Not readable as FHIR R4, or a parameter that is not right",
    401: "No access token of this server",
    403: "The token's scopes do not reach",
    404: "Unknown, or of a patient this client has not sent",
    422: "Readable, and breaks a rule",
    503: "Nothing was stored: the same request after Retry-After",
}
_OF_WRITING = {
    405: "Written by the system alone",
    412: "No longer the current version",
    413: "Too large",
    415: "Not JSON",
}


def _responses(*, body: bool) -> dict[int | str, dict[str, Any]]:
    meanings = _MEANINGS | {406: "Only JSON is spoken here", 429: "Too many requests"} | (_OF_WRITING if body else {})
    return {s: {"description": text, "content": {FHIR_JSON: {"schema": _RESOURCE}}} for s, text in meanings.items()}


READ, WRITTEN = _responses(body=False), _responses(body=True)


class Entrance:
    """What every request of the FHIR base passes before it is answered."""

    def __init__(self, app: Application, peers: Peers, gate: Gate, limiter: Limiter) -> None:
        self._app, self._peers, self._gate, self._limiter = app, peers, gate, limiter
        self.kinds = Kinds(app)

    async def sender(self, request: Request, *, body: bool) -> Sender:
        """Who asks, counted; our own processes say for whom."""
        check_media_types(request, body=body)
        access = await self._gate(request)
        if access.client_id == OURSELVES:
            client = request.headers.get(ON_BEHALF, OURSELVES)
            return Sender(access, client if is_client_id(client) else OURSELVES)
        after = await self._limiter.retry_after(access.client_id)
        if after is not None:
            raise Refused(429, [Issue("throttled", "", "fewer requests would be right")], {"Retry-After": str(after)})
        return Sender(access, access.client_id)

    async def elsewhere(self, request: Request, access: Access) -> Response | None:
        """The answer of the process with the door, which alone knows who has sent whom; None where it is this one."""
        if self._app.door is not None or access.client_id == OURSELVES:
            return None
        address = self._peers.door
        if address is None:
            raise refused(503, "transient", "CAREPOD_PEERS with the service that takes referrals would be right")
        return await self._peers.forwarded(request, address, await body_of(request))


def routes(app: Application, peers: Peers, gate: Gate, limiter: Limiter) -> APIRouter:
    """The FHIR routes of one process."""
    router = APIRouter(
        prefix="/fhir", tags=["FHIR"], dependencies=[Depends(_BEARER)], default_response_class=FhirResponse,
        redirect_slashes=False,
    )  # fmt: skip
    entrance, sight = Entrance(app, peers, gate, limiter), Sight(app)
    reading, writing = Reading(app, peers, sight), Writing(app, sight)
    _searches(router, entrance, reading)
    _reads(router, entrance, reading)
    _transactions(router, entrance, writing)
    _creates(router, entrance, writing)
    _updates(router, entrance, Updates(app, peers, entrance.kinds, reading, writing))
    return router


def _searches(router: APIRouter, entrance: Entrance, reading: Reading) -> None:
    @router.get("/{kind}", summary="A search", responses=READ)
    async def search(kind: str, request: Request) -> Response:
        sender = await entrance.sender(request, body=False)
        entrance.kinds.check_held(kind)
        strict = "handling=strict" in request.headers.get("prefer", "")
        params = request.query_params.multi_items()
        return await entrance.elsewhere(request, sender.access) or await reading.search(
            sender.access, kind, params, strict=strict
        )


def _reads(router: APIRouter, entrance: Entrance, reading: Reading) -> None:
    @router.get("/{kind}/{resource_id}", summary="One resource", responses=READ)
    async def read(kind: str, resource_id: str, request: Request) -> Response:
        sender = await entrance.sender(request, body=False)
        entrance.kinds.check_held(kind)
        seen = request.headers.get("if-none-match")
        return await entrance.elsewhere(request, sender.access) or await reading.read(
            sender.access, kind, resource_id, seen
        )

    @router.get("/{kind}/{resource_id}/${code}", summary="An operation on one resource", responses=READ)
    async def operation(kind: str, resource_id: str, code: str, request: Request) -> Response:
        sender = await entrance.sender(request, body=False)
        entrance.kinds.check_held(kind)
        return await entrance.elsewhere(request, sender.access) or await reading.operation(
            sender.access, kind, resource_id, code
        )

    @router.get("/{kind}/{resource_id}/_history/{version_id}", summary="One version", responses=READ)
    async def version(kind: str, resource_id: str, version_id: str, request: Request) -> Response:
        sender = await entrance.sender(request, body=False)
        entrance.kinds.check_held(kind)
        return await entrance.elsewhere(request, sender.access) or await reading.version(
            sender.access, kind, resource_id, version_id
        )


def _transactions(router: APIRouter, entrance: Entrance, writing: Writing) -> None:
    @router.post(
        "",
        summary="A transaction Bundle: a referral with everything it rests on",
        responses=WRITTEN,
        openapi_extra=_BODY,
    )
    @router.post("/", include_in_schema=False)
    async def transaction(request: Request) -> Response:
        sender = await entrance.sender(request, body=True)
        return await entrance.elsewhere(request, sender.access) or await writing.transaction(
            sender, await body_of(request)
        )


def _creates(router: APIRouter, entrance: Entrance, writing: Writing) -> None:
    @router.post(
        "/{kind}", summary="One resource: a result, a coverage, a dispense", responses=WRITTEN, openapi_extra=_BODY
    )
    async def create(kind: str, request: Request) -> Response:
        sender = await entrance.sender(request, body=True)
        entrance.kinds.check_created(kind)
        return await entrance.elsewhere(request, sender.access) or await writing.create(
            sender, kind, await body_of(request), request.headers.get("if-none-exist")
        )


class Updates:
    """Which process a PUT belongs to, and that whoever sends it may see what he writes."""

    def __init__(self, app: Application, peers: Peers, kinds: Kinds, reading: Reading, writing: Writing) -> None:
        self._app, self._peers, self._kinds = app, peers, kinds
        self._reading, self._writing = reading, writing

    async def updated(self, request: Request, sender: Sender, kind: str, resource_id: str) -> Response:
        permitted(sender.access, kind, "update")
        check_id(resource_id)
        body = await body_of(request)
        try:
            stored = await self._reading.visible(sender.access, kind, resource_id)
            self._kinds.check_updated(kind, resource_id)
        except Refused as refusal:
            await self._writing.refuse(sender, f"PUT /fhir/{kind}", body, refusal)
            raise
        if self._app.owning(resource_id) is None and (address := self._peers.owner_of(resource_id)):
            return await self._peers.forwarded(request, address, body, client=sender.client)
        return await self._writing.update(sender, stored, body, request.headers.get("if-match"))


def _updates(router: APIRouter, entrance: Entrance, updates: Updates) -> None:
    @router.put(
        "/{kind}/{resource_id}",
        summary="A new version, or the answer to a question",
        responses=WRITTEN,
        openapi_extra=_BODY,
    )
    async def update(kind: str, resource_id: str, request: Request) -> Response:
        sender = await entrance.sender(request, body=True)
        entrance.kinds.check_held(kind)
        return await entrance.elsewhere(request, sender.access) or await updates.updated(
            request, sender, kind, resource_id
        )

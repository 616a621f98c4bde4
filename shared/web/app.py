"""The HTTP face of one process: FHIR base, SMART, services' own operations, health; errors as OperationOutcome."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from fastapi_offline import FastAPIOffline

from shared import store
from shared.app import Application
from shared.fetching import DIGESTS, DOCUMENTS, PATH
from shared.fhir.json import encode
from shared.repair.digests import digest_of, entries_of
from shared.smart.clients import OURSELVES
from shared.smart.server import Gate, authenticated, router
from shared.version import VERSION
from shared.web.answers import FhirResponse, answered
from shared.web.base import base_of
from shared.web.capability import Kinds, capability_statement
from shared.web.errors import add_errors
from shared.web.fhir import Entrance, routes
from shared.web.health import add_health
from shared.web.inquiries import inquiries
from shared.web.limits import Limiter
from shared.web.notifications import add_notifications
from shared.web.peers import Peers
from shared.web.requests import body_of, check_media_types

DESCRIPTION = """A referral in, a booked infusion out. FHIR R4 (4.0.1).

1. Get a token: `POST /token` with a signed assertion (SMART Backend Services), then **Authorize** with it here.
2. Send a referral: `POST /fhir`, a transaction Bundle as in `contracts/examples/referrals`.
3. See what became of it: `GET /fhir/Task?patient=...`, `GET /fhir/Appointment?patient=...`.
"""
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(app: Application, requests_per_second: int = 2000, peers: Peers | None = None) -> FastAPI:
    """The FastAPI application of one process; its lifespan starts and stops the services."""
    others = peers or Peers(app)
    api = _blank(app, others)
    add_errors(api, app.clock)
    add_health(api, app)
    if app.door is not None:
        # One process alone spends assertions: its database knows every one that was used.
        api.include_router(router(app.authority))
    gate, kinds, limiter = authenticated(app.authority), Kinds(app), Limiter(app.redis, requests_per_second)
    base = base_of(app, others, kinds, limiter)
    add_notifications(api, app, gate, others, base.writing)
    for handle in app.handles.values():
        if handle.service.routes is not None:
            api.include_router(handle.service.routes(handle))
    _forwards(api, app, others)
    _metadata(api, app, kinds)
    _messages(api, app, gate)
    entrance = Entrance(app, others, gate, limiter)
    api.include_router(inquiries(app, others, entrance))
    api.include_router(routes(entrance, base))
    return api


def _messages(api: FastAPI, app: Application, gate: Gate) -> None:
    """What another process missed or compares, it gets here; for all but this deployment there is nothing here."""

    @api.get(PATH + "/{service}/{message_id}", include_in_schema=False)
    async def message(service: str, message_id: str, request: Request) -> Response:
        access = await gate(request)
        if access.client_id != OURSELVES or service not in app.handles:
            raise HTTPException(404, "nothing is here")
        async with app.handles[service].database.reading() as tx:
            found = await store.said(tx, message_id)
        if found is None:
            raise HTTPException(404, "nothing is here")
        return JSONResponse({"reason": found.reason, "headers": dict(found.headers), "body": found.body.decode()})

    @api.get(DOCUMENTS + "/{resource_id}", include_in_schema=False)
    async def document(resource_id: str, request: Request) -> Response:
        access, handle = await gate(request), app.owning(resource_id)
        if access.client_id != OURSELVES or handle is None:
            raise HTTPException(404, "nothing is here")
        async with handle.database.reading() as tx:
            found = await store.document(tx, resource_id, request.query_params.get("lane", ""))
        return Response(encode({"document": found} if found else {}), media_type="application/json")

    @api.get(DIGESTS + "/{owner}/{hearer}", include_in_schema=False)
    async def digest(owner: str, hearer: str, request: Request) -> Response:
        access = await gate(request)
        asking = app.catalogue.of(hearer)
        if access.client_id != OURSELVES or owner not in app.handles or asking is None:
            raise HTTPException(404, "nothing is here")
        handle, places = app.handles[owner], request.query_params.getlist("place")
        if places:
            return JSONResponse(await entries_of(handle.database, handle.service, asking, places))
        return JSONResponse(await digest_of(handle.database, handle.service, asking))


def _blank(app: Application, peers: Peers) -> FastAPI:
    """The application without a route of ours."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await app.start()
        try:
            yield
        finally:
            await app.stop()
            await peers.close()

    # A redirect to the address with or without a slash would be built from the Host header.
    return FastAPIOffline(
        docs_url="/docs", redoc_url=None, title="Carepod", description=DESCRIPTION, version=VERSION, lifespan=lifespan,
        redirect_slashes=False,
    )  # fmt: skip


def _metadata(api: FastAPI, app: Application, kinds: Kinds) -> None:
    @api.get("/fhir/metadata", tags=["FHIR"], summary="What this server can do", response_class=FhirResponse)
    async def metadata(request: Request) -> Response:
        check_media_types(request, body=False)
        return answered(capability_statement(app, kinds))


def _forwards(api: FastAPI, app: Application, peers: Peers) -> None:
    """Paths that another process's service answers go there, with the headers they came with."""

    async def forward(request: Request) -> Response:
        address = peers.answering(request.url.path)
        if address is None:
            raise HTTPException(404)
        return await peers.forwarded(request, address, await body_of(request))

    for service in app.catalogue.services:
        for path in service.paths if service.name not in app.handles else ():
            api.add_api_route(path + "/{rest:path}", forward, methods=METHODS, include_in_schema=False)

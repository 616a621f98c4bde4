"""The HTTP face of one process: FHIR base, SMART, services' own operations, health; errors as OperationOutcome."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from fastapi_offline import FastAPIOffline

from shared import store
from shared.app import Application
from shared.fetching import PATH
from shared.smart.clients import OURSELVES
from shared.smart.server import Gate, authenticated, router
from shared.version import VERSION
from shared.web.answers import FhirResponse, answered
from shared.web.capability import Kinds, capability_statement
from shared.web.errors import add_errors
from shared.web.fhir import routes
from shared.web.health import add_health
from shared.web.limits import Limiter
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
    _forwards(api, app, others)
    for handle in app.handles.values():
        if handle.service.routes is not None:
            api.include_router(handle.service.routes(handle))
    _metadata(api, app)
    gate = authenticated(app.authority)
    _messages(api, app, gate)
    api.include_router(routes(app, others, gate, Limiter(app.redis, requests_per_second)))
    return api


def _messages(api: FastAPI, app: Application, gate: Gate) -> None:
    """What another process of this deployment missed, it fetches here; for everybody else there is nothing here."""

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


def _metadata(api: FastAPI, app: Application) -> None:
    kinds = Kinds(app)

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

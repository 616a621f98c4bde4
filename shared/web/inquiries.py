"""Operations answered from the Bundle they bring alone: the process of their service answers, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from shared.app import Application
from shared.core import Inquiry, Resource, Service
from shared.web.answers import FhirResponse, answered
from shared.web.bundles import LIMIT
from shared.web.fhir import BEARER, Entrance
from shared.web.openapi import BODY, WRITTEN
from shared.web.peers import Peers
from shared.web.requests import body_of, check_json, checked, refused


def inquiries(app: Application, peers: Peers, entrance: Entrance) -> APIRouter:
    """`POST /fhir/$<code>` of every inquiry a service of the deployment declares."""
    router = APIRouter(
        prefix="/fhir", tags=["FHIR"], dependencies=[Depends(BEARER)], default_response_class=FhirResponse,
        redirect_slashes=False,
    )  # fmt: skip
    for service in app.catalogue.services:
        for inquiry in service.inquiries:
            asked = [
                {"name": name, "in": "query", "schema": {"type": "string"}, "description": sentence}
                for name, _, sentence in inquiry.asks
            ]
            router.post(
                f"/${inquiry.code}", summary=inquiry.title, description=inquiry.description, responses=WRITTEN,
                openapi_extra=BODY | {"parameters": asked},
            )(_route(app, peers, entrance, service, inquiry))  # fmt: skip
    return router


def _route(
    app: Application, peers: Peers, entrance: Entrance, service: Service, inquiry: Inquiry
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def inquired(request: Request) -> Response:
        check_json(request)
        async with entrance.admitted(request):
            body = await body_of(request, LIMIT)
            if service.name in app.handles:
                return answered(await _counted(app, service, inquiry, _answer(app, service, inquiry, request, body)))
            address = peers.running(service.name)
            if address is None:
                raise refused(503, "transient", f"CAREPOD_PEERS with {service.name} would be right")
            return await peers.forwarded(request, address, body)

    return inquired


async def _counted(app: Application, service: Service, inquiry: Inquiry, found: Resource) -> Resource:
    """The answer with what the service has seen of the like."""
    tallies = inquiry.tallies(found) if inquiry.tallies is not None else ()
    if not tallies:
        return found
    async with app.handles[service.name].reader() as reader:
        counts = [(t.name, await reader.count(t.kind, t.parameter, t.value)) for t in tallies]
    parts = [{"name": name, "valueInteger": count} for name, count in counts]
    return {**found, "parameter": [*found["parameter"], {"name": "experience", "part": parts}]}


def _answer(app: Application, service: Service, inquiry: Inquiry, request: Request, body: bytes) -> Resource:
    bundle = checked(body, app.validator, LIMIT)
    if bundle["resourceType"] != "Bundle":
        raise refused(400, "invalid", "a Bundle would be right", "resourceType")
    asked = dict(request.query_params)
    if unknown := sorted(asked.keys() - {name for name, _, _ in inquiry.asks} - {"_format"}):
        raise refused(400, "not-supported", f"{', '.join(unknown)}: no parameter of ${inquiry.code}")
    try:
        return inquiry.answer(bundle, asked, service.policy, app.clock())
    except ValueError as error:
        raise refused(400, "value", str(error)) from None

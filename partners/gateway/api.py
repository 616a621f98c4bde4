"""The HTTP operations of the gateway."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from partners.gateway.service import Gateway, Replied, Text
from partners.routes import partner_routes


def gateway_routes(gateway: Gateway, *, debug: bool) -> APIRouter:
    """Its keys, and the one operation by which it is given a text."""
    routes = partner_routes("Gateway", gateway.faults, debug=debug, key=gateway.key)

    @routes.post("/messages")
    async def messages(request: Request, text: Text) -> Response:
        shown = request.headers.get("authorization")
        return await gateway.faults.around("messages", lambda: gateway.take(shown, text))

    if debug:
        _debug_routes(routes, gateway)
    return routes


def _debug_routes(routes: APIRouter, gateway: Gateway) -> None:
    @routes.get("/debug/messages")
    async def listing() -> JSONResponse:
        return JSONResponse(gateway.listing())

    @routes.post("/debug/reply")
    async def reply(replied: Replied) -> Response:
        return gateway.replied(replied)

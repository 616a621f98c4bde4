"""The HTTP operations of the pharmacy."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from partners.faults import Ordered
from partners.keys import jwks
from partners.pharmacy.service import Pharmacy


def pharmacy_routes(pharmacy: Pharmacy, *, debug: bool) -> APIRouter:
    """Routes relative to the pharmacy's own base; those under `debug` only where it is on."""
    routes = APIRouter(tags=["Pharmacy"])

    @routes.get("/.well-known/jwks.json")
    async def keys() -> dict[str, Any]:
        return jwks(pharmacy.key)

    @routes.post("/orders")
    async def orders(request: Request) -> Response:
        body = await request.body()
        return await pharmacy.faults.around("orders", lambda: pharmacy.order(body))

    if debug:
        _debug_routes(routes, pharmacy)
    return routes


def _debug_routes(routes: APIRouter, pharmacy: Pharmacy) -> None:
    @routes.post("/debug/fail", status_code=204)
    async def fail(ordered: Ordered) -> None:
        pharmacy.faults.order(ordered)

    @routes.get("/debug/orders")
    async def listing() -> list[dict[str, Any]]:
        return pharmacy.listing()

"""The HTTP operations of a payer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from partners.faults import Ordered
from partners.payer.service import Payer
from partners.wire import refuse


def payer_routes(payer: Payer, *, debug: bool) -> APIRouter:
    """Routes relative to the payer's own base; those under `debug` only where it is on."""
    routes = APIRouter(tags=[payer.rules["name"]])

    @routes.post("/CoverageEligibilityRequest/$submit")
    async def eligibility(request: Request) -> Response:
        body = await request.body()
        return await payer.faults.around("eligibility", lambda: payer.eligibility(body))

    @routes.post("/Claim/$submit")
    async def submit(request: Request) -> Response:
        body = await request.body()
        return await payer.faults.around("submit", lambda: payer.submit(body))

    @routes.post("/Claim/$inquire")
    async def inquire(request: Request) -> Response:
        body = await request.body()
        return await payer.faults.around("inquire", lambda: payer.inquire(body))

    if debug:
        _debug_routes(routes, payer)
    return routes


def _debug_routes(routes: APIRouter, payer: Payer) -> None:
    @routes.post("/debug/fail", status_code=204)
    async def fail(ordered: Ordered) -> None:
        payer.faults.order(ordered)

    @routes.get("/debug/claims")
    async def claims() -> list[dict[str, Any]]:
        return payer.claims.listing()

    @routes.post("/debug/release/{value:path}", status_code=204)
    async def release(value: str) -> None:
        if not await payer.release(value):
            refuse(404, "not-found", "no pended Claim has this identifier value")

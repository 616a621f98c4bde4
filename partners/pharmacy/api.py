"""The HTTP operations of the pharmacy."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from partners.pharmacy.service import Pharmacy
from partners.routes import partner_routes, post
from partners.wire import refuse


def pharmacy_routes(pharmacy: Pharmacy, *, debug: bool) -> APIRouter:
    """Its keys, and the one operation by which a drug is ordered or called off."""
    routes = partner_routes("Pharmacy", pharmacy.faults, debug=debug, key=pharmacy.key)
    post(routes, "/orders", pharmacy.faults, "orders", lambda _request, body: pharmacy.order(body))
    if debug:
        _debug_routes(routes, pharmacy)
    return routes


def _debug_routes(routes: APIRouter, pharmacy: Pharmacy) -> None:
    @routes.post("/debug/nobody-home/{appointment}", status_code=204)
    async def nobody_home(appointment: str) -> None:
        if not pharmacy.nobody_home(appointment):
            refuse(404, "not-found", "a visit with a delivery on its way would be right")

    @routes.get("/debug/orders")
    async def listing() -> list[dict[str, Any]]:
        return pharmacy.listing()

"""The HTTP operations of a nursing agency."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from partners.agency.service import Agency
from partners.routes import partner_routes, post
from partners.wire import refuse


class Arranged(BaseModel):
    """The body of `POST debug/next`."""

    answer: Literal["capacity", "territory", "competency", "silent"]


def agency_routes(agency: Agency, *, debug: bool) -> APIRouter:
    """Its keys, its tokens, and the one operation by which a visit is asked for or taken back."""
    tag = f"Agency {agency.name}"
    routes = partner_routes(tag, agency.faults, debug=debug, key=agency.key, tokens=agency.tokens)
    post(routes, "/visits", agency.faults, "visits", agency.request)
    if debug:
        _debug_routes(routes, agency)
    return routes


def _debug_routes(routes: APIRouter, agency: Agency) -> None:
    @routes.post("/debug/next", status_code=204)
    async def arrange(arranged: Arranged) -> None:
        agency.arrange(arranged.answer)

    @routes.post("/debug/call-off/{task}", status_code=204)
    async def call_off(task: str) -> None:
        _or_unknown(agency.call_off(task))

    @routes.post("/debug/report/{task}", status_code=204)
    async def report(task: str) -> None:
        _or_unknown(agency.report(task))

    @routes.get("/debug/visits")
    async def listing() -> list[dict[str, Any]]:
        return agency.listing()


def _or_unknown(known: bool) -> None:
    if not known:
        refuse(404, "not-found", "a visit this agency has taken on would be right")

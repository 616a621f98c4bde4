"""The HTTP operations of a payer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from partners.payer.requirements import HOOKS
from partners.payer.service import Payer
from partners.routes import partner_routes, post
from partners.wire import answer, refuse


def payer_routes(payer: Payer, *, debug: bool) -> APIRouter:
    """What it is asked about a member, and about a Claim."""
    routes, faults = partner_routes(payer.rules["name"], payer.faults, debug=debug), payer.faults
    eligibility = "/CoverageEligibilityRequest/$submit"
    post(routes, eligibility, faults, "eligibility", lambda _request, body: payer.eligibility(body))
    package = "/Questionnaire/$questionnaire-package"
    post(routes, package, faults, "questions", lambda _request, body: payer.questions(body))
    post(routes, "/Claim/$submit", faults, "submit", lambda _request, body: payer.submit(body))
    post(routes, "/Claim/$inquire", faults, "inquire", lambda _request, body: payer.inquire(body))
    post(routes, "/$submit-attachment", faults, "attachment", lambda _request, body: payer.attachment(body))
    _services(routes, payer)
    _subscriptions(routes, payer)
    if debug:
        _debug_routes(routes, payer)
    return routes


def _services(routes: APIRouter, payer: Payer) -> None:
    """Its CDS services: which there are, and what each says of an order."""

    @routes.get("/cds-services")
    async def services() -> dict[str, Any]:
        return payer.requirements.discovery()

    for hook in HOOKS:

        async def answered(request: Request, body: bytes, hook: str = hook) -> Response:
            return await payer.requirements.answered(hook, request.headers.get("authorization", ""), body)

        post(routes, f"/cds-services/{hook}-requirements", payer.faults, "requirements", answered)


def _subscriptions(routes: APIRouter, payer: Payer) -> None:
    """Who is told of its decisions."""
    post(routes, "/Subscription", payer.faults, "subscribe", lambda _request, body: payer.subscribed(body))

    @routes.put("/Subscription/{name}")
    async def changed(name: str, request: Request) -> Response:
        return await payer.subscribed(await request.body(), name)

    @routes.get("/Subscription")
    async def known(url: str) -> Response:
        return answer(payer.subscribers.at(url))

    @routes.get("/Subscription/{name}")
    async def one(name: str) -> Response:
        found = payer.subscribers.of(name)
        if found is None:
            refuse(404, "not-found", "this payer has no such Subscription", "Subscription.id")
        return answer(found)


def _debug_routes(routes: APIRouter, payer: Payer) -> None:
    @routes.get("/debug/claims")
    async def claims() -> list[dict[str, Any]]:
        return payer.claims.listing()

    @routes.post("/debug/release/{value:path}", status_code=204)
    async def release(value: str) -> None:
        if not await payer.release(value):
            refuse(404, "not-found", "no pended Claim has this identifier value")

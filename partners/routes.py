"""What the routes of every partner have in common: its keys, its tokens, and the failures a test orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from fastapi import APIRouter, Request
from starlette.responses import Response

from partners.faults import Faults, Ordered
from partners.keys import PrivateKey, jwks
from partners.tokens import Tokens


class Refusing(Protocol):
    """A partner that refuses everything while it is told to."""

    refusing: bool


def partner_routes(
    tag: str, faults: Faults, *, debug: bool, key: PrivateKey | None = None, tokens: Tokens | None = None
) -> APIRouter:
    """Routes relative to the partner's own base, its own still to come; those under `debug` only where it is on."""
    routes = APIRouter(tags=[tag])
    if key is not None:
        _keys(routes, key)
    if tokens is not None:
        post(routes, "/token", faults, "token", lambda _request, form: tokens.answered(form))
    if debug:
        _failing(routes, faults)
    return routes


def post(
    routes: APIRouter,
    path: str,
    faults: Faults,
    operation: str,
    answered: Callable[[Request, bytes], Awaitable[Response]],
) -> None:
    """One operation, which fails as ordered."""

    @routes.post(path)
    async def taken(request: Request) -> Response:
        body = await request.body()
        return await faults.around(operation, lambda: answered(request, body))


def refusing_route(routes: APIRouter, partner: Refusing) -> None:
    """`POST debug/refuse`, by which a test has everything refused, and taken again."""

    @routes.post("/debug/refuse", status_code=204)
    async def refusing(on: bool) -> None:
        partner.refusing = on


def _keys(routes: APIRouter, key: PrivateKey) -> None:
    @routes.get("/.well-known/jwks.json")
    async def keys() -> dict[str, Any]:
        return jwks(key)


def _failing(routes: APIRouter, faults: Faults) -> None:
    """`POST debug/fail`, by which a test orders a failure, and `POST debug/repair`, which takes back what is left."""

    @routes.post("/debug/fail", status_code=204)
    async def fail(ordered: Ordered) -> None:
        faults.order(ordered)

    @routes.post("/debug/repair", status_code=204)
    async def repair() -> None:
        faults.repair()

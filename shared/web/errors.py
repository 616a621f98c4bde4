"""Every error as an OperationOutcome; what nobody foresaw gets a number, and neither its text nor a value is said."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import Clock, uuid7
from shared.failures import described
from shared.fhir.outcomes import Issue, outcome
from shared.ports import Conflict, Unavailable
from shared.web.answers import answered

log = logging.getLogger("carepod.web")

_CODES = {401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 413: "too-long", 415: "not-supported"}
_WORDS = {404: "an address of this server would be right", 405: "a method that this address takes would be right"}


def add_errors(api: FastAPI, clock: Clock) -> None:
    """Makes this application answer every error so."""
    api.add_middleware(Shield, clock=clock)

    @api.exception_handler(HTTPException)
    async def refusal(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answered(_said(error), error.status_code, error.headers)

    @api.exception_handler(RequestValidationError)
    async def wrong_request(_: Request, error: Exception) -> Response:
        return answered(outcome([Issue("invalid", "", "the parameters of this operation would be right")]), 400)

    @api.exception_handler(Unavailable)
    @api.exception_handler(Conflict)
    async def busy(_: Request, error: Exception) -> Response:
        issue = Issue("transient", "", "nothing was stored; the same request after a moment would be right")
        return answered(outcome([issue]), 503, {"Retry-After": "2"})


def _said(error: HTTPException) -> dict[str, object]:
    if isinstance(error.detail, dict):
        return error.detail
    words = _WORDS.get(error.status_code, str(error.detail))
    return outcome([Issue(_CODES.get(error.status_code, "processing"), "", words)])


class Shield:
    """The outermost of our own code: behind it an exception would reach the server's log with its text."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            log.info("a client went away before its request was whole")
        except Exception as error:  # noqa: BLE001
            number = uuid7(self._clock())
            log.error("request %s failed: %s", number, described(error))
            if not begun:
                issue = Issue("exception", "", f"an error of this server; its number is {number}")
                await answered(outcome([issue]), 500)(scope, receive, send)

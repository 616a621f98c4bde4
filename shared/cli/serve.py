"""`carepod serve`: the services of this process behind HTTP."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI

from shared.app import build
from shared.cli.common import Context, quiet_logs, run
from shared.core import Service
from shared.ports import Unavailable
from shared.settings import Settings, SettingsError, Site
from shared.web.app import create_app

GRACE = 25
"""Seconds open requests may take to end when the process is asked to stop."""
KEPT = 75
"""Seconds an idle connection is kept: longer than proxies keep theirs, so that they close first."""
COLLECTED = (10_000, 20, 20)
"""Objects more than before, and looks through the younger ones, after which garbage is looked for."""
LINGER = 0.5
"""Seconds in which open connections get one more answer, which says that it was the last."""


class Server(uvicorn.Server):
    """An HTTP server that cuts nobody off between two requests: it closes a connection only after saying so."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        for connection in [c for c in self.server_state.connections if _is_answering(c)]:
            connection.shutdown()  # its answer, already begun with the old headers, is its last and says so
        await asyncio.sleep(LINGER if self.server_state.connections else 0)
        await super().shutdown(sockets)


def _is_answering(connection: Any) -> bool:
    """Whether a request is under way on a connection."""
    cycle = getattr(connection, "cycle", None)
    return cycle is not None and not cycle.response_complete


def serve(
    context: typer.Context,
    services: Annotated[list[str] | None, typer.Argument(help="Which services; none: all in one process.")] = None,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Serves all services in one process, or the named ones on the engines of CAREPOD_*.

    Ends on SIGTERM in order: open requests are answered, then the work under way is committed. Exit 2 a wrong setting
    or a port that is taken, 3 an engine does not answer.
    """
    given: Context = context.obj
    settings, site, declared = given.settled()
    quiet_logs(logging.getLevelName(settings.log_level))
    run(_served(settings, site, declared, services or (), host, port))


async def _served(
    settings: Settings, site: Site, declared: Sequence[Service], running: Sequence[str], host: str, port: int
) -> None:
    with listening(host, port) as listener:
        application = await build(declared, settings, site, running)
        server = server_of(create_app(application))
        kept_for_good()
        await server.serve([listener])
    if not server.started:
        raise Unavailable("the services did not start")


def kept_for_good() -> None:
    """Says that what stands now stays: the search for garbage leaves it out, and is made less often.

    Over all that a process has loaded it takes a tenth of a second, in which nothing is answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED)


def listening(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SettingsError where the port is taken or the address is not this machine's."""
    try:
        return socket.create_server((host, port), backlog=2048)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or "no port"
        raise SettingsError(
            f"--host {host} --port {port}: {said}; a free port of this machine would be right"
        ) from None


def server_of(api: FastAPI) -> uvicorn.Server:
    """The HTTP server; it stops in order: no new requests, open ones end, then the lifespan stops the services."""
    config = uvicorn.Config(
        api,
        loop="auto",
        http="auto",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEPT,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config)

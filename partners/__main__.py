"""Runs the stand-ins as a process of their own: `python -m partners --port 8100 --carepod URL`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from partners.app import create_app
from partners.arrangements import DEMO, ArrangementError, arrangements


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is ended; 2 when the arrangements file is wrong."""
    asked = _parser().parse_args(arguments)
    try:
        app = application(asked)
    except ArrangementError as error:
        print(error, file=sys.stderr)
        return 2
    uvicorn.run(app, host=asked.host, port=asked.port, log_level="warning")
    return 0


def application(asked: argparse.Namespace) -> FastAPI:
    """The app these arguments ask for, under its prefix where one is given."""
    prefix = asked.prefix.rstrip("/")
    agreed = arrangements(asked.carepod, asked.arrangements)
    if asked.release_after is not None:
        agreed = replace(agreed, release_after=timedelta(seconds=asked.release_after))
    if asked.lead_time is not None:
        agreed = replace(agreed, lead_time=timedelta(seconds=asked.lead_time))
    address = asked.address or f"http://{asked.host}:{asked.port}{prefix}"
    smtp = (asked.host, asked.smtp_port) if asked.smtp_port else None
    app = create_app(asked.folder, asked.carepod, address=address, arranged=agreed, debug=asked.debug, smtp=smtp)
    if not prefix:
        return app
    outer = FastAPI(lifespan=app.router.lifespan_context, openapi_url=None)
    outer.state.partners = app.state.partners
    outer.mount(prefix, app)
    return outer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("partners", description="Payers, an EHR and a pharmacy with rules of their own.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--folder", type=Path, default=Path("var/partners"), help="stores and keys")
    parser.add_argument("--carepod", default="http://127.0.0.1:8000", help="the practice's address")
    parser.add_argument("--prefix", default="", help="for example /partners")
    parser.add_argument("--address", help="how others reach this process, prefix included")
    parser.add_argument("--arrangements", type=Path, default=DEMO, help="YAML file")
    parser.add_argument("--release-after", type=float, help="seconds until a pended Claim is decided")
    parser.add_argument("--lead-time", type=float, help="seconds until an ordered drug is on hand")
    parser.add_argument("--smtp-port", type=int, help="takes mails on this port too")
    parser.add_argument("--debug", action="store_true", help="opens the debug routes")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

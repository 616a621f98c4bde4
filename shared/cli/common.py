"""What every command shares: settings, the practice's services, two consoles, and how failures become exit codes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import asyncpg
import typer
import uvloop
from rich.console import Console

from shared.core import Service
from shared.footing import open_database
from shared.ports import Database, Row, Unavailable
from shared.settings import Settings, SettingsError, Site, load_site

Declare = Callable[[Site], tuple[Service, ...]]
PartnersApp = Callable[..., Any]
Result = TypeVar("Result")

NOT_RIGHT, NOT_TRIED, NO_ANSWER = 1, 2, 3

out = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True)
class Context:
    """What the entry point hands to the commands."""

    declare: Declare
    partners: PartnersApp

    def settled(self, **changed: Any) -> tuple[Settings, Site, Sequence[Service]]:
        """Settings (with these fields changed), site and services. Ends the command where they are wrong."""
        try:
            settings = replace(Settings.from_environment(), **changed)
            addresses = {"partners_url": settings.partners_url, "base_url": settings.base_url}
            site = load_site(settings.site_file, **addresses, folder=settings.folder)
            return settings, site, self.declare(site)
        except SettingsError as error:
            raise failed(NOT_TRIED, str(error)) from None


def say(text: str, indent: int = 0) -> None:
    """One line of a result, never broken, so that what reads it through a pipe gets it whole."""
    out.print(" " * indent + text, markup=False, soft_wrap=True)


def failed(code: int, message: str) -> typer.Exit:
    """Says what is wrong and gives the exit to raise."""
    errors.print(message, style="red", markup=False, soft_wrap=True)
    return typer.Exit(code)


def run(work: Coroutine[Any, Any, Result], doing: str = "") -> Result:
    """Runs a command's work, showing on a terminal what it is at; what stands in its way becomes the exit code."""
    try:
        shown = errors.status(doing) if doing else nullcontext()
        with shown, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except (Unavailable, ConnectionError, TimeoutError) as error:
        raise failed(NO_ANSWER, f"an engine does not answer ({type(error).__name__})") from None
    except SettingsError as error:
        raise failed(NOT_TRIED, str(error)) from None
    except asyncpg.PostgresError as error:
        text = f"the database refuses ({type(error).__name__}): after `carepod migrate` it may be right"
        raise failed(NOT_TRIED, text) from None
    except OSError as error:
        raise failed(NOT_TRIED, f"{error.filename or 'a file'}: {error.strerror}") from None


def quiet_logs(level: int = logging.WARNING) -> None:
    """Log lines of the project: time, level, name, message; of libraries that log bodies and addresses, errors only."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("httpx", "httpcore", "aio_pika", "aiormq"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


@asynccontextmanager
async def opened(settings: Settings, service: str) -> AsyncIterator[Database]:
    """A service's database, which must be there: a look makes nothing."""
    if not settings.database_url and not (settings.folder / f"{service}.db").exists():
        raise SettingsError(
            f"{settings.folder}: CAREPOD_FOLDER of a carepod that has run (the demo: var/demo) would be right"
        )
    database = await open_database(settings, service)
    try:
        yield database
    finally:
        await database.close()


async def rows(settings: Settings, service: Service, sql: str, *values: object) -> list[Row]:
    """What a query finds in one service's store."""
    async with opened(settings, service.name) as database, database.reading() as tx:
        return await tx.fetch(sql, *values)

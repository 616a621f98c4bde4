"""`carepod push`: sends referrals to a Carepod as an EHR would, with a backend token of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.progress import Progress

from shared.cli.common import NO_ANSWER, NOT_RIGHT, NOT_TRIED, errors, failed, say
from shared.cli.look import told
from shared.clock import Clock, system_clock
from shared.core import TryLater
from shared.fhir.json import GateError, decode, encode
from shared.settings import Partner, SettingsError
from shared.smart.client import TokenSource
from shared.smart.keys import SigningKey, key_file

SCOPES = "system/*.cruds"
_DATE = re.compile(r"^(\d{4}-\d{2}-\d{2})(T.*)?$")
_LATER = {429, 502, 503, 504}
"""Statuses that say: the same again, later."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the server said to one file; `answer` is empty where it was no FHIR."""

    file: str
    status: int
    answer: dict[str, Any]
    seconds: float

    @property
    def locations(self) -> list[str]:
        """`Type/id` of each entry of the answer that names one."""
        found = [e["response"]["location"] for e in self.answer.get("entry", ()) if "location" in e["response"]]
        return [re.sub(r"/_history/.*$", "", f).rpartition("/fhir/")[2] for f in found]

    @property
    def created(self) -> bool:
        """Whether anything new was made by it."""
        return any(e["response"]["status"].startswith("201") for e in self.answer.get("entry", ()))


class Sender:
    """An outside client of one Carepod: gets its token when needed, posts transaction Bundles."""

    def __init__(self, url: str, client: str, key: SigningKey, clock: Clock = system_clock) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.AsyncClient(timeout=30.0, trust_env=False)
        self._partner = Partner(client, self._url, f"{self._url}/token", client, SCOPES)
        self._tokens = TokenSource(self._http, key, clock)

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        """Reads or searches; raises httpx.HTTPStatusError where it is refused."""
        response = await self._http.get(f"{self._url}/fhir/{path}", params=params, headers=await self._headers())
        response.raise_for_status()
        return decode(response.content)

    async def post(self, file: str, body: bytes, path: str = "") -> Pushed:
        """Sends one body."""
        headers = {**await self._headers(), "Content-Type": "application/fhir+json"}
        begun = asyncio.get_running_loop().time()
        response = await self._http.post(f"{self._url}/fhir{path}", content=body, headers=headers)
        seconds = asyncio.get_running_loop().time() - begun
        return Pushed(file, response.status_code, _fhir(response), seconds)

    async def close(self) -> None:
        await self._http.aclose()

    async def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {await self._tokens.token(self._partner)}"}


def _fhir(response: httpx.Response) -> dict[str, Any]:
    try:
        return decode(response.content)
    except GateError:
        return {}


def push(
    files: Annotated[list[Path], typer.Argument(help="Transaction Bundles as JSON files.")],
    to: Annotated[str, typer.Option(help="Base address of the Carepod, as http://127.0.0.1:8000.")],
    client: Annotated[str, typer.Option(help="Our client id there.")],
    key: Annotated[Path, typer.Option(help="Our private key (PEM, P-384), as `carepod clients key` makes one.")],
) -> None:
    """Sends referrals.

    Exit 0 all taken, 1 one was refused, 2 a file or the key cannot be read, 3 no answer, no token or try later.
    """
    if not to.startswith(("http://", "https://")):
        raise failed(NOT_TRIED, "--to: an address that begins with http:// or https:// would be right")
    try:
        bodies = [(path.name, path.read_bytes()) for path in files]
        key.read_bytes()
        sender = Sender(to, client, key_file(key))
    except OSError as error:
        raise failed(NOT_TRIED, f"{error.filename}: {error.strerror}") from None
    except SettingsError as error:
        raise failed(NOT_TRIED, str(error)) from None
    statuses = asyncio.run(_told(sender, bodies, to))
    if any(s in _LATER for s in statuses):
        raise typer.Exit(NO_ANSWER)
    if any(s != httpx.codes.OK for s in statuses):
        raise typer.Exit(NOT_RIGHT)


async def _told(sender: Sender, bodies: Sequence[tuple[str, bytes]], to: str) -> list[int]:
    """Pushes one after the other, saying what came of each; the statuses."""
    statuses = []
    try:
        async for result in _pushed(sender, bodies):
            say(f"{result.file}: {result.status} {', '.join(result.locations)}")
            for issue in result.answer.get("issue", ()):
                say(told(issue), 2)
            statuses.append(result.status if result.answer or result.status != httpx.codes.OK else 502)
    except (httpx.HTTPError, TryLater) as error:
        text = str(error) if isinstance(error, TryLater) else type(error).__name__
        raise failed(NO_ANSWER, f"no answer from {to}: {text}") from None
    return statuses


async def _pushed(sender: Sender, bodies: Sequence[tuple[str, bytes]]) -> AsyncIterator[Pushed]:
    try:
        with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
            for name, body in progress.track(bodies, description="pushing"):
                yield await sender.post(name, body)
    finally:
        await sender.close()


def shifted(body: bytes, written_on: date, today: date) -> bytes:
    """A Bundle with every date but birth dates moved by the days between; a body that is no JSON stays as it is."""
    try:
        bundle = decode(body)
    except GateError:
        return body
    return encode(_moved(bundle, today - written_on))


def _moved(value: Any, by: timedelta) -> Any:
    if isinstance(value, dict):
        return {k: v if k == "birthDate" else _moved(v, by) for k, v in value.items()}
    if isinstance(value, list):
        return [_moved(v, by) for v in value]
    if isinstance(value, str) and (match := _DATE.match(value)):
        return (date.fromisoformat(match[1]) + by).isoformat() + (match[2] or "")
    return value

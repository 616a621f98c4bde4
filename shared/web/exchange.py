"""Messages (`$process-message`): each is taken once, and every time answered alike."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response

from shared.app import Application, Handle, Once, Stale
from shared.core import IDENTIFIERS
from shared.fhir.json import GateError, decode
from shared.ports import Door
from shared.web.addressed import located
from shared.web.answers import answered
from shared.web.requests import BODY_LIMIT, Refused, checked, permitted, refused
from shared.web.senders import Sender
from shared.web.writing import Writing

MESSAGES = IDENTIFIERS + "message"
"""The system under which a client's message ids are remembered."""


class Exchange:
    """The message endpoint, in the process of the door."""

    def __init__(self, app: Application, writing: Writing) -> None:
        self._app, self._writing = app, writing
        self._base = app.settings.base_url + "/fhir"

    async def processed(self, sender: Sender, body: bytes) -> Response:
        """Takes a message Bundle; 200 with the response message, also where that is a refusal.

        What is no message of R4 JSON with a MessageHeader id is refused like any other body.
        """
        handle, door = self._writing.door()
        message = door.message_id(_read(body))
        if message is None:
            async with self._writing.kept(handle, sender, "POST /fhir/$process-message", body):
                checked(body, self._app.validator)
                where = "Bundle.entry[0].resource.id"
                raise refused(422, "required", "a MessageHeader with an id as first entry would be right", where)
        focus = await self._focus(handle, sender.client, message)
        if focus is not None:
            return answered(door.reply(message, sender.client, self._base, focus))
        try:
            async with self._writing.kept(handle, sender, "POST /fhir/$process-message", body):
                focus = await self._taken(handle, door, sender, message, body)
        except Refused as refusal:
            if refusal.status_code not in (400, 422):
                raise
            return answered(door.reply(message, sender.client, self._base, None, refusal.issues))
        return answered(door.reply(message, sender.client, self._base, focus))

    async def _taken(self, handle: Handle, door: Door, sender: Sender, message: str, body: bytes) -> str:
        """The referral Task a message became, or what it became when it came before."""
        bundle = checked(body, self._app.validator)
        for entry in bundle.get("entry", ())[1:]:
            permitted(sender.access, entry["resource"]["resourceType"], "create")
        arrival = door.message(await located(handle, sender.client, bundle), sender.client)
        if isinstance(arrival, tuple):
            raise Refused(422, arrival)
        place = next((p for _, p in arrival.entries if p.startswith("Task/")), arrival.focus or "")
        held = next((f"Task/{r['id']}" for r in arrival.resources if r["resourceType"] == "Task"), place)
        focus = place if place.startswith("Task/") else held
        known = await self._claimed(handle, sender.client, message)
        once = Once(MESSAGES, message, focus.partition("/")[2], instead_of=known)
        if (taken := await self._focus(handle, sender.client, message)) is not None:
            return taken
        try:
            await self._writing.entered(sender, handle, arrival, "referral-received", once=once)
        except Stale:
            return await self._focus(handle, sender.client, message) or focus
        return focus

    async def _claimed(self, handle: Handle, client: str, message: str) -> str | None:
        async with handle.reader() as reader:
            return await reader.identified(client, MESSAGES, message)

    async def _focus(self, handle: Handle, client: str, message: str) -> str | None:
        """The Task a message became before; None of one that was refused, or never came."""
        known = await self._claimed(handle, client, message)
        if known is None:
            return None
        async with handle.reader() as reader:
            return f"Task/{known}" if await reader.read(known) is not None else None


def _read(body: bytes) -> Any:
    """A body's JSON, however far it is from FHIR; None where it is none."""
    try:
        return decode(body, limit=BODY_LIMIT)
    except GateError:
        return None

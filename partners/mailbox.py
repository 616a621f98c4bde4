"""A mail server that keeps what it gets: real SMTP, with addresses it refuses for good or for now."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import APIRouter

REFUSED, BUSY = "@refused.example", "@busy.example"
"""Ends of addresses: the first are unknown here (550), the second get a 451 the first time."""
LARGEST = 1024 * 1024


class Mailbox:
    """The server and every mail it took, in order."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._been_busy: set[str] = set()
        self.mails: list[EmailMessage] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, data_size_limit=LARGEST, hostname="mail.partners.example"), self._host, self._port
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.endswith(REFUSED):
            return "550 5.1.1 no such address"
        if address.endswith(BUSY) and address not in self._been_busy:
            self._been_busy.add(address)
            return "451 4.3.2 try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        self.mails.append(message_from_bytes(content, policy=policy.default))
        return "250 OK"

    def listing(self) -> list[dict[str, Any]]:
        """What a test may ask of each mail."""
        wanted = ("From", "To", "Subject", "Message-ID", "Content-Language")
        return [{**{k: str(m[k]) for k in wanted}, "text": m.get_content()} for m in self.mails]


def mailbox_routes(mailbox: Mailbox) -> APIRouter:
    """The debug view of the mail server."""
    routes = APIRouter(tags=["Mailbox"])

    @routes.get("/debug/mails")
    async def mails() -> list[dict[str, Any]]:
        return mailbox.listing()

    return routes

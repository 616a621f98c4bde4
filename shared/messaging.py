"""How the practice writes to people: its mail server and its gateway for texts, as the site file names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAIL, TEXT = "mail", "text"
"""Codes of our `notice-medium`: the media there may be."""
_SERVER = re.compile(r"smtps?://([^@/]+@)?[^@/:]+(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Messaging:
    """How patients are written to: the mail server's address with the sender's, and the partner that sends texts.

    server  smtp://user:password@host:port (STARTTLS where the server offers it) or smtps://...; None: no mail.
    """

    sender: str
    server: str | None = None
    gateway: str | None = None

    @property
    def media(self) -> frozenset[str]:
        """The media the practice has."""
        return frozenset(m for m, has in ((MAIL, self.server), (TEXT, self.gateway)) if has)


def messaging(document: Mapping[str, Any], partners: Mapping[str, Any]) -> Messaging:
    """Reads `messaging` of a site file. Raises ValueError."""
    server = document.get("server")
    if server is not None and not _SERVER.fullmatch(str(server)):
        raise ValueError("messaging.server: smtp://host:port or smtps://host:port would be right")
    gateway, sender = document.get("gateway"), str(document["sender"])
    if gateway is not None and gateway not in partners:
        raise ValueError(f"messaging.gateway: one of partners ({', '.join(partners)}) would be right")
    if sender.count("@") != 1:
        raise ValueError("messaging.sender: a mail address would be right")
    return Messaging(sender, server, gateway)

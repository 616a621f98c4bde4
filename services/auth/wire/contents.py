"""Says which documents can be sent by themselves: their bytes are inside, or one of our own services holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

OURS = re.compile(r"Binary/([a-z]{2}-[A-Za-z0-9.-]{1,61})(/_history/.*)?")
"""The address of bytes that one of our own services holds."""

LARGEST = 10 * 1024 * 1024
"""Bytes of a document that is sent by itself: a project default; larger ones a person sends another way."""


def is_held(document: Mapping[str, Any]) -> bool:
    """Whether the bytes of a document are inside it, or with one of our own services and small enough to be sent."""
    attachments = [c.get("attachment") or {} for c in document.get("content", ())]
    return any("data" in a or held_elsewhere(a) for a in attachments)


def held_elsewhere(attachment: Mapping[str, Any]) -> bool:
    """Whether the bytes lie with one of our own services, and are no more than we send."""
    return OURS.fullmatch(str(attachment.get("url", ""))) is not None and attachment.get("size", 0) <= LARGEST

"""Resources as text and back: what is stored is decoded once a version, and given out as one object nobody changes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from shared.core import Resource
from shared.fhir.json import decode_own, encode

KEPT = 2048
"""Decoded resources that are kept: those of some hundred patients under way, about 20 MiB."""
LONGEST = 8192
"""Characters of a text that is kept decoded; longer ones (documents) are decoded whenever they are asked for."""


def parsed(text: str | bytes) -> dict[str, Any]:
    """Decodes text this store wrote itself; the same text may be the same object, which is never changed."""
    return _kept(text) if len(text) <= LONGEST else decode_own(text)


def given(text: str, resource: Resource) -> Resource:
    """What `parsed` gives of a text just written of this resource: itself where it is too long to be kept."""
    return _kept(text) if len(text) <= LONGEST else resource


_kept = lru_cache(KEPT)(decode_own)


def text_of(resource: Resource) -> str:
    """A resource as stored."""
    return encode(resource).decode()

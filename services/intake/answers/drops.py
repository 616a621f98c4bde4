"""Puts a letter into a folder another system takes it from: whole or not at all, under a name that says nothing."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from services.intake.answers.telling import OpenAnswer, ordinal
from shared.core import TryLater
from shared.settings import Partner


def name_of(answer: OpenAnswer) -> str:
    """The file's name: our id of the answer and which change it tells of; nothing of the patient."""
    return f"{answer.communication['id']}-{ordinal(answer.communication)}.pdf"


async def dropped(partner: Partner, name: str, content: bytes) -> None:
    """Writes the file. Raises TryLater where the folder is not there, as when it is not mounted, or is full."""
    if partner.folder is None:
        raise TryLater("the site's configuration names no folder")
    try:
        await asyncio.to_thread(_written, partner.folder, name, content)
    except OSError as error:
        raise TryLater(type(error).__name__) from None


def _written(folder: Path, name: str, content: bytes) -> None:
    """A reader of the folder sees the file only when all of it is on the disk; the same again is the same file."""
    part = folder / f".{name}.part"
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / name)
    listed = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(listed)
    finally:
        os.close(listed)

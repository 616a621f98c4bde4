"""The words of the practice in the languages it has them in: notices, kinds of therapy, and what a reply means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared.yaml_files import read_yaml

OWN = "en"
"""The language of the practice: what is said where the patient's own is not at hand."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its BCP-47 tag, the notices (`subject`, `text`), and the plain words of replies."""

    tag: str
    notices: Mapping[str, Mapping[str, str]]
    visits: Mapping[str, str]
    therapies: Mapping[str, Mapping[str, str]]
    replies: Mapping[str, frozenset[str]]

    def therapy(self, key: str) -> Mapping[str, str]:
        """`name` and `about` of a kind of therapy, the general ones where it has none of its own."""
        return self.therapies.get(key) or self.therapies[""]

    def meaning(self, text: str) -> str | None:
        """`yes`, `no` or `stop`; None where a person must read it."""
        plain = " ".join(text.lower().split()).strip(".,;:!¡¿? ")
        return next((meaning for meaning, words in self.replies.items() if plain in words), None)


@cache
def languages() -> Mapping[str, Language]:
    """Every language there are words in, by its tag."""
    paths = sorted((Path(__file__).parent / "words").glob("*.yaml"))
    return {path.stem: _language(path.stem, read_yaml(path.read_text(encoding="utf-8"))) for path in paths}


def _language(tag: str, read: Mapping[str, Any]) -> Language:
    return Language(
        tag,
        notices={code: said for code, said in read.items() if isinstance(said, Mapping) and "subject" in said},
        visits={place: read[f"visit-{place}"] for place in ("at-site", "at-home")},
        therapies=read["therapies"],
        replies={meaning: frozenset(words) for meaning, words in read["replies"].items()},
    )


def spoken(person: Mapping[str, Any]) -> str | None:
    """The primary tag of the language a Patient or RelatedPerson prefers, else the first he names; None unsaid."""
    named = sorted(person.get("communication", ()), key=lambda c: not c.get("preferred", False))
    codings = (coding for c in named for coding in c.get("language", {}).get("coding", ()))
    return next((str(c["code"]).partition("-")[0].lower() for c in codings if c.get("code")), None)

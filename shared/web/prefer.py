"""What a client prefers (RFC 7240, R4 http): how much of what was written it gets back, and how strict a search is."""

from __future__ import annotations

from dataclasses import dataclass

from shared.core import Resource
from shared.fhir.outcomes import outcome

_RETURNED = ("minimal", "representation", "OperationOutcome")


@dataclass(frozen=True, slots=True)
class Preference:
    """`returned` is None where the client says nothing of it."""

    returned: str | None = None
    strict: bool = False

    def of(self, written: Resource) -> Resource | None:
        """What is answered for a resource just written; None where nothing is."""
        if self.returned == "minimal":
            return None
        return outcome([]) if self.returned == "OperationOutcome" else written


ANYHOW = Preference()
"""Of whom nothing is preferred."""


def preference(header: str) -> Preference:
    """The preferences of a Prefer header; what is none of ours is left aside, as the RFC has it."""
    said = dict(_said(part) for part in header.replace(";", ",").split(",") if "=" in part)
    returned = said.get("return")
    return Preference(returned if returned in _RETURNED else None, said.get("handling") == "strict")


def _said(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip().lower(), value.strip().strip('"')

"""What goes wrong by chance: how often engines refuse, answer late, or answer for nothing."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from shared.ports import Conflict, Unavailable

SLOW = 0.4
"""Most seconds a slow statement takes."""


@dataclass(slots=True)
class Weather:
    """Each a chance between 0 and 1; `calm` is for the time in which what was disturbed must recover."""

    chance: Random
    connection: float = 0.0
    refused: float = 0.0
    slow: float = 0.0
    answer_lost: float = 0.0
    unconfirmed: float = 0.0
    not_taken: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    network: float = 0.0
    wrong: float = 0.0
    calm: bool = False

    def happens(self, often: float) -> bool:
        """Whether something of this frequency happens now."""
        return not self.calm and often > 0 and self.chance.random() < often

    def breaks(self) -> bool:
        """Whether a connection to the database breaks at this statement."""
        return self.happens(self.connection)

    def delay(self) -> float:
        """Seconds a statement takes."""
        return self.chance.random() * SLOW if self.happens(self.slow) else 0.0

    def before_commit(self) -> None:
        """Raises what an engine raises that does not commit."""
        if self.happens(self.refused):
            raise Conflict("serialization") if self.chance.random() < 0.5 else Unavailable("the server is going down")

    def after_commit(self) -> None:
        """Raises what a client sees that has lost the answer to its commit."""
        if self.happens(self.answer_lost):
            raise Unavailable("no answer to a commit")

"""What a service decides visits by: the practice's configuration and the figures in force on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from shared.policy import Figures
from shared.settings import Adoption, Site


@dataclass(frozen=True, slots=True)
class Practice:
    """The site's configuration with the figures of one service, whose name they go by."""

    name: str
    site: Site
    figures: Figures

    def number(self, figure: str, on: date) -> int:
        """A whole number in force on a day. Raises PolicyError when none is in force and adopted."""
        return int(self.figures.value(figure, on))

    def adopted(self) -> tuple[Adoption, ...]:
        """The drafts of the service this practice has adopted."""
        return tuple(a for a in self.site.adopted if a.policy.startswith(f"{self.name}/"))

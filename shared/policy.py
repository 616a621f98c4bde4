"""Dated, sourced figures: which value is in force on a day, and whether this practice may decide by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from shared.yaml_files import read_yaml

_KEYS = {
    "id", "value", "unit", "applies_to", "source", "verified", "configurable_by", "effective_from", "effective_to",
}  # fmt: skip
_VERIFIED = {"V", "V2", "K", "PD"}


class PolicyError(Exception):
    """A policy file is wrong (build time) or no figure is in force (decision time): what and where."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its value with unit, what it applies to, its source, and the days it is in force.

    `verified` is V (read in the named source), V2 (secondary page), K (general knowledge), PD (our own default);
    everything but V is a draft: it decides only where the site's configuration adopts its `policy`
    (`<folder owner>/<file name>`).
    """

    policy: str
    id: str
    value: Any
    unit: str
    applies_to: Mapping[str, Any]
    source: str
    verified: str
    configurable_by: str
    effective_from: date
    effective_to: date | None

    @property
    def draft(self) -> bool:
        """Whether the figure is unverified."""
        return self.verified != "V"

    def in_force(self, on: date) -> bool:
        """Whether `on` lies in [effective_from, effective_to]."""
        return self.effective_from <= on and (self.effective_to is None or on <= self.effective_to)


@dataclass(frozen=True, slots=True)
class Figures:
    """Every figure of one service, and the policies its practice has adopted as drafts."""

    figures: tuple[Figure, ...]
    adopted: frozenset[str] = frozenset()
    _by_id: Mapping[str, tuple[Figure, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, tuple[Figure, ...]] = {}
        for figure in self.figures:
            found[figure.id] = (*found.get(figure.id, ()), figure)
        object.__setattr__(self, "_by_id", found)

    def all(self, figure_id: str, on: date) -> tuple[Figure, ...]:
        """Every figure of this id in force on a day that this practice may decide by."""
        return tuple(
            f for f in self._by_id.get(figure_id, ()) if f.in_force(on) and (not f.draft or f.policy in self.adopted)
        )

    def figure(self, figure_id: str, on: date) -> Figure:
        """The one figure in force on a day. Raises PolicyError when there is none, or more than one."""
        found = self.all(figure_id, on)
        if len(found) != 1:
            raise PolicyError(f"{figure_id} on {on}: {len(found)} figures in force and adopted; one would be right")
        return found[0]

    def value(self, figure_id: str, on: date) -> Any:
        """The value of `figure`."""
        return self.figure(figure_id, on).value


def load_figures(owner: str, folder: Path, adopted: Iterable[str] = ()) -> Figures:
    """Reads every `*.yaml` of a policies folder (a list of figures a file). PolicyError names file and figure."""
    files = {f"{owner}/{path.stem}": path for path in sorted(folder.glob("*.yaml"))}
    figures = [_figure(name, row) for name, path in files.items() for row in read_yaml(path.read_text("utf-8")) or ()]
    chosen = frozenset(adopted)
    if unknown := sorted(a for a in chosen if a.startswith(f"{owner}/") and a not in files):
        raise PolicyError(f"adopted_drafts: {', '.join(unknown)}: one of {', '.join(files)} would be right")
    return Figures(tuple(figures), chosen)


def _figure(policy: str, row: Mapping[str, Any]) -> Figure:
    where = f"{policy}: {row.get('id', '?')}"
    if unknown := set(row) - _KEYS:
        raise PolicyError(f"{where}: unknown keys {sorted(unknown)}")
    source = row.get("source") or {}
    if not isinstance(source, Mapping) or not source.get("title") or not source.get("year"):
        raise PolicyError(f"{where}: source with title and year is required")
    if row.get("verified") not in _VERIFIED:
        raise PolicyError(f"{where}: verified must be one of {sorted(_VERIFIED)}")
    if "value" not in row or not row.get("unit"):
        raise PolicyError(f"{where}: value and unit are required")
    begins, ends = row.get("effective_from"), row.get("effective_to")
    if not isinstance(begins, date) or not (ends is None or isinstance(ends, date)):
        raise PolicyError(f"{where}: effective_from (and effective_to) must be dates")
    return Figure(
        policy=policy,
        id=row["id"],
        value=row["value"],
        unit=row["unit"],
        applies_to=row.get("applies_to") or {},
        source=f"{source['title']} ({source['year']})" + (f", {source['url']}" if source.get("url") else ""),
        verified=row["verified"],
        configurable_by=row.get("configurable_by", "none"),
        effective_from=begins,
        effective_to=ends,
    )

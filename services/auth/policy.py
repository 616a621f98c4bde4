"""Which of the dated figures decide a case: criteria, appeal deadline, days before a person inquires."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.catalogue import Drug
from shared.core import Resource
from shared.policy import Figure, Figures
from shared.settings import Payer, Site


@dataclass(frozen=True, slots=True)
class AuthPolicy:
    """The figures of `policies/*.yaml` and the practice's own configuration."""

    figures: Figures
    site: Site

    def criteria(self, payer: Payer, drug: Drug, diagnoses: Iterable[str], on: date) -> Figure | None:
        """The payer's criteria for this drug on the date of submission: of the diagnosis group, else general."""
        codes = tuple(diagnoses)
        found = [f for f in self.figures.all("criteria", on) if _applies(f, payer, drug, codes)]
        return max(found, key=lambda f: "icd10" in f.applies_to, default=None)

    def appeal_days(self, payer: Payer, notice: date) -> int | None:
        """Days from the denial's date to the first level of appeal; None where no figure is in force."""
        line = payer.line_of_business
        found = (f.value for f in self.figures.all("appeal_days", notice) if f.applies_to["line_of_business"] == line)
        return next(found, None)

    def inquire_after_days(self, on: date) -> int:
        """Days a pended answer may wait before a person is asked to inquire; at once where no figure is in force."""
        return max((f.value for f in self.figures.all("inquire_after_days", on)), default=0)

    def payer_of(self, coverage: Resource, organizations: Iterable[Resource]) -> Payer | None:
        """The configured payer this Coverage names, by its payor's identifier or its payor Organization's."""
        identifiers = [p.get("identifier") or {} for p in coverage.get("payor", ())]
        identifiers += [i for o in organizations for i in o.get("identifier", ())]
        named = {(i.get("system"), i.get("value")) for i in identifiers}
        return next((p for p in self.site.payers if named & set(p.identifiers)), None)

    def payer(self, payer_id: str) -> Payer | None:
        """The configured payer of this id."""
        return next((p for p in self.site.payers if p.id == payer_id), None)

    def note_on(self, figure: Figure) -> str:
        """What stands beside a decision made by this figure."""
        adoption = next((a for a in self.site.adopted if a.policy == figure.policy), None)
        if not figure.draft or adoption is None:
            return f"Criteria {figure.policy}: {figure.source}"
        return f"Criteria {figure.policy}, a draft adopted by {adoption.by} on {adoption.on}: {figure.source}"


def _applies(figure: Figure, payer: Payer, drug: Drug, diagnoses: tuple[str, ...]) -> bool:
    scope: Mapping[str, Any] = figure.applies_to
    group = scope.get("icd10")
    return (
        scope["payer"] == payer.id
        and drug.key in scope["drugs"]
        and (group is None or any(d.startswith(tuple(group)) for d in diagnoses))
    )

"""Which of the dated figures decide a case: criteria, benefits, and the clocks of payers and appeals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.auth.benefit.particulars import NOTHING_SAID, Particulars
from services.auth.decision.clock_figures import ClockFigures
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

    def home_benefit(
        self,
        payer: Payer,
        drug: Drug,
        hcpcs: str | None,
        diagnoses: tuple[str, ...],
        on: date,
        said: Particulars = NOTHING_SAID,
    ) -> Figure | None:
        """The row of the decision table that says who pays this drug at home; rows are tried from the top."""
        rows = (f for f in self.figures.all("home_benefit", on) if _fits(f, said))
        return next((f for f in rows if _pays_at_home(f, payer, drug, hcpcs, diagnoses)), None)

    def payer_rule(self, figure_id: str, payer: Payer, drug: Drug, on: date) -> Figure | None:
        """What a payer's policy says of this drug, one that names the drug before one for all drugs."""
        named = [f for f in self.figures.all(figure_id, on) if f.applies_to["payer"] == payer.id]
        found = [f for f in named if drug.key in f.applies_to.get("drugs", (drug.key,))]
        return max(found, key=lambda f: "drugs" in f.applies_to, default=None)

    def pays(self, payer: Payer | None, benefit: str, on: date) -> bool:
        """Whether a payer's line of business has a benefit."""
        part_d = {line for f in self.figures.all("part_d_payers", on) for line in f.value}
        line = payer.line_of_business if payer else ""
        return benefit != "none" and (benefit != "part-d" or line in part_d)

    def visit_codes(self, on: date) -> Mapping[str, Any]:
        """The codes a nurse's visit at home is claimed by; none where no figure is in force."""
        return next((f.value for f in self.figures.all("visit_codes", on)), {})

    def local_date(self, at: datetime) -> date:
        """The practice's own date of an instant."""
        return at.astimezone(self.zone).date()

    @property
    def zone(self) -> ZoneInfo:
        """The practice's own clock."""
        return self.site.sites[0].time_zone

    @property
    def clocks(self) -> ClockFigures:
        """The figures of payers' clocks and of appeals."""
        return ClockFigures(self.figures)

    def verification(self, figure_id: str, on: date) -> int | None:
        """One figure of how often a benefit is verified; None where none is in force and adopted."""
        return next((int(f.value) for f in self.figures.all(figure_id, on)), None)

    def renewal(self, figure_id: str, payer: Payer | None, on: date) -> int | None:
        """One figure of how renewals are worked; None where none is in force and adopted."""
        return self.clocks.renewal(figure_id, payer, on)

    def iron_deficit(self, on: date) -> Figure | None:
        """Target hemoglobin, factor and stores by which an iron deficit is computed; None where none is in force."""
        return next(iter(self.figures.all("iron_deficit", on)), None)

    def weight_change_percent(self, on: date) -> int | None:
        """Percent a weight moves before a dose by weight is looked at again; None where no figure is in force."""
        return next((int(f.value) for f in self.figures.all("weight_change_percent", on)), None)

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
        return f"Criteria {self.stands_by(figure)}"

    def stands_by(self, figure: Figure) -> str:
        """The policy of a figure with its source, and who adopted it where it is a draft."""
        adoption = next((a for a in self.site.adopted if a.policy == figure.policy), None)
        if not figure.draft or adoption is None:
            return f"{figure.policy}: {figure.source}"
        return f"{figure.policy}, a draft adopted by {adoption.by} on {adoption.on}: {figure.source}"


def rule_of(figure: Figure, period: str = "initial") -> Mapping[str, Any] | None:
    """What a payer asks for at the first request, or at a renewal, where it says; None where it asks for nothing."""
    value: Mapping[str, Any] = figure.value
    renewal = value.get("renewal", value) if period == "renewal" else value
    found: Mapping[str, Any] | None = renewal.get("rule")
    return found


def days_of(figure: Figure, period: str = "initial") -> int | None:
    """Days one approval runs: of the first, or of a renewal where the payer says; None where it does not."""
    renewal = figure.value.get("renewal") if period == "renewal" else None
    days: int | None = renewal["days"] if renewal else figure.value.get("initial_days")
    return days


def _pays_at_home(figure: Figure, payer: Payer, drug: Drug, hcpcs: str | None, diagnoses: tuple[str, ...]) -> bool:
    scope: Mapping[str, Any] = figure.applies_to
    named = "hcpcs" not in scope or hcpcs in scope["hcpcs"]
    diagnosed = "icd10" not in scope or any(d.startswith(tuple(scope["icd10"])) for d in diagnoses)
    given = "therapies" not in scope or drug.therapy in scope["therapies"]
    return payer.line_of_business in scope["lines_of_business"] and named and diagnosed and given


def _fits(figure: Figure, said: Particulars) -> bool:
    """Whether a row is for such equipment, and for a patient with such a transplant."""
    scope: Mapping[str, Any] = figure.applies_to
    equipped = "equipment" not in scope or not said.equipment.isdisjoint(scope["equipment"])
    return equipped and scope.get("transplanted", said.transplanted) is said.transplanted


def _applies(figure: Figure, payer: Payer, drug: Drug, diagnoses: tuple[str, ...]) -> bool:
    scope: Mapping[str, Any] = figure.applies_to
    group = scope.get("icd10")
    return (
        scope["payer"] == payer.id
        and drug.key in scope["drugs"]
        and (group is None or any(d.startswith(tuple(group)) for d in diagnoses))
    )

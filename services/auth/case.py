"""One filler order seen whole: its patient, coverage, payer, drug, doses, and what was asked and answered so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.auth.benefit.benefits import BOTH, PHARMACY, Benefit, benefits_in, sides_paying
from services.auth.benefit.coordination import Precedence
from services.auth.benefit.coverages import digest
from services.auth.benefit.particulars import particulars_of
from services.auth.criteria.findings import Chart
from services.auth.criteria.regimen import Regimen, fingerprint, regimen_of
from services.auth.facts import Facts
from services.auth.policy import AuthPolicy, days_of
from services.auth.renewal.doses import planned_days, within
from services.auth.words import (
    PREFIX,
    answer_of,
    is_entered,
    order_of,
    period_of,
    site_of_care,
    starts_on,
    target,
)
from shared.catalogue import Drug, billed
from shared.core import Resource, derived_id, reference
from shared.policy import Figure
from shared.settings import Payer

CHARTED = (
    "Observation", "Condition", "MedicationRequest", "MedicationStatement", "AllergyIntolerance", "DocumentReference",
)  # fmt: skip
WRITERS = ("PractitionerRole",)
"""Who may have written what is charted: known to criteria, and no evidence by itself."""

ENDED = {"revoked", "entered-in-error"}
WHICH_BENEFIT = "which-benefit"
ANEW = ("resubmit", "rejected", "update")
"""Answers after which the payer is asked by a new Claim."""

ALONE = Precedence(())
"""One Coverage, or none: nothing is to be put in order."""

UNBOUNDED = 365
"""Days of doses asked for where neither the order nor the payer's criteria say."""


@dataclass(frozen=True, slots=True)
class Case:
    """An order and everything one period of its authorization rests on. `at` is the instant of the event.

    `begins` is the first day of a period after the first, `doses` the numbers of the doses it is asked for.
    """

    order: Resource
    facts: Facts
    policy: AuthPolicy
    at: datetime
    coverage: Resource | None
    payer: Payer | None
    drug: Drug | None
    diagnoses: tuple[str, ...]
    precedence: Precedence = ALONE
    period: int = 1
    begins: date | None = None
    doses: tuple[int, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The practice's own clock."""
        return self.policy.site.sites[0].time_zone

    @property
    def on(self) -> date:
        """The practice's own date of the event."""
        return self.policy.local_date(self.at)

    @property
    def starts(self) -> date:
        """The first date of service of the period."""
        return self.begins or starts_on(self.order) or self.on

    @property
    def phase(self) -> str:
        """By which of the payer's rules a request is judged: `initial` or `renewal`."""
        return "initial" if self.period == 1 else "renewal"

    @property
    def medication(self) -> Resource | None:
        """The order's MedicationRequest."""
        cited = (self.facts.at(target(i)) for i in self.order.get("supportingInfo", ()))
        return next((r for r in cited if r and r["resourceType"] == "MedicationRequest"), None)

    @property
    def chart(self) -> Chart:
        """What the payer's criteria are judged on: everything clinical received, who ordered, and what is ordered."""
        requester = self.facts.at(target(self.order.get("requester")))
        return replace(self._received, requester=requester, medication=self.medication, doses=self.regimen)

    @property
    def _received(self) -> Chart:
        """The chart without the order itself."""
        own = self.medication
        ours = (own["id"] if own else "", *(r["id"] for r in self.facts.of("DocumentReference") if is_ours(r)))
        received = tuple(r for r in self.facts.of(*CHARTED, *WRITERS) if r["id"] not in ours)
        return Chart(self.patient, received, self.on, self.zone)

    @property
    def patient(self) -> Resource | None:
        """Whom the order is for."""
        return self.facts.at(target(self.order["subject"]))

    @property
    def criteria(self) -> Figure | None:
        """The criteria, of who is asked, in force on the date of submission."""
        if self.reviewer is None or self.drug is None:
            return None
        return self.policy.criteria(self.reviewer, self.drug, self.diagnoses, self.on)

    @property
    def home_benefit(self) -> Figure | None:
        """Which benefit pays an infusion at home; None for an order that is not for the home."""
        if site_of_care(self.order) != "home" or self.payer is None or self.drug is None:
            return None
        said = particulars_of(self.order, self.facts, self.coverage)
        return self.policy.home_benefit(self.payer, self.drug, self.hcpcs, self.diagnoses, self.starts, said)

    @property
    def period_days(self) -> int:
        """Days an authorization of this period is asked for."""
        return (days_of(self.criteria, self.phase) if self.criteria else None) or UNBOUNDED

    @property
    def whole_regimen(self) -> Regimen | str:
        """The order's doses, or the gap that keeps them from being counted."""
        return regimen_of(self.medication, self._received, self.period_days, self.drug)

    @property
    def regimen(self) -> Regimen | str:
        """The doses of the period, or the gap that keeps them from being counted."""
        whole = self.whole_regimen
        if isinstance(whole, str):
            return whole
        return whole.only(self.doses or within(self.planned, len(whole.amounts), self.period_days))

    @property
    def planned(self) -> tuple[date, ...]:
        """The day of each dose as ordered; none where the order does not say them."""
        return planned_days(self.order, self.medication, self.zone)

    @property
    def fingerprint(self) -> str:
        """What an authorization of this order is asked for."""
        return fingerprint(self.drug, self.medication, self.diagnoses, site_of_care(self.order))

    @property
    def hcpcs(self) -> str | None:
        """The drug's billing code on the first date of service."""
        code = self.drug.billing_on(self.starts) if self.drug else None
        return code.code if code else None

    @property
    def may_ask(self) -> bool:
        """Whether the order is clinically complete, so that the payer may be asked."""
        return bool(self.order["status"] == "active")

    @property
    def ended(self) -> bool:
        """Whether the order was taken back."""
        return self.order["status"] in ENDED

    # What was asked and answered

    @property
    def task(self) -> Resource | None:
        """The Task that tells of this period as it stands: `preauthorization`, later `renewal`."""
        return self.facts.at("Task/" + self.task_id)

    @property
    def task_id(self) -> str:
        """The id of the Task that tells of this period."""
        code = "preauthorization" if self.period == 1 else "renewal"
        return derived_id(PREFIX, code, self.order["id"], str(self.period))

    @property
    def questions(self) -> tuple[Resource, ...]:
        """Every authorization-question of this order, oldest first."""
        return self.facts.tasks(self.order, "authorization-question")

    @property
    def own_questions(self) -> tuple[Resource, ...]:
        """Those about this period: its request, its answer, its question set; of the first, all of no later one."""
        return tuple(q for q in self.questions if self._period_asked(q) == self.period)

    def _period_asked(self, question: Resource) -> int:
        found = self.facts.at(target(question["focus"])) or {}
        answers = self.facts.at(target(question.get("reasonReference"))) or {}
        about = answers if answers.get("resourceType") == "QuestionnaireResponse" else found
        return period_of(self.facts.at(target(about.get("request"))) or about)

    @property
    def benefit_request_id(self) -> str:
        """The id of the benefit request for order, Coverage and drug; another drug, or `resubmit`, is one more."""
        coverage = self.coverage["id"] if self.coverage else ""
        ordinal = 1
        while True:
            request_id = derived_id(
                PREFIX, "CoverageEligibilityRequest", self.order["id"], coverage, "initial", str(ordinal)
            )
            stored = self.facts.at("CoverageEligibilityRequest/" + request_id)
            if stored is None or (self._same_product(stored) and "resubmit" not in self.answers_about(stored)):
                return request_id
            ordinal += 1

    def _same_product(self, request: Resource) -> bool:
        return billed(request["item"][0]["productOrService"]) == self.hcpcs

    def answers_about(self, resource: Resource) -> set[str]:
        """What persons answered to the questions about one resource."""
        about = (q for q in self.questions if target(q["focus"]) == reference(resource))
        return {answer for q in about if (answer := answer_of(q))}

    @property
    def benefit_requests(self) -> tuple[Resource, ...]:
        """Every benefit request for order, Coverage and drug, oldest first."""
        own, coverage = reference(self.order), reference(self.coverage) if self.coverage else None
        known = (r for r in self.facts.of("CoverageEligibilityRequest") if order_of(r) == own)
        mine = (r for r in known if target(r["insurance"][0]["coverage"]) == coverage and self._same_product(r))
        return tuple(sorted(mine, key=lambda r: datetime.fromisoformat(r["created"])))

    @property
    def latest_request(self) -> Resource | None:
        """The benefit request made last."""
        return next(reversed(self.benefit_requests), None)

    @property
    def asked_ids(self) -> frozenset[str]:
        """Ids of every benefit request made."""
        return frozenset(r["id"] for r in self.benefit_requests)

    def answer_to(self, request: Resource) -> Resource | None:
        """The payer's answer to one benefit request."""
        response_id = derived_id(PREFIX, "CoverageEligibilityResponse", request["id"])
        return self.facts.at("CoverageEligibilityResponse/" + response_id)

    @property
    def benefit(self) -> Resource | None:
        """The payer's answer to the latest benefit request it answered: it counts until a later one comes."""
        answers = (self.answer_to(r) for r in reversed(self.benefit_requests))
        return next((a for a in answers if a is not None), None)

    @property
    def benefits(self) -> tuple[Benefit, ...]:
        """What the payer said last of this drug; an answer that is silent about it takes back none that was not."""
        answers = (self.answer_to(r) for r in reversed(self.benefit_requests))
        told = (benefits_in(a, self.hcpcs) for a in answers if a is not None)
        return next((b for b in told if b), ())

    @property
    def manager(self) -> Payer | None:
        """Who decides the pharmacy benefit, where that one is gone by: it alone pays, or a person chose it."""
        known = self.policy.payer(self.payer.pharmacy_benefit) if self.payer and self.payer.pharmacy_benefit else None
        if known is None:
            return None
        sides = sides_paying(self.benefits)
        chosen = sides >= BOTH and self.chosen_benefit == PHARMACY
        return known if sides == {PHARMACY} or chosen else None

    @property
    def chosen_benefit(self) -> str | None:
        """The benefit a person chose where both could pay: `medical`, `pharmacy`, or None while nobody did."""
        about = reference(self.coverage or self.order)
        asked = derived_id(PREFIX, "authorization-question", self.order["id"], WHICH_BENEFIT, about)
        return answer_of(self.facts.at("Task/" + asked) or {"status": "requested"})

    @property
    def reviewer(self) -> Payer | None:
        """Who is asked to authorize: the payer, or who decides its pharmacy benefit."""
        return self.manager or self.payer

    @property
    def coverage_digest(self) -> str:
        """What the benefit rests on in the Coverage, as one comparable line."""
        return digest(self.coverage) if self.coverage else ""

    @property
    def claim_id(self) -> str:
        """The id of the Claim for order, Coverage, reviewer, period and attempt; each `resubmit` is one more."""
        attempt = 1 + sum(answer_of(q) in ANEW for q in self.own_questions if not _of_benefit(q))
        while not self.ended and self.facts.status("Claim/" + self._claim_id(attempt)) == "cancelled":
            attempt += 1
        return self._claim_id(attempt)

    def _claim_id(self, attempt: int) -> str:
        coverage = self.coverage["id"] if self.coverage else ""
        payer = self.reviewer.id if self.reviewer else ""
        return derived_id(PREFIX, "Claim", self.order["id"], coverage, payer, str(self.period), str(attempt))

    @property
    def claim(self) -> Resource | None:
        """The Claim that stands, if one was made."""
        return self.facts.at("Claim/" + self.claim_id)

    def answers_to(self, claim: Resource) -> tuple[Resource, ...]:
        """The payer's own answers to one Claim, oldest first; what a person entered of it stands beside them."""
        wanted = "Claim/" + claim["id"]
        found = (r for r in self.facts.of("ClaimResponse") if target(r.get("request")) == wanted)
        return tuple(r for r in found if not is_entered(r))


def _of_benefit(question: Resource) -> bool:
    return (target(question["focus"]) or "").startswith("CoverageEligibilityRequest/")


def is_ours(document: Resource) -> bool:
    """A paper we wrote ourselves is evidence of nothing."""
    return str(document["id"]).startswith(PREFIX + "-")

"""Says what scheduling asks a person, and in which words."""

from __future__ import annotations

from collections.abc import Mapping

from services.scheduling.appointments import OWNER
from shared.visits.questions import Questions

SENTENCES: Mapping[str, str] = {
    "no-capacity-in-window": "No chair and nurse are free in the whole window of this dose. When shall it be given?",
    "hold-unanswered": "Every hold of a time went unanswered. Is the authorization reachable?",
    "hold-refused": "The authorization refused a dose for this visit. Shall it be extended, or the visit given up?",
    "drug-ordered-twice": "Another order of this patient asks for the same drug. Which of the two shall be given?",
    "drug-not-on-hand": "The visit is due to be prepared and the drug is not on hand. Shall the visit be kept?",
    "pharmacy-refused": "The pharmacy did not take the order for this visit. How will the drug be there?",
    "rems-check": "The drug is given under a safety program. Does the program clear it for this patient?",
    "requirement-lost": "A requirement of a booked visit is no longer met. Shall the visit be kept?",
    "doses-not-stated": "The order does not say how many doses it asks for, or when.",
    "doses-not-readable": "The order says its doses in a way scheduling cannot read.",
    "start-not-stated": "The order does not say when the first dose is due.",
    "medication-request-missing": "The order came without its MedicationRequest.",
    "drug-not-in-catalogue": "The drug of the order is not one the practice infuses.",
}

QUESTIONS = Questions("sc", "scheduling-question", OWNER, SENTENCES)

"""Says what nursing asks a person, and in which words."""

from __future__ import annotations

from collections.abc import Mapping

from services.nursing.appointments import OWNER
from services.nursing.start import MISSED
from shared.visits.questions import Questions

SENTENCES: Mapping[str, str] = {
    MISSED: "The first visit cannot be made in time. Which day does the practitioner approve for the start of care?",
    "no-nurse-and-no-agency": "No nurse of ours and no agency can make this visit in its days. Who shall, and when?",
    "hold-unanswered": "Every hold of a time went unanswered. Is the authorization reachable?",
    "hold-refused": "The authorization refused this visit. Shall it be extended, or the visit given up?",
    "drug-ordered-twice": "Another order of this patient asks for the same drug. Which of the two shall be given?",
    "not-delivered": "The visit is near, and drug or supplies are not at the home. When will they be?",
    "pharmacy-refused": "The pharmacy did not take the order for this visit. How will the drug be there?",
    "requirement-lost": "A requirement of a booked visit is no longer met. Shall the visit be kept?",
    "doses-not-stated": "The order does not say how many doses it asks for, or when.",
    "doses-not-readable": "The order says its doses in a way nursing cannot read.",
    "start-not-stated": "The order does not say when care begins.",
    "end-not-stated": "The order does not say until when the drug is given.",
    "medication-request-missing": "The order came without its MedicationRequest.",
    "drug-not-in-catalogue": "The drug of the order is not one the practice infuses.",
    "therapy-not-at-home": "The practice does not give this therapy at home. Where shall it be given?",
}

QUESTIONS = Questions("nu", "nursing-question", OWNER, SENTENCES)

"""Help with what a patient pays himself: programmes, who may have them, his consent, enrolment and balance."""

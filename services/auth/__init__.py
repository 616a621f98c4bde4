"""Prior authorization: may this drug be given at this payer's cost, from when, and for how many units.

Owns CoverageEligibilityRequest, CoverageEligibilityResponse, Claim `preauthorization`, ClaimResponse, ChargeItem (the
ledger of reserved, administered and released units) and the Tasks `preauthorization`, `appeal` and
`authorization-question`. Listens to the filler order and everything received with it (Patient, Coverage, Condition,
Observation, MedicationRequest, MedicationStatement, AllergyIntolerance, DocumentReference, the parties), and to the
Appointments that hold and book its doses. Decides whether an authorization is needed, whether the payer's criteria are
met and what is missing, what is asked of the payer and what its answer means, and for every held time whether units are
reserved for it.
"""

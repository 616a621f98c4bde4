"""Prior authorization: may this drug be given at this payer's cost, from when, and for how many units.

Owns CoverageEligibilityRequest, CoverageEligibilityResponse, Claim `preauthorization`, ClaimResponse,
QuestionnaireResponse (answers to a question set), ChargeItem (the ledger of reserved, administered and released
units), its papers (DocumentReference and Binary `letter`), the Provenance of what a payer said by telephone, its
Subscription at each payer that takes one, the Appointment `peer-to-peer` (a talk about a denial), and the Tasks
`preauthorization`, `renewal`, `appeal`, `hub-enrolment` and `authorization-question`.
Listens to the filler order and everything received with it
(Patient, Coverage, Condition, Observation, MedicationRequest, MedicationStatement, AllergyIntolerance,
DocumentReference, Consent, the parties, a ClaimResponse somebody holds already), and to the Appointments that hold and
book its doses and the visits of a nurse at home.
Decides whether an authorization is needed, whether the payer's criteria are met and what is missing, what is asked of
the payer and until when it answers, what its answer means and what an appeal makes of it, for every held time whether
units are reserved for it, and what help with his own share a patient may have, under his signed consent.
"""

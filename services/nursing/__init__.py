"""Nursing: brings a nurse to a patient's home after the drug, for every visit the therapy asks for.

Owns Appointment `home-visit`, Task `home-nursing`, Task `agency-visit` and Task `nursing-question`.
Listens to ServiceRequest (received, and filler order), MedicationRequest, MedicationStatement, Observation, Coverage,
CoverageEligibilityResponse, Task (`preauthorization`, `intake-question`), Patient, RelatedPerson, Consent, Encounter,
Device, DeviceUseStatement, MedicationDispense and SupplyDelivery.
Decides which visits an order asks for and on which days, which requirements of a visit are met, which nurse or agency
goes at which time, what is moved when a delivery, a requirement or the order changes, and when a person must be asked.
It decides nothing clinical: doses, intervals and durations come from the order and the catalogue.
"""

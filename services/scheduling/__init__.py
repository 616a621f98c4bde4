"""Scheduling: finds the infusion chair, the nurse and the time for every dose of an order.

Owns Appointment `chair`, CarePlan (the series of an order), Task `chair` and Task `scheduling-question`.
Listens to ServiceRequest (filler order), MedicationRequest, Observation, Coverage, CoverageEligibilityResponse,
Task (`preauthorization`, `intake-question`), Patient, Consent and MedicationDispense.
Decides which doses an order asks for and when each may be given, which requirements of a visit are met, which time is
held, booked or given back, and when a person must be asked. It decides nothing clinical: doses, intervals and
durations come from the order and the catalogue.
"""

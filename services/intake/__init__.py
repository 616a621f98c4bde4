"""Intake takes everything from outside and says whether a referral can go on.

Owns Patient, RelatedPerson, Coverage, Condition, Observation, AllergyIntolerance, MedicationStatement, Practitioner,
PractitionerRole, Organization, DocumentReference, Binary, Consent, Encounter, Device, DeviceUseStatement, Immunization,
Location and Medication as received, the received ServiceRequest and MedicationRequest, MedicationDispense as received
from the pharmacy, the filler-order ServiceRequest, Task `referral` and Task `intake-question`.
Listens to Task (preauthorization, appeal, questions of the other services) and Appointment.
Decides which referral case a push belongs to, what every therapy still needs, when the order becomes active or ends,
which question a person must answer, and what the placer is told: all gaps in one answer.
"""

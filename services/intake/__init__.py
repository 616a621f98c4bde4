"""Intake takes everything from outside and says whether a referral can go on.

Owns Patient, RelatedPerson, Coverage, Condition, Observation, AllergyIntolerance, MedicationStatement, Practitioner,
PractitionerRole, Organization, DocumentReference, Binary, Consent, Encounter, Device, DeviceUseStatement,
Immunization, Location, Medication and ClaimResponse (authorizations held already) as received, the received
ServiceRequest and MedicationRequest, MedicationDispense and SupplyDelivery as received from the pharmacy, the
filler-order ServiceRequest, Communication (answers to placers, notices given to patients and their replies),
CommunicationRequest (notices to patients), Subscription (of placers we notify), Task `referral`, Task `pull` (what is
read of a placer's own system) and Task `intake-question`.
Listens to Task (preauthorization, renewal, appeal, questions of the other services) and Appointment.
Decides which referral case a push belongs to, what every therapy still needs, when the order becomes active or ends,
which question a person must answer, and what the placer is told, by which way: all gaps in one answer.
"""

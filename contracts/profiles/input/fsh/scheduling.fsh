// Visits: what chair and home visits have in common, and how each stands.

RuleSet: ParticipantNamed(slice, kind, card)
* participant contains {slice} {card}
* participant[{slice}].actor 1..1
* participant[{slice}].actor.identifier 1..1
* participant[{slice}].actor.identifier.system 1..1
* participant[{slice}].actor.identifier.system = "https://carepod.example/id/{kind}"
* participant[{slice}].actor.identifier.value 1..1

Invariant: cp-visit-patient
Description: "The patient takes part in the visit, by reference."
Severity: #error
Expression: "participant.where(actor.reference.startsWith('Patient/')).exists()"

Invariant: cp-visit-timed
Description: "A visit that has its time (pending, booked, or kept) says how many minutes it takes and under which number it was held."
Severity: #error
Expression: "(status = 'proposed' or status = 'cancelled') or (minutesDuration.exists() and extension.where(url = 'https://carepod.example/fhir/StructureDefinition/hold').exists())"

Invariant: cp-visit-expires
Description: "A held time says until when it is held."
Severity: #error
Expression: "status = 'pending' implies extension.where(url = 'https://carepod.example/fhir/StructureDefinition/hold').extension.where(url = 'expires').exists()"

Invariant: cp-visit-cancelled
Description: "A cancelled visit says why."
Severity: #error
Expression: "status = 'cancelled' implies cancelationReason.exists()"

Invariant: cp-visit-seated
Description: "A chair visit that has its time has its chair and its nurse."
Severity: #error
Expression: "(status = 'proposed' or status = 'cancelled') or (participant.actor.identifier.where(system = 'https://carepod.example/id/chair').exists() and participant.actor.identifier.where(system = 'https://carepod.example/id/nurse').exists())"

Profile: Visit
Parent: Appointment
Id: visit
Title: "Visit"
Description: "What a chair visit and a home visit have in common: one dose of one order, its hold, and what it requires."
* ^abstract = true
* id 1..1
* extension contains Dose named dose 1..1 and Hold named hold 0..1 and VisitReadiness named readiness 0..*
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://carepod.example/id/appointment"
* identifier.value 1..1
* status from VisitStatuses (required)
* serviceCategory 1..1
* basedOn 1..1
* basedOn only Reference(ServiceRequest)
* basedOn.reference 1..1
* requestedPeriod 1..1
* requestedPeriod.start 1..1
* requestedPeriod.end 1..1
* participant ^slicing.discriminator.type = #value
* participant ^slicing.discriminator.path = "actor.identifier.system"
* participant ^slicing.rules = #open
* participant.actor 1..1
* obeys cp-visit-patient and cp-visit-timed and cp-visit-expires and cp-visit-cancelled

Profile: ChairAppointment
Parent: Visit
Id: chair-appointment
Title: "Chair visit"
Description: "One dose in an infusion chair of the practice: proposed for some days, held, booked, kept or not."
* ^version = "2.0"
* serviceCategory = AppointmentKind#chair
* serviceType 1..1
* serviceType.coding 1..1
* serviceType.coding.system 1..1
* serviceType.coding.system = $drug
* serviceType.coding.code 1..1
* supportingInformation 1..1
* supportingInformation only Reference(MedicationRequest)
* supportingInformation.reference 1..1
* insert ParticipantNamed(site, site, 1..1)
* insert ParticipantNamed(chair, chair, 0..1)
* insert ParticipantNamed(nurse, nurse, 0..1)
* participant[nurse].extension contains NurseSeats named seats 1..1
* obeys cp-visit-seated

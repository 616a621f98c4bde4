// The talk of a prescriber with a physician of the payer about a denial.

Invariant: cp-talk-patient
Description: "The patient the talk is about is named, by reference, and is not expected."
Severity: #error
Expression: "participant.where(actor.reference.startsWith('Patient/')).exists() and participant.where(actor.reference.startsWith('Patient/')).all(required = 'information-only')"

Invariant: cp-talk-cancelled
Description: "A talk that will not be held says why."
Severity: #error
Expression: "status = 'cancelled' implies cancelationReason.text.exists()"

ValueSet: TalkStatuses
Id: talk-status
Title: "Status of a talk"
Description: "To be agreed on, agreed on, held, or called off."
* $appointment-status#proposed
* $appointment-status#booked
* $appointment-status#fulfilled
* $appointment-status#cancelled

Profile: PeerToPeerAppointment
Parent: Appointment
Id: peer-to-peer-appointment
Title: "Talk from peer to peer"
Description: "The talk of the prescriber with a physician of the payer about one denial at one level, until the last day of its appeal. It takes up no chair and no nurse; its time is entered on the Task `authorization-question` that asks for it."
* id 1..1
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://carepod.example/id/appointment"
* identifier.value 1..1
* status from TalkStatuses (required)
* serviceCategory 1..1
* serviceCategory = AppointmentKind#peer-to-peer
* supportingInformation 1..1
* supportingInformation only Reference(ClaimResponse)
* supportingInformation ^short = "The denial"
* supportingInformation.reference 1..1
* basedOn 1..1
* basedOn only Reference(ServiceRequest)
* basedOn.reference 1..1
* participant ^slicing.discriminator.type = #value
* participant ^slicing.discriminator.path = "actor.identifier.system"
* participant ^slicing.rules = #open
* participant.actor 1..1
* insert ParticipantNamed(payer, payer, 1..1)
* requestedPeriod 1..1
* requestedPeriod.end 1..1
* requestedPeriod.end ^short = "The last day of the appeal"
* obeys cp-talk-patient and cp-talk-cancelled

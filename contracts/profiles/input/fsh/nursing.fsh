// Home visits, the Tasks of nursing, and what an outside nursing agency is asked and answers.

Extension: VisitTravel
Id: visit-travel
Title: "Road to a visit"
Description: "How the nurse of a home visit comes and goes: minutes on the road before and after, which of her visits of the day it is, and the ZIP code she drives to. R4 has no element for it: a participant of an Appointment has a period, not a road."
* ^context[0].type = #element
* ^context[0].expression = "Appointment.participant"
* extension contains minutes 1..1 and onward 1..1 and turn 1..1 and postalCode 1..1
* extension[minutes] ^short = "Minutes on the road before the visit"
* extension[minutes].value[x] 1..1
* extension[minutes].value[x] only unsignedInt
* extension[onward] ^short = "Minutes on the road after the visit"
* extension[onward].value[x] 1..1
* extension[onward].value[x] only unsignedInt
* extension[turn] ^short = "Which turn of the nurse's day it takes, from 0"
* extension[turn].value[x] 1..1
* extension[turn].value[x] only unsignedInt
* extension[postalCode] ^short = "ZIP code of the home, five digits"
* extension[postalCode].value[x] 1..1
* extension[postalCode].value[x] only string

Extension: VisitReplaces
Id: visit-replaces
Title: "Visit replaced"
Description: "The booked visit that a held one will take the place of once it is booked. R4 has no element for it: Appointment.replaces came with R5."
* ^context[0].type = #element
* ^context[0].expression = "Appointment"
* value[x] 1..1
* value[x] only Reference(Appointment)
* valueReference.reference 1..1

Extension: DeliveredFor
Id: delivered-for
Title: "Delivered for"
Description: "The prescription a delivery of supplies belongs to. R4 has no element for it: SupplyDelivery.basedOn takes a SupplyRequest only."
* ^context[0].type = #element
* ^context[0].expression = "SupplyDelivery"
* value[x] 1..1
* value[x] only Reference(MedicationRequest)
* valueReference.reference 1..1

Invariant: cp-visit-nursed
Description: "A home visit that has its time has its nurse, or the agency that sends one."
Severity: #error
Expression: "(status = 'proposed' or status = 'cancelled') or participant.actor.identifier.where(system = 'https://carepod.example/id/home-nurse').exists() or participant.actor.identifier.where(system = 'https://carepod.example/id/agency').exists()"

Profile: HomeVisitAppointment
Parent: Visit
Id: home-visit-appointment
Title: "Home visit"
Description: "One visit of a nurse to the patient's home: proposed for some days, held, booked, kept or not. What it is for stands in serviceType, the leading kind first."
* ^version = "2.0"
* extension contains VisitReplaces named replaces 0..1
* serviceCategory = AppointmentKind#home-visit
* serviceType 1..*
* serviceType from HomeVisitKinds (required)
* supportingInformation only Reference(MedicationRequest)
* supportingInformation.reference 1..1
* insert ParticipantNamed(region, home-region, 0..1)
* insert ParticipantNamed(nurse, home-nurse, 0..1)
* insert ParticipantNamed(agency, agency, 0..1)
* participant[nurse].extension contains VisitTravel named travel 1..1
* obeys cp-visit-nursed

Profile: HomeNursingTask
Parent: CoordinatorTask
Id: home-nursing-task
Title: "Where the home visits of an order stand"
Description: "Nursing's word on one order: the stage in businessStatus, what it waits for in statusReason."
* ^version = "2.0"
* insert OfOneOrder
* insert OwnedBy(nursing-coordinator)
* code = $task-code#home-nursing
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://carepod.example/id/home-nursing"
* identifier.value 1..1
* status from ChairTaskStatuses (required)
* statusReason from HomeNursingReasons (required)
* statusReason.coding 1..*
* statusReason.text 1..1
* businessStatus 1..1
* businessStatus from HomeNursingStatuses (required)
* businessStatus.coding 1..1
* focus 1..1
* focus only Reference(ServiceRequest)
* focus.reference 1..1

Profile: NursingQuestion
Parent: CoordinatorTask
Id: nursing-question
Title: "Question about a home visit"
Description: "What nursing cannot decide about an order or a home visit, asked of a person."
* insert OfOneOrder
* insert OwnedBy(nursing-coordinator)
* insert OneQuestion
* code = $task-code#nursing-question
* focus only Reference(ServiceRequest or Appointment)
* input.type from NursingQuestions (required)

Invariant: cp-agency-timed
Description: "A visit an agency has taken on, or made, says its time."
Severity: #error
Expression: "(status = 'accepted' or status = 'completed') implies output.where(type.coding.where(system = 'https://carepod.example/fhir/CodeSystem/agency-visit-output' and code = 'visit-time').exists()).exists()"

Invariant: cp-agency-reason
Description: "A visit an agency does not make says why, by a code."
Severity: #error
Expression: "(status = 'rejected' or status = 'cancelled') implies statusReason.coding.exists()"

Profile: AgencyVisitTask
Parent: CoordinatorTask
Id: agency-visit-task
Title: "Visit asked of an agency"
Description: "One home visit asked of one outside agency: which days, how long, for what, by when it must answer; then its answer. What the visit is for hangs below the Task of the order (partOf)."
* insert OfOneOrder
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://carepod.example/id/agency-visit"
* identifier.value 1..1
* partOf 1..1
* partOf only Reference(Task)
* partOf.reference 1..1
* status from AgencyVisitStatuses (required)
* statusReason from AgencyVisitReasons (required)
* code = $task-code#agency-visit
* focus 1..1
* focus only Reference(Appointment)
* focus.reference 1..1
* authoredOn 1..1
* owner.identifier 1..1
* owner.identifier.system 1..1
* owner.identifier.system = "https://carepod.example/id/agency"
* owner.identifier.value 1..1
* restriction 1..1
* restriction.period 1..1
* restriction.period.start 1..1
* restriction.period.end 1..1
* input.type from AgencyVisitInputs (required)
* input ^slicing.discriminator.type = #value
* input ^slicing.discriminator.path = "type"
* input ^slicing.rules = #open
* input contains minutes 1..1 and kind 1..* and competency 0..* and answerBy 1..1
* input[minutes] ^short = "How long the visit takes"
* input[minutes].type = AgencyVisitInput#minutes
* input[minutes].value[x] only positiveInt
* input[kind] ^short = "What the visit is for"
* input[kind].type = AgencyVisitInput#visit-kind
* input[kind].value[x] only CodeableConcept
* input[kind].valueCodeableConcept from HomeVisitKinds (required)
* input[competency] ^short = "What the nurse must be competent in"
* input[competency].type = AgencyVisitInput#competency
* input[competency].value[x] only CodeableConcept
* input[competency].valueCodeableConcept from NurseCompetencies (required)
* input[answerBy] ^short = "Until when the agency must answer; then another one is asked"
* input[answerBy].type = AgencyVisitInput#answer-by
* input[answerBy].value[x] only dateTime
* output.type from AgencyVisitOutputs (required)
* output.value[x] only Period
* output.valuePeriod.start 1..1
* output.valuePeriod.end 1..1
* obeys cp-agency-timed and cp-agency-reason

Profile: ReceivedSupplyDelivery
Parent: SupplyDelivery
Id: supply-delivery
Title: "Delivery of supplies as received"
Description: "A SupplyDelivery somebody sent, under our id and with references in our ids; nothing else of it is changed. basedOn names by identifier what was ordered, for R4 lets it refer to a SupplyRequest only."
* insert OfIntake
* extension contains DeliveredFor named deliveredFor 0..*

// What intake says to the other services of its own: the filler order, the referral Task, and its questions.

Profile: FillerOrder
Parent: ServiceRequest
Id: filler-order
Title: "Filler order"
Description: "Our own order for one therapy of one referral, made from the placer's: what, for whom, from when, where, and what it rests on."
* ^version = "2.0"
* insert OfIntake
* obeys cp-order-complete
* identifier ^slicing.discriminator.type = #value
* identifier ^slicing.discriminator.path = "system"
* identifier ^slicing.rules = #open
* identifier contains order 1..1
* identifier[order] ^short = "The order's own id"
* identifier[order].system 1..1
* identifier[order].system = $order-id
* identifier[order].value 1..1
* basedOn 1..1
* basedOn only Reference(ServiceRequest)
* basedOn.reference 1..1
* status from https://carepod.example/fhir/ValueSet/filler-order-status (required)
* intent = #filler-order
* category 1..1
* category from https://carepod.example/fhir/ValueSet/therapy (required)
* priority 1..1
* doNotPerform 0..0
* code 1..1
* code.text 1..1
* code.coding ^slicing.discriminator.type = #value
* code.coding ^slicing.discriminator.path = "system"
* code.coding ^slicing.rules = #open
* code.coding contains drug 1..1 and hcpcs 0..1
* code.coding[drug] ^short = "The drug by the key of our catalogue"
* code.coding[drug].system 1..1
* code.coding[drug].system = $drug
* code.coding[drug].code 1..1
* code.coding[hcpcs] ^short = "The billing code on the day the infusion begins"
* code.coding[hcpcs].system 1..1
* code.coding[hcpcs].system = $hcpcs
* code.coding[hcpcs].code 1..1
* subject only Reference(Patient)
* subject.reference 1..1
* occurrence[x] only Period
* occurrence[x].start 1..1
* authoredOn 1..1
* performer.identifier 1..1
* performer.identifier.system 1..1
* performer.identifier.system = $site-id
* performer.identifier.value 1..1
* locationCode from https://carepod.example/fhir/ValueSet/site-of-care (required)
* insurance only Reference(Coverage)
* insurance.reference 1..1
* supportingInfo only Reference(MedicationRequest or Observation or MedicationStatement or AllergyIntolerance or DocumentReference or Consent or ClaimResponse)
* supportingInfo.reference 1..1


Invariant: cp-order-complete
Description: "An active order says from when, by whom, why and where, and what it is given by."
Expression: "status = 'active' implies (occurrence.exists() and requester.exists() and (reasonReference.exists() or reasonCode.exists()) and locationCode.exists() and supportingInfo.exists())"
Severity: #error


ValueSet: FillerOrderStatus
Id: filler-order-status
Title: "Status of a filler order"
Description: "Draft until it is clinically complete, active from then on, on hold when something opens again."
* ^experimental = false
* $request-status#draft
* $request-status#active
* $request-status#on-hold
* $request-status#revoked
* $request-status#completed


Profile: ReferralTask
Parent: CoordinatorTask
Id: referral-task
Title: "Referral"
Description: "The placer's Task with our answer: where the referral stands, what is missing, and what came of it. What the placer wrote beside that stays his."
* ^version = "2.1"
* insert OfIntake
* obeys cp-status-reason
* obeys cp-closed-loop
* extension contains placer-client named placerClient 0..1 and known-as named knownAs 0..* and task-lacks named taskLacks 0..*
* identifier ^slicing.discriminator.type = #value
* identifier ^slicing.discriminator.path = "type"
* identifier ^slicing.rules = #open
* identifier contains placer 1..* and filler 1..1
* identifier[placer].type 1..1
* identifier[placer].type = $identifier-type#PLAC
* identifier[filler].type 1..1
* identifier[filler].type = $identifier-type#FILL
* identifier[filler].system 1..1
* identifier[filler].system = $referral-id
* identifier[filler].value 1..1
* basedOn 0..1
* basedOn only Reference(ServiceRequest)
* basedOn.reference 1..1
* status from https://carepod.example/fhir/ValueSet/referral-status (required)
* statusReason.text 1..1
* businessStatus 1..1
* businessStatus from https://carepod.example/fhir/ValueSet/referral-business-status (required)
* code = $task-code#referral
* for 1..1
* for.reference 1..1
* authoredOn 1..1
* lastModified 1..1
* output.type from https://carepod.example/fhir/ValueSet/referral-output (required)
* output ^slicing.discriminator.type = #value
* output ^slicing.discriminator.path = "type"
* output ^slicing.rules = #open
* output contains missing 0..* and authorization 0..* and appointment 0..* and question 0..* and feedback 0..1
* output[missing] ^short = "What is missing, and what would be right"
* output[missing].type = $referral-output#missing
* output[missing].value[x] only CodeableConcept
* output[missing].valueCodeableConcept.text 1..1
* output[missing].valueCodeableConcept.coding ^slicing.discriminator.type = #value
* output[missing].valueCodeableConcept.coding ^slicing.discriminator.path = "system"
* output[missing].valueCodeableConcept.coding ^slicing.rules = #open
* output[missing].valueCodeableConcept.coding contains gap 1..1
* output[missing].valueCodeableConcept.coding[gap].system 1..1
* output[missing].valueCodeableConcept.coding[gap].system = $gap
* output[missing].valueCodeableConcept.coding[gap].code 1..1
* output[authorization] ^short = "The payer's authorization number"
* output[authorization].type = $referral-output#authorization
* output[authorization].value[x] only string
* output[appointment] ^short = "A visit that is booked or was kept"
* output[appointment].type = $referral-output#appointment
* output[appointment].value[x] only Reference(Appointment)
* output[question] ^short = "A question that is open"
* output[question].type = $referral-output#question
* output[question].value[x] only Reference(Task)
* output[feedback] ^short = "What came of a completed referral"
* output[feedback].type = $referral-output#feedback
* output[feedback].value[x] only string


Invariant: cp-closed-loop
Description: "A completed referral says what came of it: at least one output."
Expression: "status = 'completed' implies output.exists()"
Severity: #error


ValueSet: ReferralStatus
Id: referral-status
Title: "Status of a referral"
Description: "How the referral Task may stand once we have answered."
* ^experimental = false
* $task-status#accepted
* $task-status#on-hold
* $task-status#in-progress
* $task-status#completed
* $task-status#rejected
* $task-status#cancelled


ValueSet: ReferralBusinessStatus
Id: referral-business-status
Title: "Business status of a referral"
Description: "The BSeR status codes we tell a placer: created, accepted, declined, scheduled, no-show, visit cancelled, visit given, cancellation requested, cancelled, completed."
* ^experimental = false
* $bser-status#2.0
* $bser-status#3.0
* $bser-status#4.0
* $bser-status#5.1.1
* $bser-status#5.1.2
* $bser-status#5.1.3
* $bser-status#5.1.4
* $bser-status#5.2
* $bser-status#6.0
* $bser-status#7.0


Profile: IntakeQuestion
Parent: CoordinatorTask
Id: intake-question
Title: "Question of intake"
Description: "What intake cannot decide: a person of one role answers with the output confirmed or rejected."
* ^version = "2.0"
* insert OfIntake
* obeys cp-answered
* partOf 1..1
* partOf only Reference(Task)
* partOf.reference 1..1
* status from https://carepod.example/fhir/ValueSet/intake-question-status (required)
* code = $task-code#intake-question
* focus 1..1
* focus only Reference(ServiceRequest or Task)
* focus.reference 1..1
* for 1..1
* for.reference 1..1
* authoredOn 1..1
* owner.identifier 1..1
* owner.identifier.system 1..1
* owner.identifier.system = $role-id
* owner.identifier.value 1..1
* input 1..*
* input.type from https://carepod.example/fhir/ValueSet/intake-question-input (required)
* input ^slicing.discriminator.type = #value
* input ^slicing.discriminator.path = "type"
* input ^slicing.rules = #open
* input contains verification 0..1 and content 0..1 and identifier 0..1 and refused 0..1 and document 0..* and duplicateOf 0..1
* input[verification] ^short = "Is the order right: drug, dose, route and rate?"
* input[verification].type = $question#order-verification
* input[verification].value[x] only string
* input[content] ^short = "Digest of the medications asked about: another one is asked about anew"
* input[content].type = $question#order-content
* input[content].value[x] only string
* input[identifier] ^short = "Under which identifier is the referral known?"
* input[identifier].type = $question#placer-identifier
* input[identifier].value[x] only string
* input[refused] ^short = "The placer's system refused our answer"
* input[refused].type = $question#placer-refused
* input[refused].value[x] only string
* input[document] ^short = "What is to be read"
* input[document].type = $question#document
* input[document].value[x] only Reference(DocumentReference or Binary)
* input[document].valueReference.reference 1..1
* input[duplicateOf] ^short = "The other patient of the same name and birth date"
* input[duplicateOf].type = $question#duplicate-of
* input[duplicateOf].value[x] only Reference(Patient)
* input[duplicateOf].valueReference.reference 1..1


Invariant: cp-answered
Description: "A completed question carries its answer: an output of type confirmed or rejected."
Expression: "status = 'completed' implies output.type.coding.where(system = 'https://carepod.example/fhir/CodeSystem/answer' and (code = 'confirmed' or code = 'rejected')).exists()"
Severity: #error


ValueSet: IntakeQuestionStatus
Id: intake-question-status
Title: "Status of a question of intake"
Description: "Asked, answered, turned down, or no longer needed."
* ^experimental = false
* $task-status#requested
* $task-status#completed
* $task-status#rejected
* $task-status#cancelled


ValueSet: IntakeQuestionInput
Id: intake-question-input
Title: "What intake asks"
Description: "The questions of intake, and the digest of what one of them is about."
* ^experimental = false
* $question#order-verification
* $question#order-content
* $question#placer-identifier
* $question#placer-refused
* $question#transcription
* $question#document
* $question#countersignature
* $question#countersignature-missing
* $question#possible-duplicate
* $question#duplicate-of
* $question#nobody-to-tell
* $question#language-unavailable
* $question#patient-unreached
* $question#patient-silent
* $question#reply-unclear
* $question#system-unread

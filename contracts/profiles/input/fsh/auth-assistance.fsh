// Help with what a patient pays himself: one Task for each programme, order and enrolment.

CodeSystem: HubEnrolmentStatus
Id: hub-enrolment-status
Title: "Status of an enrolment"
Description: "Where an enrolment in a programme stands: businessStatus of the Task hub-enrolment."
* ^caseSensitive = true
* #needs-information "Needs information" "A criterion is not documented; the outputs name what is missing."
* #not-eligible "Not eligible" "A criterion is not met."
* #consent-needed "Consent needed" "The patient may have it, and no signed consent of his lets anything about him go to the programme."
* #to-enrol "To enrol" "The patient may have it, his consent is there: a person enrols him."
* #enrolled "Enrolled" "A person entered the number and the period of the enrolment."
* #stopped "Stopped" "Enrolled, and the consent or the payer no longer lets it be used."
* #expired "Expired" "The enrolment is over; the next one has a Task of its own."
* #declined "Declined" "The programme refused."
* #not-wanted "Not wanted" "The patient does not want it."
* #cancelled "Cancelled" "The order was revoked, or the programme is not for it any more."

ValueSet: HubEnrolmentStatuses
Id: hub-enrolment-status
Title: "Status of an enrolment"
Description: "Everywhere an enrolment may stand."
* include codes from system HubEnrolmentStatus

CodeSystem: HubEnrolmentInput
Id: hub-enrolment-input
Title: "Inputs of an enrolment"
Description: "What an input of the Task hub-enrolment tells."
* ^caseSensitive = true
* #programme "Programme" "The programme, by its name in the practice's policy."
* #kind "Kind" "What kind of programme it is."
* #what-to-do "What to do" "What a person does with this Task."

ValueSet: HubEnrolmentInputs
Id: hub-enrolment-input
Title: "Inputs of an enrolment"
Description: "Everything an input of the Task hub-enrolment may tell."
* include codes from system HubEnrolmentInput

CodeSystem: HubEnrolmentOutput
Id: hub-enrolment-output
Title: "Outputs of an enrolment"
Description: "What an output of the Task hub-enrolment tells, and what a person may enter there."
* ^caseSensitive = true
* #criterion "Criterion" "The verdict on one criterion of the programme: met, not-met or not-documented, and why."
* #missing "Missing" "What would document a criterion, or why the gate of the consent is shut."
* #consent "Consent" "The patient's consent under which what is his may go to the programme."
* #also-eligible "Also eligible" "Another programme the patient may have for this order."
* #balance-period "Period of the balance" "First and last day of the programme year the balance is of."
* #maximum "Maximum" "What the programme pays in that year at most."
* #used "Used" "What doses given in that year have used."
* #left "Left" "What is left of the maximum."
* #visit "Visit" "What the programme pays of one visit, given or expected, and what is left after it."
* #looked-at-again "Looked at again" "The next day on which this may stand otherwise although nothing happens."
* #household-income "Household income" "Entered: what the household has a year."
* #household-size "Household size" "Entered: how many persons the household has."
* #share-per-dose "Share of a dose" "Entered: what the patient pays himself of each dose before any help."
* #share-of-dose "Share of this dose" "Entered: what the patient pays himself of the dose of one visit before any help."
* #enrolment-number "Number of the enrolment" "Entered: the programme's number of the enrolment."
* #enrolment-period "Period of the enrolment" "Entered: first and, where the programme says, last day of the enrolment."
* #declined "Declined" "Entered: the programme refused, and why."
* #not-wanted "Not wanted" "Entered: the patient does not want it."
* #denial-letter "Letter of a denial" "Entered: the payer's denial on file."
* #insurance-card "Insurance card" "Entered: the insurance card on file."
* #prescriber-form "Form of the prescriber" "Entered: the programme's form signed by the prescriber, on file."
* #proof-of-income "Proof of income" "Entered: what proves the household's income, on file."

ValueSet: HubEnrolmentOutputs
Id: hub-enrolment-output
Title: "Outputs of an enrolment"
Description: "Everything an output of the Task hub-enrolment may tell."
* include codes from system HubEnrolmentOutput

CodeSystem: AssistanceKind
Id: assistance-kind
Title: "Kinds of programmes"
Description: "How a programme helps with what a patient pays himself."
* ^caseSensitive = true
* #copay "Copay card" "A manufacturer pays part of the patient's share; never beside a federal payer, first or second."
* #foundation "Foundation" "A charity pays part of the patient's share."
* #pap "Free drug" "A manufacturer gives the drug."
* #hub "Hub" "A hub asks the payer and ships; it pays nothing."

ValueSet: AssistanceKinds
Id: assistance-kind
Title: "Kinds of programmes"
Description: "Every kind of programme."
* include codes from system AssistanceKind

CodeSystem: AssistanceCriterion
Id: assistance-criterion
Title: "Criteria of programmes"
Description: "What a programme asks of those it helps."
* ^caseSensitive = true
* #federal-payer "No federal payer" "No payer of the patient, first or second, is federal."
* #insurance "Insurance" "A coverage in force is of a class the programme is for."
* #income "Income" "The household's income is at most so many percent of the federal poverty level."
* #age "Age" "The patient is old enough."
* #diagnosis "Diagnosis" "A diagnosis of the order is one the programme is for."
* #acquisition "Acquisition" "The payer wants the drug to come in a way the programme is for."
* #not-combined "Not combined" "The patient has no help the programme does not go together with."
* #denial-letter "Letter of a denial" "The payer's denial is on file."
* #insurance-card "Insurance card" "The insurance card is on file."
* #prescriber-form "Form of the prescriber" "The programme's form, signed, is on file."
* #proof-of-income "Proof of income" "A proof of the household's income is on file."

ValueSet: AssistanceCriteria
Id: assistance-criterion
Title: "Criteria of programmes"
Description: "Every criterion of a programme."
* include codes from system AssistanceCriterion

ValueSet: HubEnrolmentTaskStatuses
Id: hub-enrolment-task-status
Title: "Task status of an enrolment"
Description: "Statuses a Task hub-enrolment may have."
* $task-status#requested
* $task-status#on-hold
* $task-status#completed
* $task-status#rejected
* $task-status#cancelled

Extension: AssistedDose
Id: assisted-dose
Title: "Help with a dose"
Description: "What a patient pays of one dose before any help, what the programme pays of that, what is left of its maximum after it, and why it is less than all. R4 has no element for it: Task.output takes one value, which is the visit."
* ^context[0].type = #element
* ^context[0].expression = "Task.output"
* extension contains state 0..1 and share 0..1 and paid 0..1 and left 0..1 and why 0..1
* extension[state] ^short = "given | expected"
* extension[state].value[x] 1..1
* extension[state].value[x] only string
* extension[share].value[x] 1..1
* extension[share].value[x] only Money
* extension[paid].value[x] 1..1
* extension[paid].value[x] only Money
* extension[left].value[x] 1..1
* extension[left].value[x] only Money
* extension[why] ^short = "federal-payer, maximum-reached, outside-enrolment, share-unknown, or why the consent does not open"
* extension[why].value[x] 1..1
* extension[why].value[x] only string

Extension: EnteredOn
Id: entered-on
Title: "Entered on"
Description: "The day a person entered what an output says: what is entered of a household counts for a time. R4 has no element for it: Task.output has no date."
* ^context[0].type = #element
* ^context[0].expression = "Task.output"
* value[x] 1..1
* value[x] only date

Invariant: cp-enrolled
Description: "Who is enrolled has the number and the period of the enrolment in output."
Severity: #error
Expression: "businessStatus.coding.code = 'enrolled' implies (output.type.coding.where(code = 'enrolment-number').exists() and output.type.coding.where(code = 'enrolment-period').exists())"

Profile: HubEnrolmentTask
Parent: CoordinatorTask
Id: hub-enrolment-task
Title: "Enrolment in a programme of assistance"
Description: "Auth's word on one programme for one order: who may have it in output, criterion by criterion, with what is missing, the consent that opens the gate, the balance by visit; and what persons entered."
* ^version = "2.0"
* insert OurIdentifier(enrolment)
* identifier.value ^short = "<order id>|<programme>|<number of the enrolment>"
* insert OfOneOrder
* insert OwnedBy(authorization-coordinator)
* code = $task-code#hub-enrolment
* status from HubEnrolmentTaskStatuses (required)
* businessStatus 1..1
* businessStatus from HubEnrolmentStatuses (required)
* businessStatus.coding 1..1
* focus 1..1
* focus only Reference(ServiceRequest)
* focus.reference 1..1
* authoredOn 1..1
* obeys cp-reason-told and cp-enrolled
* input 3..3
* input.type from HubEnrolmentInputs (required)
* output.type from HubEnrolmentOutputs (required)
* insert SlicedByType(output)
* output contains criterion 0..* and left 0..1 and used 0..1 and visit 0..*
* output[criterion].type = HubEnrolmentOutput#criterion
* output[criterion].extension contains Evidence named evidence 0..1
* output[criterion].value[x] only CodeableConcept
* output[criterion].valueCodeableConcept from AssistanceCriteria (required)
* output[criterion].valueCodeableConcept.text 1..1
* output[used].type = HubEnrolmentOutput#used
* output[used].value[x] only Money
* output[left].type = HubEnrolmentOutput#left
* output[left].value[x] only Money
* output[visit].type = HubEnrolmentOutput#visit
* output[visit].extension contains AssistedDose named assisted 1..1
* output[visit].value[x] only Reference(Appointment)
* output[visit].valueReference.reference 1..1

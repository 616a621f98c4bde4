// What every Task of ours has in common, and the Task by which any service says that it could not take a message.

Profile: CoordinatorTask
Parent: Task
Id: coordinator-task
Title: "Task of a coordinator"
Description: "The common part of every Task of ours: which of our kinds it is, for which patient, who has it."
* ^abstract = true
* id 1..1
* intent = #order
* code 1..1
* code from https://carepod.example/fhir/ValueSet/task-code (required)
* for only Reference(Patient)
* owner 1..1


Profile: MessageQuestion
Parent: CoordinatorTask
Id: message-question
Title: "Question about a message that could not be taken"
Description: "A message of another service breaks its profile: the service that parked it asks a person what to do. The issues name places, codes and rules, never values."
* identifier 1..1
* identifier ^short = "The message, by its id"
* identifier.system 1..1
* identifier.system = $message-id
* identifier.value 1..1
* basedOn only Reference(ServiceRequest)
* basedOn ^short = "The orders the message is about, as far as they could be read"
* status from https://carepod.example/fhir/ValueSet/message-question-status (required)
* code = $task-code#message-question
* authoredOn 1..1
* owner.identifier 1..1
* owner.identifier.system 1..1
* owner.identifier.system = $role-id
* owner.identifier.value 1..1
* input.type from https://carepod.example/fhir/ValueSet/message-question-input (required)
* input ^slicing.discriminator.type = #value
* input ^slicing.discriminator.path = "type"
* input ^slicing.rules = #open
* input contains refused 1..1 and issue 0..*
* input[refused] ^short = "Why the message was parked"
* input[refused].type = $question#message-refused
* input[refused].value[x] only string
* input[issue] ^short = "<FHIRPath>: <rule or issue code>: <what would be right>"
* input[issue].type = $question#message-issue
* input[issue].value[x] only string


ValueSet: MessageQuestionStatus
Id: message-question-status
Title: "Status of a question about a message"
Description: "Asked, or answered."
* ^experimental = false
* $task-status#requested
* $task-status#completed


ValueSet: MessageQuestionInput
Id: message-question-input
Title: "What is said of a message that could not be taken"
Description: "Why it was parked, and each of its issues."
* ^experimental = false
* $question#message-refused
* $question#message-issue


Invariant: cp-status-reason
Description: "A Task that is on hold, rejected, cancelled or failed says why in statusReason."
Expression: "(status = 'on-hold' or status = 'rejected' or status = 'cancelled' or status = 'failed') implies statusReason.exists()"
Severity: #error

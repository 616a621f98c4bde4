// The question set of a pharmacy benefit and what is answered to it, in one resource: the set is inside.

Profile: QuestionSetResponse
Parent: QuestionnaireResponse
Id: question-set-response
Title: "Answers to a question set"
Description: "What auth answers to the question set by which a pharmacy benefit authorizes a drug; the set itself is the Questionnaire inside. Without one it is asked for. Every answer says by extension which resource it was taken from."
* id 1..1
* obeys cp-auth-id and cp-set-answered
* extension contains AuthorizationPeriod named period 0..1
* identifier 1..1
* identifier.assigner 1..1
* identifier.assigner.identifier 1..1
* identifier.assigner.identifier.system 1..1
* identifier.assigner.identifier.system = "https://carepod.example/id/payer"
* identifier.assigner.identifier.value 1..1
* basedOn 1..1
* basedOn only Reference(ServiceRequest)
* basedOn.reference 1..1
* status from QuestionSetStatuses (required)
* insert OneReference(subject)
* subject only Reference(Patient)
* authored 1..1

Invariant: cp-set-answered
Description: "What is complete has its question set inside."
Severity: #error
Expression: "status = 'completed' implies contained.where($this is Questionnaire).exists()"

ValueSet: QuestionSetStatuses
Id: question-set-status
Title: "Where the answers to a question set stand"
Description: "In progress, complete and sent, or given up."
* http://hl7.org/fhir/questionnaire-answers-status#in-progress
* http://hl7.org/fhir/questionnaire-answers-status#completed
* http://hl7.org/fhir/questionnaire-answers-status#stopped

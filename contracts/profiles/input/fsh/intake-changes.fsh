// What intake asks when two referrals ask for the same.

Profile: ReferralQuestion
Parent: CoordinatorTask
Id: referrals-question
Title: "Question about two referrals"
Description: "Another referral asks for the same therapy for the same patient: a person says whether both go on, or which. Until then nothing is claimed for the second."
* insert OfIntake
* obeys cp-chosen
* partOf 1..1
* partOf only Reference(Task)
* partOf.reference 1..1
* status from https://carepod.example/fhir/ValueSet/referral-question-status (required)
* code = $task-code#referral-question
* focus 1..1
* focus only Reference(Task)
* focus.reference 1..1
* for 1..1
* for.reference 1..1
* authoredOn 1..1
* owner.identifier 1..1
* owner.identifier.system 1..1
* owner.identifier.system = $role-id
* owner.identifier.value 1..1
* input 1..1
* input.type = $question#second-referral
* input.value[x] only string


Invariant: cp-chosen
Description: "A completed question carries its answer: an output of type both, only-first or only-second."
Expression: "status = 'completed' implies output.type.coding.where(system = 'https://carepod.example/fhir/CodeSystem/answer' and (code = 'both' or code = 'only-first' or code = 'only-second')).exists()"
Severity: #error


ValueSet: ReferralQuestionStatus
Id: referral-question-status
Title: "Status of a question about two referrals"
Description: "Asked, answered, or no longer needed."
* ^experimental = false
* $task-status#requested
* $task-status#completed
* $task-status#cancelled

// What intake reads of the system of a client who sent a referral by its address.

Alias: $pull-input = https://carepod.example/fhir/CodeSystem/pull-input

Profile: PullTask
Parent: CoordinatorTask
Id: pull-task
Title: "Reading of a sender's system"
Description: "A referral that came as an address, or refers to addresses, of the sender's own system: what is to be read there, what was sent with it, and how often that was tried."
* insert OfIntake
* extension contains placer-client named placerClient 1..1
* status from https://carepod.example/fhir/ValueSet/pull-status (required)
* statusReason.text 1..1
* code = $task-code#pull
* authoredOn 1..1
* owner.identifier 1..1
* owner.identifier.system 1..1
* owner.identifier.system = $role-id
* owner.identifier.value 1..1
* input.type from https://carepod.example/fhir/ValueSet/pull-input (required)
* input ^slicing.discriminator.type = #value
* input ^slicing.discriminator.path = "type"
* input ^slicing.rules = #open
* input contains wanted 1..* and received 0..1 and attempt 1..1 and failed 0..1
* input[wanted] ^short = "An address of the sender's system that is read"
* input[wanted].type = $pull-input#wanted
* input[wanted].value[x] only url
* input[received] ^short = "The Bundle that was sent, as received"
* input[received].type = $pull-input#received
* input[received].value[x] only Attachment
* input[attempt] ^short = "The number of the latest attempt"
* input[attempt].type = $pull-input#attempt
* input[attempt].value[x] only positiveInt
* input[failed] ^short = "How many attempts in a row have failed"
* input[failed].type = $pull-input#failed
* input[failed].value[x] only positiveInt
* output.type = $pull-input#left-out
* output.value[x] only url


ValueSet: PullStatus
Id: pull-status
Title: "Status of a reading"
Description: "Under way, waiting for the next attempt after one that failed, done, or ended by a person."
* ^experimental = false
* $task-status#in-progress
* $task-status#on-hold
* $task-status#completed
* $task-status#cancelled


CodeSystem: PullInput
Id: pull-input
Title: "Parts of a reading"
Description: "What a Task that reads a sender's system says: its inputs, and what it left out."
* ^caseSensitive = true
* #wanted "Wanted" "An address to read."
* #received "Received" "What was sent with it."
* #attempt "Attempt" "The number of the latest attempt."
* #failed "Failed" "How many attempts in a row have failed."
* #left-out "Left out" "An address that led nowhere, and without which the referral stands."


ValueSet: PullInputs
Id: pull-input
Title: "Parts of a reading"
Description: "Every part of a Task that reads a sender's system."
* include codes from system PullInput

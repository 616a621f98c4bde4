// What prior authorization says: where it stands, what it found, what it asks.

CodeSystem: PreauthorizationStatus
Id: preauthorization-status
Title: "Prior authorization status"
Description: "Where the authorization of an order stands: businessStatus of the Task preauthorization."
* ^caseSensitive = true
* #investigating "Investigating" "Coverage, benefit or order are not known well enough yet."
* #needs-information "Needs information" "The request would not be complete; the outputs name the smallest missing set."
* #submitted "Submitted" "The payer has been asked and has not answered."
* #pended "Pended" "The payer has answered that it will decide later."
* #approved "Approved" "The payer approved everything that was asked for."
* #partly-approved "Partly approved" "The payer approved less than was asked for, or not every code."
* #denied "Denied" "The payer refused."
* #not-required "Not required" "The payer wants no authorization for this drug."
* #not-covered "Not covered" "The payer does not cover this product."
* #cancelled "Cancelled" "The order was taken back."
* #question "Question" "A person must answer before it goes on."

ValueSet: PreauthorizationStatuses
Id: preauthorization-status
Title: "Prior authorization status"
Description: "Every stage of an authorization."
* include codes from system PreauthorizationStatus

CodeSystem: PreauthorizationOutput
Id: preauthorization-output
Title: "Outputs of a prior authorization"
Description: "What an output of the Task preauthorization tells."
* ^caseSensitive = true
* #number "Number" "The payer's number of the authorization."
* #period "Period" "First and last day of the authorization."
* #units "Units" "Billing units authorized, by HCPCS code."
* #units-left "Units left" "Billing units neither reserved nor given, by HCPCS code."
* #missing "Missing" "A member of the smallest set that would complete the request."
* #criterion "Criterion" "The verdict on one criterion of the payer: met, not-met or not-documented."
* #denial-reason "Reason of denial" "Why the payer refused, in its own codes."
* #preferred "Preferred product" "A product the payer covers instead."
* #hold-answer "Answer to a hold" "The answer to the latest number under which a time of this Appointment was held."

ValueSet: PreauthorizationOutputs
Id: preauthorization-output
Title: "Outputs of a prior authorization"
Description: "Everything an output of the Task preauthorization may tell."
* include codes from system PreauthorizationOutput

CodeSystem: Criterion
Id: criterion
Title: "Criteria of payers"
Description: "Names of the criteria in the payers' policies as this practice has them: data that grows, so none is listed here. No element is bound to it."
* ^caseSensitive = true
* ^content = #not-present

ValueSet: PreauthorizationTaskStatuses
Id: preauthorization-task-status
Title: "Task.status of a prior authorization"
Description: "The statuses of Task that a prior authorization takes."
* $task-status#in-progress
* $task-status#on-hold
* $task-status#completed
* $task-status#rejected
* $task-status#cancelled

ValueSet: ChargeStatuses
Id: charge-status
Title: "Status of a dose's charge"
Description: "Reserved (planned), given (billable) or given back (aborted)."
* $charge-status#planned
* $charge-status#billable
* $charge-status#aborted

ValueSet: ClaimStatuses
Id: claim-status
Title: "Status of a request to a payer"
Description: "A request of ours stands or was withdrawn; drafts are not kept."
* $claim-status#active
* $claim-status#cancelled

// Extensions of ours: each only where R4 has no element, and the description says which is lacking.

Extension: Order
Id: order
Title: "Order"
Description: "The filler order a benefit request, a request for authorization or an answer to one is about. R4 has no element for it: CoverageEligibilityRequest, CoverageEligibilityResponse and ClaimResponse know no order at all, and Claim.prescription is the prescription, not the order."
* ^context[0].type = #element
* ^context[0].expression = "CoverageEligibilityRequest"
* ^context[1].type = #element
* ^context[1].expression = "CoverageEligibilityResponse"
* ^context[2].type = #element
* ^context[2].expression = "Claim"
* ^context[3].type = #element
* ^context[3].expression = "ClaimResponse"
* value[x] 1..1
* value[x] only Reference(ServiceRequest)
* valueReference.reference 1..1

Extension: Regimen
Id: regimen
Title: "Regimen asked for"
Description: "Drug, ordered doses, diagnoses and site of care a request was made for, as one comparable line: an order that differs from it is asked about. R4 has no element for it: the items of a Claim carry billing units, not the doses they were counted from."
* ^context[0].type = #element
* ^context[0].expression = "Claim"
* value[x] 1..1
* value[x] only string

Extension: Evidence
Id: evidence
Title: "Evidence"
Description: "The resource that shows the verdict on a criterion. R4 has no element for it: Task.output takes one value, which is the criterion with its verdict."
* ^context[0].type = #element
* ^context[0].expression = "Task.output"
* value[x] 1..1
* value[x] only Reference
* valueReference.reference 1..1

Extension: Dose
Id: dose
Title: "Dose"
Description: "Which dose of the order a visit gives, and how many there are. R4 has no element for it: an Appointment knows its order, not which of its doses."
* ^context[0].type = #element
* ^context[0].expression = "Appointment"
* extension contains number 1..1 and of 1..1
* extension[number] ^short = "Number of the dose, from 1"
* extension[number].value[x] 1..1
* extension[number].value[x] only positiveInt
* extension[of] ^short = "How many doses the order asks for"
* extension[of].value[x] 1..1
* extension[of].value[x] only positiveInt

Extension: Hold
Id: hold
Title: "Hold"
Description: "An attempt to hold a time: its number, and what became of it. On the Appointment scheduling or nursing says number and expiry; on Task.output auth answers that number; on the ChargeItem it is the number the units are reserved for. R4 has no element for it: Appointment.status says pending, not which attempt, until when, nor who answered."
* ^context[0].type = #element
* ^context[0].expression = "Appointment"
* ^context[1].type = #element
* ^context[1].expression = "ChargeItem"
* ^context[2].type = #element
* ^context[2].expression = "Task.output"
* extension contains number 1..1 and expires 0..1 and unanswered 0..1 and refused 0..1 and answer 0..1 and reason 0..1
* extension[number] ^short = "Number of the attempt, from 1; an answer to another number is none"
* extension[number].value[x] 1..1
* extension[number].value[x] only positiveInt
* extension[expires] ^short = "Until when the time is held"
* extension[expires].value[x] 1..1
* extension[expires].value[x] only instant
* extension[unanswered] ^short = "How many attempts went unanswered"
* extension[unanswered].value[x] 1..1
* extension[unanswered].value[x] only positiveInt
* extension[refused] ^short = "The authorization that refused, as its digest: the same is not asked again"
* extension[refused].value[x] 1..1
* extension[refused].value[x] only string
* extension[answer] ^short = "reserved | not-needed | refused"
* extension[answer].value[x] 1..1
* extension[answer].value[x] only code
* extension[answer].valueCode from HoldAnswers (required)
* extension[reason] ^short = "Code of why the hold is refused"
* extension[reason].value[x] 1..1
* extension[reason].value[x] only string

Extension: VisitReadiness
Id: visit-readiness
Title: "Readiness of a visit"
Description: "Where one requirement of a visit stands, which resource shows it, or why it is not met and who has it. R4 has no element for it: an Appointment has one status, and reasons only for its cancellation."
* ^context[0].type = #element
* ^context[0].expression = "Appointment"
* extension contains requirement 1..1 and status 1..1 and deadline 1..1 and evidence 0..1 and holder 0..1 and reason 0..1
* extension[requirement].value[x] 1..1
* extension[requirement].value[x] only code
* extension[requirement].valueCode from VisitRequirements (required)
* extension[status].value[x] 1..1
* extension[status].value[x] only code
* extension[status].valueCode from RequirementStatuses (required)
* extension[deadline].value[x] 1..1
* extension[deadline].value[x] only code
* extension[deadline].valueCode from RequirementDeadlines (required)
* extension[evidence] ^short = "The resource that shows it"
* extension[evidence].value[x] 1..1
* extension[evidence].value[x] only Reference
* extension[evidence].valueReference.reference 1..1
* extension[holder] ^short = "Who has it: referrer, payer, patient, pharmacy, pharmacist, authorization or scheduling"
* extension[holder].value[x] 1..1
* extension[holder].value[x] only string
* extension[reason] ^short = "Why it is not met (a code of chair-reason), or who overrode it and why"
* extension[reason].value[x] 1..1
* extension[reason].value[x] only string

Extension: NurseSeats
Id: nurse-seats
Title: "Seats of a nurse"
Description: "The share of a nurse a visit takes, cell by cell of five minutes: `<cells>:<seat>,<seat>` and so on, separated by a blank. R4 has no element for it: a participant of an Appointment is there or is not, never in part."
* ^context[0].type = #element
* ^context[0].expression = "Appointment.participant"
* value[x] 1..1
* value[x] only string

Extension: PlacerClient
Id: placer-client
Title: "Placer's client"
Description: "The client through whom a referral came: answers go there. R4 has no element for it: Task.requester is the party who asks, not the system it asked through."
* ^context[0].type = #element
* ^context[0].expression = "Task"
* value[x] 1..1
* value[x] only string

Extension: SourceUpdated
Id: source-updated
Title: "Source updated"
Description: "When the source last changed a resource, by its own clock: later updates of the source win by it. R4 has no element for it: Meta.lastUpdated is the time of our own copy."
* ^context[0].type = #element
* ^context[0].expression = "Meta"
* value[x] 1..1
* value[x] only instant

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
* ^context[1].type = #element
* ^context[1].expression = "ClaimResponse"
* value[x] 1..1
* value[x] only string

Extension: AuthorizationPeriod
Id: authorization-period
Title: "Period of an authorization"
Description: "Which of an order's authorization periods a request, the answers to a question set or a Task is about: 2 is the first renewal; the first period is not said. R4 has no element for it: Claim, QuestionnaireResponse and Task know when, not the how manieth time."
* ^context[0].type = #element
* ^context[0].expression = "Claim"
* ^context[1].type = #element
* ^context[1].expression = "Task"
* ^context[2].type = #element
* ^context[2].expression = "QuestionnaireResponse"
* value[x] 1..1
* value[x] only positiveInt

Extension: Evidence
Id: evidence
Title: "Evidence"
Description: "The resource that shows the verdict on a criterion, or that an answer to a question set was taken from. R4 has no element for it: Task.output takes one value, which is the criterion with its verdict, and an answer of a QuestionnaireResponse takes no source."
* ^context[0].type = #element
* ^context[0].expression = "Task.output"
* ^context[1].type = #element
* ^context[1].expression = "QuestionnaireResponse.item.answer"
* ^context[2].type = #element
* ^context[2].expression = "QuestionnaireResponse.item.item.answer"
* value[x] 1..1
* value[x] only Reference
* valueReference.reference 1..1

Extension: Occasion
Id: occasion
Title: "Occasion"
Description: "Why and for which period a benefit is asked about, and the Coverage it was asked under as a digest: one that differs is asked about anew. R4 has no element for it: a CoverageEligibilityRequest says what is asked, not why again."
* ^version = "1.1"
* ^context[0].type = #element
* ^context[0].expression = "CoverageEligibilityRequest"
* extension contains reason 1..1 and period 1..1 and coverage 1..1 and hook 0..1 and regimen 0..1
* extension[reason] ^short = "initial, monthly, new-year, coverage-changed, order-changed or visit"
* extension[reason].value[x] 1..1
* extension[reason].value[x] only string
* extension[period].value[x] 1..1
* extension[period].value[x] only string
* extension[coverage].value[x] 1..1
* extension[coverage].value[x] only string
* extension[hook] ^short = "The CDS hook by which the payer's own rules are asked as well"
* extension[hook].value[x] 1..1
* extension[hook].value[x] only string
* extension[regimen] ^short = "What they are asked about: an order that differs is asked about anew"
* extension[regimen].value[x] 1..1
* extension[regimen].value[x] only string

Extension: CoverageAssertion
Id: coverage-assertion
Title: "Statement on coverage"
Description: "What a payer's rules said of an order by CDS Hooks, in the codes of Da Vinci CRD's coverage information, which may stand on an order only: ours is somebody else's order, and what is said of it is the payer's."
* ^context[0].type = #element
* ^context[0].expression = "CoverageEligibilityResponse"
* extension contains hook 1..1 and covered 1..1 and authorization 1..1 and asserted 1..1 and statement 1..1 and wanted 0..*
* extension[hook] ^short = "order-sign, order-dispatch or appointment-book"
* extension[hook].value[x] 1..1
* extension[hook].value[x] only code
* extension[covered] ^short = "covered, not-covered or conditional"
* extension[covered].value[x] 1..1
* extension[covered].value[x] only code
* extension[authorization] ^short = "no-auth, satisfied, auth-needed, performpa or conditional"
* extension[authorization].value[x] 1..1
* extension[authorization].value[x] only code
* extension[asserted] ^short = "The day the payer says it was decided on"
* extension[asserted].value[x] 1..1
* extension[asserted].value[x] only date
* extension[statement] ^short = "The payer's id of the statement"
* extension[statement].value[x] 1..1
* extension[statement].value[x] only string
* extension[wanted] ^short = "What documents or information the rules want besides"
* extension[wanted].value[x] 1..1
* extension[wanted].value[x] only code

Extension: CostShare
Id: cost-share
Title: "Sums of a share"
Description: "What a patient's share is in all, what of it was used, and what is left: sums, a percentage, or the payer's words. R4 has no element for it: Task.output takes one value, which is the kind of share."
* ^context[0].type = #element
* ^context[0].expression = "Task.output"
* extension contains allowed 0..1 and used 0..1 and left 0..1
* extension[allowed].value[x] 1..1
* extension[allowed].value[x] only Money or decimal or string
* extension[used].value[x] 1..1
* extension[used].value[x] only Money or decimal or string
* extension[left].value[x] 1..1
* extension[left].value[x] only Money

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
* ^version = "2.0"
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

Extension: EventNumber
Id: event-number
Title: "Event number"
Description: "The number of the event a subscriber was notified of last; the next one is one higher. R4 has no element for it: Subscription knows its channel, not what went through it."
* ^context[0].type = #element
* ^context[0].expression = "Subscription"
* value[x] 1..1
* value[x] only unsignedInt

Extension: OrderMode
Id: order-mode
Title: "Mode of an order"
Description: "That the prescriber gave an order by word of mouth and another wrote it down: he signs it later. R4 has no element for it: ServiceRequest knows who ordered and who wrote, not how the one told the other."
* ^context[0].type = #element
* ^context[0].expression = "ServiceRequest"
* value[x] 1..1
* value[x] only code
* valueCode from OrderModes (required)

ValueSet: OrderModes
Id: order-mode
Title: "Modes of an order"
Description: "Said face to face, or by telephone."
* ^experimental = false
* include codes from system OrderModeCodes

CodeSystem: OrderModeCodes
Id: order-mode
Title: "Modes of an order"
Description: "How a prescriber gave an order that he did not write."
* ^caseSensitive = true
* #verbal "Verbal" "Said face to face."
* #telephone "Telephone" "Said by telephone or video."

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

Extension: Superseded
Id: superseded
Title: "Superseded version"
Description: "Digest of an earlier version to which the source gave the same date as to this one: when that version comes again it changes nothing. R4 has no element for it: Meta knows one version, and a source's clock may give two the same date."
* ^context[0].type = #element
* ^context[0].expression = "Meta"
* value[x] 1..1
* value[x] only string

Extension: TaskLacks
Id: task-lacks
Title: "Task lacks"
Description: "An element, in FHIRPath, that the placer's own Task did not say and that we completed from what came with it: he is told. R4 has no element for it: a completed element does not show who said it."
* ^context[0].type = #element
* ^context[0].expression = "Task"
* value[x] 1..1
* value[x] only string

Extension: KnownAs
Id: known-as
Title: "Known as"
Description: "Another Patient record of the same person, by a merge or because a person confirmed it: a search by either finds the case. R4 has no element for it: Patient.link says it of the person, Task.for names one record."
* ^context[0].type = #element
* ^context[0].expression = "Task"
* value[x] 1..1
* value[x] only Reference(Patient)
* valueReference.reference 1..1

Extension: AtPayer
Id: at-payer
Title: "A Subscription as its payer has it"
Description: "Where a payer keeps a Subscription of ours, and which of its events have not come. R4 has no element for either: Subscription has no identifier and knows nothing of what went through it."
* ^context[0].type = #element
* ^context[0].expression = "Subscription"
* extension contains address 0..1 and missed 0..1 and asked 0..1
* extension[address] ^short = "The payer's own address of it"
* extension[address].value[x] 1..1
* extension[address].value[x] only url
* extension[missed] ^short = "Numbers of events that have not come, by commas"
* extension[missed].value[x] 1..1
* extension[missed].value[x] only string
* extension[asked] ^short = "Since when persons are asked about what is pended"
* extension[asked].value[x] 1..1
* extension[asked].value[x] only instant

// The Tasks of auth: where an authorization stands, what is asked of a person, whether a denial is appealed.

RuleSet: OwnedBy(role)
* owner.identifier 1..1
* owner.identifier.system 1..1
* owner.identifier.system = "https://carepod.example/id/role"
* owner.identifier.value 1..1
* owner.identifier.value = "{role}"

RuleSet: OfOneOrder
* basedOn 1..1
* basedOn only Reference(ServiceRequest)
* basedOn.reference 1..1
* insert OneReference(for)

RuleSet: SlicedByType(element)
* {element} ^slicing.discriminator.type = #value
* {element} ^slicing.discriminator.path = "type"
* {element} ^slicing.rules = #open

RuleSet: OneQuestion
* status from QuestionTaskStatuses (required)
* focus 1..1
* focus.reference 1..1
* authoredOn 1..1
* input 1..1
* input.value[x] only string
* obeys cp-question-answered

Invariant: cp-question-answered
Description: "A completed question has its answer in output."
Severity: #error
Expression: "status = 'completed' implies output.exists()"

Invariant: cp-reason-told
Description: "A Task that is on hold, rejected or cancelled says why in words, in statusReason.text."
Severity: #error
Expression: "(status = 'on-hold' or status = 'rejected' or status = 'cancelled') implies statusReason.text.exists()"

Invariant: cp-approval-whole
Description: "An approval names its number and its period in output."
Severity: #error
Expression: "(businessStatus.coding.code = 'approved' or businessStatus.coding.code = 'partly-approved') implies (output.type.coding.where(code = 'number').exists() and output.type.coding.where(code = 'period').exists())"

Profile: PreauthorizationTask
Parent: CoordinatorTask
Id: preauthorization-task
Title: "Where an authorization stands"
Description: "Auth's word on one order: the stage in businessStatus; number, period, units, what is missing, verdicts and answers to held times in output."
* ^version = "4.0"
* insert OfOneOrder
* insert OwnedBy(authorization-coordinator)
* code = $task-code#preauthorization
* status from PreauthorizationTaskStatuses (required)
* businessStatus 1..1
* businessStatus from PreauthorizationStatuses (required)
* businessStatus.coding 1..1
* focus 1..1
* focus only Reference(ServiceRequest)
* focus.reference 1..1
* authoredOn 1..1
* note.text 1..1
* obeys cp-reason-told and cp-approval-whole
* output.type from PreauthorizationOutputs (required)
* insert SlicedByType(output)
* output contains number 0..* and period 0..* and units 0..* and unitsLeft 0..* and missing 0..* and criterion 0..* and denialReason 0..* and preferred 0..* and holdAnswer 0..* and benefitDrug 0..1 and benefitNursing 0..1 and benefitSupplies 0..1 and benefitTold 0..1 and costShare 0..* and allowedUntil 0..1
* output[number].type = PreauthorizationOutput#number
* output[number].value[x] only string
* output[period].type = PreauthorizationOutput#period
* output[period].value[x] only Period
* output[period].valuePeriod.start 1..1
* output[period].valuePeriod.end 1..1
* output[units].type = PreauthorizationOutput#units
* output[units].value[x] only Quantity
* output[units].valueQuantity.value 1..1
* output[units].valueQuantity.system 1..1
* output[units].valueQuantity obeys cp-billing-system
* output[units].valueQuantity.code 1..1
* output[allowedUntil].type = PreauthorizationOutput#allowed-until
* output[allowedUntil].value[x] only Period
* output[allowedUntil].valuePeriod.start 1..1
* output[allowedUntil].valuePeriod.end 1..1
* output[unitsLeft].type = PreauthorizationOutput#units-left
* output[unitsLeft].value[x] only Quantity
* output[unitsLeft].valueQuantity.value 1..1
* output[unitsLeft].valueQuantity.system 1..1
* output[unitsLeft].valueQuantity obeys cp-billing-system
* output[unitsLeft].valueQuantity.code 1..1
* output[benefitDrug].type = PreauthorizationOutput#benefit-drug
* output[benefitDrug].value[x] only CodeableConcept
* output[benefitDrug].valueCodeableConcept from Benefits (required)
* output[benefitDrug].valueCodeableConcept.text 1..1
* output[benefitNursing].type = PreauthorizationOutput#benefit-nursing
* output[benefitNursing].value[x] only CodeableConcept
* output[benefitNursing].valueCodeableConcept from Benefits (required)
* output[benefitNursing].valueCodeableConcept.text 1..1
* output[benefitSupplies].type = PreauthorizationOutput#benefit-supplies
* output[benefitSupplies].value[x] only CodeableConcept
* output[benefitSupplies].valueCodeableConcept from Benefits (required)
* output[benefitSupplies].valueCodeableConcept.text 1..1
* output[benefitTold].type = PreauthorizationOutput#benefit-told
* output[benefitTold].extension contains Evidence named evidence 0..1
* output[benefitTold].value[x] only Annotation
* output[benefitTold].valueAnnotation.author[x] 1..1
* output[benefitTold].valueAnnotation.time 1..1
* output[costShare].type = PreauthorizationOutput#cost-share
* output[costShare].extension contains CostShare named costShare 0..1
* output[costShare].value[x] only CodeableConcept
* output[costShare].valueCodeableConcept.text 1..1
* output[missing].type = PreauthorizationOutput#missing
* output[missing].value[x] only CodeableConcept
* output[missing].valueCodeableConcept.coding 1..*
* output[missing].valueCodeableConcept.text 1..1
* output[criterion].type = PreauthorizationOutput#criterion
* output[criterion].extension contains Evidence named evidence 0..1
* output[criterion].value[x] only CodeableConcept
* output[criterion].valueCodeableConcept.coding 1..1
* output[criterion].valueCodeableConcept.text 1..1
* output[criterion].valueCodeableConcept.text ^short = "met | not-met | not-documented"
* output[denialReason].type = PreauthorizationOutput#denial-reason
* output[denialReason].value[x] only CodeableConcept
* output[preferred].type = PreauthorizationOutput#preferred
* output[preferred].value[x] only CodeableConcept
* output[preferred].valueCodeableConcept.coding 1..*
* output[holdAnswer].type = PreauthorizationOutput#hold-answer
* output[holdAnswer].extension contains Hold named hold 1..1
* output[holdAnswer].extension[hold].extension[answer] 1..1
* output[holdAnswer].value[x] only Reference(Appointment)
* output[holdAnswer].valueReference.reference 1..1

Profile: RenewalTask
Parent: CoordinatorTask
Id: renewal-task
Title: "Where the next period of an authorization stands"
Description: "Auth's word on one period after the first: when its request is due, what of the response is missing, which of the next two doses no period covers, and what the payer granted."
* insert OfOneOrder
* insert OwnedBy(authorization-coordinator)
* code = $task-code#renewal
* extension contains AuthorizationPeriod named period 1..1
* status from PreauthorizationTaskStatuses (required)
* businessStatus 1..1
* businessStatus from PreauthorizationStatuses (required)
* businessStatus.coding 1..1
* focus 1..1
* focus only Reference(ServiceRequest)
* focus.reference 1..1
* authoredOn 1..1
* note.text 1..1
* obeys cp-reason-told and cp-approval-whole
* output.type from PreauthorizationOutputs (required)
* insert SlicedByType(output)
* output contains startBy 1..1 and gapRisk 0..1 and number 0..* and period 0..* and units 0..* and unitsLeft 0..* and missing 0..* and criterion 0..*
* output[startBy].type = PreauthorizationOutput#start-by
* output[startBy].value[x] only date
* output[gapRisk].type = PreauthorizationOutput#gap-risk
* output[gapRisk].value[x] only Period
* output[gapRisk].valuePeriod.start 1..1
* output[gapRisk].valuePeriod.end 1..1
* output[number].type = PreauthorizationOutput#number
* output[number].value[x] only string
* output[period].type = PreauthorizationOutput#period
* output[period].value[x] only Period
* output[period].valuePeriod.start 1..1
* output[period].valuePeriod.end 1..1
* output[units].type = PreauthorizationOutput#units
* output[units].value[x] only Quantity
* output[units].valueQuantity.value 1..1
* output[units].valueQuantity.code 1..1
* output[unitsLeft].type = PreauthorizationOutput#units-left
* output[unitsLeft].value[x] only Quantity
* output[unitsLeft].valueQuantity.value 1..1
* output[unitsLeft].valueQuantity.code 1..1
* output[missing].type = PreauthorizationOutput#missing
* output[missing].value[x] only CodeableConcept
* output[missing].valueCodeableConcept.coding 1..*
* output[missing].valueCodeableConcept.text 1..1
* output[criterion].type = PreauthorizationOutput#criterion
* output[criterion].extension contains Evidence named evidence 0..1
* output[criterion].value[x] only CodeableConcept
* output[criterion].valueCodeableConcept.coding 1..1
* output[criterion].valueCodeableConcept.text 1..1

Profile: AppealTask
Parent: CoordinatorTask
Id: appeal-task
Title: "Whether a denial is appealed"
Description: "A person decides whether a denial is appealed, until the last day the payer takes one."
* insert OfOneOrder
* insert OwnedBy(authorization-coordinator)
* insert OneQuestion
* code = $task-code#appeal
* focus only Reference(ClaimResponse)
* restriction.period 1..1
* restriction.period.end 1..1
* input.type = Question#appeal

Profile: AuthorizationQuestion
Parent: CoordinatorTask
Id: authorization-question
Title: "Question about an authorization"
Description: "What auth cannot decide about a benefit or an authorization, asked of a person; what may be answered stands in authorization-answer."
* ^version = "5.0"
* insert OfOneOrder
* insert OwnedBy(authorization-coordinator)
* insert OneQuestion
* code = $task-code#authorization-question
* focus only Reference(ServiceRequest or Coverage or CoverageEligibilityRequest or Claim or ClaimResponse)
* input.type from AuthorizationQuestions (required)

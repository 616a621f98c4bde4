// Prior authorization: what payers are asked, what they answer, and what is reserved by it.

RuleSet: OneReference(path)
* {path} 1..1
* {path}.reference 1..1

RuleSet: OurIdentifier(kind)
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://carepod.example/id/{kind}"
* identifier.value 1..1

RuleSet: OrderExtension
* extension contains Order named order 1..1

RuleSet: PracticeAndPayer
* insurer 1..1
* insurer only Reference(Organization)
* insurer.identifier 1..1
* insurer.identifier.system 1..1
* insurer.identifier.system = "https://carepod.example/id/payer"
* insurer.identifier.value 1..1
* provider 1..1
* provider.identifier 1..1
* provider.identifier.system 1..1
* provider.identifier.system = $npi
* provider.identifier.value 1..1

Profile: EligibilityRequest
Parent: CoverageEligibilityRequest
Id: eligibility-request
Title: "Benefit request"
Description: "Auth asks a payer whether the drug of an order is covered and must be authorized."
* ^version = "1.2"
* id 1..1
* insert OrderExtension
* extension contains Occasion named occasion 0..1
* insert OurIdentifier(eligibility)
* status = #active
* patient only Reference(Patient)
* insert OneReference(patient)
* serviced[x] 1..1
* serviced[x] only date
* insert PracticeAndPayer
* insurance 1..1
* insurance.focal 1..1
* insurance.focal = true
* insert OneReference(insurance.coverage)
* item 1..1
* item.productOrService 1..1
* item.productOrService.coding 1..1
* item.productOrService.coding.system 1..1
* item.productOrService.coding.system = $hcpcs
* item.productOrService.coding.code 1..1

Profile: EligibilityResponse
Parent: CoverageEligibilityResponse
Id: eligibility-response
Title: "Benefit"
Description: "What a payer said of a benefit, kept as received but for id, patient, insurer, request and coverage, which are ours. Hearers find it by its order."
* id 1..1
* insert OrderExtension
* patient only Reference(Patient)
* insert OneReference(patient)
* insert OneReference(request)
* insurer.identifier 1..1
* insurer.identifier.system 1..1
* insurer.identifier.system = "https://carepod.example/id/payer"
* insurer.identifier.value 1..1
* insurance.coverage.reference 1..1

Profile: CoverageRequirements
Parent: CoverageEligibilityResponse
Id: coverage-requirements
Title: "What an order needs"
Description: "What a payer's own rules said of one order when asked by CDS Hooks (Da Vinci CRD), or in words why nothing is known: no answer in time, or none that can be relied on."
* ^version = "1.0"
* id 1..1
* insert OrderExtension
* extension contains CoverageAssertion named assertion 0..1
* insert OurIdentifier(coverage-requirements)
* status = #active
* patient only Reference(Patient)
* insert OneReference(patient)
* insert OneReference(request)
* disposition 1..1
* insurer.identifier 1..1
* insurer.identifier.system 1..1
* insurer.identifier.system = "https://carepod.example/id/payer"
* insurer.identifier.value 1..1

Profile: PreauthorizationResponse
Parent: ClaimResponse
Id: preauthorization-response
Title: "Answer to a request for authorization"
Description: "What a payer answered to a request for authorization, kept as received but for id, patient, insurer, requestor and request, which are ours. Whatever satisfies the PAS 2.2.1 response satisfies this; what it means only auth says, in the Task preauthorization."
* ^version = "1.1"
* id 1..1
* insert OrderExtension
* extension contains Regimen named regimen 0..1
* patient only Reference(Patient)
* insert OneReference(patient)
* insurer only Reference(Organization)
* insurer.identifier 1..1
* insurer.identifier.system 1..1
* insurer.identifier.system = "https://carepod.example/id/payer"
* insurer.identifier.value 1..1
* requestor 1..1
* requestor.identifier 1..1
* requestor.identifier.system 1..1
* requestor.identifier.system = $npi
* requestor.identifier.value 1..1
* request only Reference(Claim)
* insert OneReference(request)

Profile: DoseCharge
Parent: ChargeItem
Id: dose-charge
Title: "Charge of a dose"
Description: "One row of the authorization ledger: the billing units of one HCPCS code for one dose, reserved (planned), given (billable) or given back (aborted)."
* ^version = "2.0"
* id 1..1
* extension contains Hold named hold 0..1
* insert OurIdentifier(dose)
* identifier.value ^short = "<order id>|<dose number, at home else kind and number of the visit>|<HCPCS or CPT code>"
* status from ChargeStatuses (required)
* code.coding 1..1
* code.coding.system 1..1
* code.coding obeys cp-billing-system
* code.coding.code 1..1
* subject only Reference(Patient)
* subject.reference 1..1
* occurrence[x] only dateTime
* quantity 1..1
* quantity.value 1..1
* quantity.system 1..1
* quantity obeys cp-billing-system
* quantity.code 1..1
* supportingInformation 1..2
* supportingInformation only Reference(Appointment or ClaimResponse)
* supportingInformation.reference 1..1
* obeys cp-charge-visit

Invariant: cp-charge-visit
Description: "The visit stands first among the supporting information; the payer's answer may follow."
Severity: #error
Expression: "supportingInformation.first().reference.startsWith('Appointment/')"

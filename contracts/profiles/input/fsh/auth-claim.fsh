// The request for authorization: as auth keeps it, and as it travels to a payer.

Invariant: cp-pas-scope
Description: "A member of the care team says what it is one for (PAS careTeamClaimScope)."
Severity: #error
Expression: "extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-careTeamClaimScope').exists()"

Invariant: cp-pas-document
Description: "A piece of evidence says what kind of report it is (PAS documentInformation)."
Severity: #error
Expression: "extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-documentInformation').exists()"

Invariant: cp-pas-service
Description: "An item says what is requested: health services (PAS serviceItemRequestType)."
Severity: #error
Expression: "extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-serviceItemRequestType').exists()"

Invariant: cp-pas-certification
Description: "An item says whether the request is a first one, a renewal or another (PAS certificationType)."
Severity: #error
Expression: "extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType').exists()"

RuleSet: PreauthorizationRequest
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://carepod.example/id/claim"
* identifier.value 1..1
* type = $claim-type#professional
* use = #preauthorization
* patient only Reference(Patient)
* insert OneReference(patient)
* insert PracticeAndPayer
* related 0..0
* careTeam 0..1
* careTeam obeys cp-pas-scope
* careTeam.provider.reference 1..1
* supportingInfo obeys cp-pas-document
* supportingInfo.category = http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASTempCodes#additionalInformation
* supportingInfo.timing[x] 0..0
* supportingInfo.value[x] 1..1
* supportingInfo.value[x] only Reference
* supportingInfo.valueReference.reference 1..1
* diagnosis.diagnosis[x] only CodeableConcept
* diagnosis.diagnosisCodeableConcept.coding 1..1
* diagnosis.diagnosisCodeableConcept.coding.system 1..1
* diagnosis.diagnosisCodeableConcept.coding.system = $icd-10-cm
* diagnosis.diagnosisCodeableConcept.coding.code 1..1
* insurance 1..1
* insurance.focal = true
* insurance.coverage.reference 1..1
* item 1..*
* item obeys cp-pas-service and cp-pas-certification
* item.category 1..1
* item.productOrService.coding 1..1
* item.productOrService.coding.system 1..1
* item.productOrService.coding.system = $hcpcs
* item.productOrService.coding.code 1..1
* item.serviced[x] 1..1
* item.serviced[x] only Period
* item.servicedPeriod.start 1..1
* item.servicedPeriod.end 1..1
* item.location[x] 1..1
* item.location[x] only CodeableConcept
* item.quantity 1..1
* item.quantity.value 1..1

Profile: PreauthorizationClaim
Parent: Claim
Id: preauthorization-claim
Title: "Request for authorization"
Description: "What a payer is asked to authorize, as auth keeps it: one item a HCPCS code with the units of all doses. It travels as pas-claim, without our own extensions."
* id 1..1
* insert OrderExtension
* extension contains Regimen named regimen 1..1
* status from ClaimStatuses (required)
* insert PreauthorizationRequest
* careTeam.provider only Reference(PractitionerRole or Practitioner or Organization)

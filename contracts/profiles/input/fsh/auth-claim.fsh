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

Invariant: cp-billing-system
Description: "What is asked for is coded in HCPCS, a nurse's visit in CPT."
Severity: #error
Expression: "system = 'http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets' or system = 'http://www.ama-assn.org/go/cpt'"

Invariant: cp-pas-taken-back
Description: "Certification type 3 takes an earlier request back, whole: on the Claim, which names that one, and on every item, or nowhere."
Severity: #error
Expression: "(extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType').value.coding.where(code = '3').exists() or item.extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType').value.coding.where(code = '3').exists()) implies (extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType').value.coding.where(code = '3').exists() and related.exists() and item.all(extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType').value.coding.where(code = '3').exists()))"

Invariant: cp-pas-taken-back-or-cancelled
Description: "Certification type 3 takes an earlier request back, whole: on the Claim, which names that one, and on every item; or it takes back single items of one, each of which says so (PAS infoCancelled), and something is still asked for."
Severity: #error
Expression: "iif(extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType').value.coding.where(code = '3').exists(), related.exists() and item.all(extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType').value.coding.where(code = '3').exists()), item.all(extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType').value.coding.where(code = '3').exists() = modifierExtension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/modifierextension-infoCancelled').exists()) and (item.modifierExtension.exists() implies related.exists()) and item.where(modifierExtension.exists().not()).exists())"

Invariant: cp-pas-changed
Description: "What was changed or added since the earlier request says so (PAS infoChanged), and only a request that names an earlier one has such."
Severity: #error
Expression: "item.extension.where(url = 'http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-infoChanged').exists() implies related.exists()"

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
* related 0..1
* related.claim 1..1
* related.claim.reference 1..1
* related.relationship = http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship#prior
* obeys cp-pas-changed
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
* item.productOrService.coding obeys cp-billing-system
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
Description: "What a payer is asked to authorize, as auth keeps it: one item a HCPCS code with the units of all doses. It travels as pas-claim, without our own extensions. One that names an earlier one changes that or takes it back."
* ^version = "4.1"
* id 1..1
* insert OrderExtension
* extension contains Regimen named regimen 1..1
* extension contains AuthorizationPeriod named period 0..1
* obeys cp-pas-taken-back
* status from ClaimStatuses (required)
* insert PreauthorizationRequest
* careTeam.provider only Reference(PractitionerRole or Practitioner or Organization)

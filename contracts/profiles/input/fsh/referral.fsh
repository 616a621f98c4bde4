// What a complete referral says: every demand not met is one gap told to the placer (contracts/profiles/gaps.yaml), never a refusal.
// Whoever meets these demands meets those of US Core 8.0.0 for the same resource.

Profile: ReferralPatient
Parent: Patient
Id: referral-patient
Title: "Patient of a referral"
Description: "Who is to be infused: by an identifier of the sender's, with name, gender and birth date."
* identifier 1..*
* identifier.system 1..1
* identifier.value 1..1
* name 1..*
* name obeys cp-name-said
* gender 1..1
* birthDate 1..1
* telecom.system 1..1
* telecom.value 1..1


Invariant: cp-name-said
Description: "A name says the family name or a given name, or by the extension data-absent-reason why neither is known."
Expression: "(family.exists() or given.exists()) xor extension.where(url = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason').exists()"
Severity: #error


Profile: ReferralCoverage
Parent: Coverage
Id: referral-coverage
Title: "Coverage of a referral"
Description: "Who pays: member number, one payer, the patient as beneficiary and how he is related to the subscriber; group, plan and order where there are any."
* obeys cp-member-known
* identifier ^slicing.discriminator.type = #value
* identifier ^slicing.discriminator.path = "type"
* identifier ^slicing.rules = #open
* identifier contains memberId 0..1
* identifier[memberId].type 1..1
* identifier[memberId].type = $identifier-type#MB
* identifier[memberId].value 1..1
* beneficiary.reference 1..1
* relationship 1..1
* payor 1..1
* class ^slicing.discriminator.type = #value
* class ^slicing.discriminator.path = "type"
* class ^slicing.rules = #open
* class contains group 0..1 and plan 0..1
* class[group].type = $coverage-class#group
* class[plan].type = $coverage-class#plan


Invariant: cp-member-known
Description: "The member's number stands in subscriberId or in an identifier of type MB."
Expression: "subscriberId.exists() or identifier.type.coding.where(system = 'http://terminology.hl7.org/CodeSystem/v2-0203' and code = 'MB').exists()"
Severity: #error


Profile: ReferralOrder
Parent: ServiceRequest
Id: referral-order
Title: "Order of a referral"
Description: "What is ordered: an order in force, for a patient, by a prescriber, wanted from a day on, and where."
* obeys cp-place-said
* status from https://carepod.example/fhir/ValueSet/order-status (required)
* intent from https://carepod.example/fhir/ValueSet/order-intent (required)
* doNotPerform = false
* code 1..1
* subject only Reference(Patient)
* occurrence[x] 1..1
* requester 1..1


Invariant: cp-place-said
Description: "Where the infusion is to be given is said: locationCode (aic, hopd or home) or one of our sites as performer."
Expression: "locationCode.exists() or performer.exists()"
Severity: #error


ValueSet: OrderStatus
Id: order-status
Title: "Status of an order in a referral"
Description: "Any but draft and unknown: an order in force, or one that says how it ended."
* ^experimental = false
* $request-status#active
* $request-status#on-hold
* $request-status#revoked
* $request-status#completed
* $request-status#entered-in-error


ValueSet: OrderIntent
Id: order-intent
Title: "Intent of an order in a referral"
Description: "The kinds of order a placer writes; proposals, plans and options order nothing."
* ^experimental = false
* $request-intent#order
* $request-intent#original-order
* $request-intent#reflex-order
* $request-intent#instance-order


Profile: ReferralMedicationRequest
Parent: MedicationRequest
Id: referral-medication-request
Title: "Prescription of a referral"
Description: "Which drug, coded, in which doses and when each is given, for whom and by whom."
* status from https://carepod.example/fhir/ValueSet/prescription-status (required)
* intent from https://carepod.example/fhir/ValueSet/prescription-intent (required)
* doNotPerform = false
* medicationCodeableConcept.coding 1..*
* subject only Reference(Patient)
* requester 1..1
* dosageInstruction 1..*
* dosageInstruction obeys cp-dose-amount
* dosageInstruction.timing 1..1


Invariant: cp-dose-amount
Description: "A dose is an amount above zero with its unit."
Expression: "doseAndRate.dose.ofType(Quantity).where(value > 0 and (code.exists() or unit.exists())).exists()"
Severity: #error


ValueSet: PrescriptionStatus
Id: prescription-status
Title: "Status of a prescription in a referral"
Description: "Any but draft and unknown: a prescription in force, or one that says how it ended."
* ^experimental = false
* $medicationrequest-status#active
* $medicationrequest-status#on-hold
* $medicationrequest-status#cancelled
* $medicationrequest-status#completed
* $medicationrequest-status#entered-in-error
* $medicationrequest-status#stopped


ValueSet: PrescriptionIntent
Id: prescription-intent
Title: "Intent of a prescription in a referral"
Description: "The kinds of order a prescriber writes; proposals, plans and options order nothing."
* ^experimental = false
* $medicationrequest-intent#order
* $medicationrequest-intent#original-order
* $medicationrequest-intent#reflex-order
* $medicationrequest-intent#filler-order
* $medicationrequest-intent#instance-order


Profile: ReferralLab
Parent: Observation
Id: referral-lab
Title: "Laboratory result of a referral"
Description: "A final result by LOINC code, with its day, and a value in UCUM units or the reason why there is none."
* obeys cp-result-said
* status from https://carepod.example/fhir/ValueSet/lab-status (required)
* category ^slicing.discriminator.type = #value
* category ^slicing.discriminator.path = "$this"
* category ^slicing.rules = #open
* category contains laboratory 1..1
* category[laboratory] = $observation-category#laboratory
* code.coding ^slicing.discriminator.type = #value
* code.coding ^slicing.discriminator.path = "system"
* code.coding ^slicing.rules = #open
* code.coding contains loinc 1..*
* code.coding[loinc].system 1..1
* code.coding[loinc].system = $loinc
* code.coding[loinc].code 1..1
* subject 1..1
* subject only Reference(Patient)
* effective[x] 1..1
* effective[x] obeys cp-day-said
* valueQuantity.system 1..1
* valueQuantity.system = $ucum
* valueQuantity.code 1..1
* referenceRange obeys cp-range-ucum


Invariant: cp-result-said
Description: "A result has a value, or dataAbsentReason says why not; a panel may have components or members instead."
Expression: "value.exists() or dataAbsentReason.exists() or component.exists() or hasMember.exists()"
Severity: #error

Invariant: cp-day-said
Description: "The time of the result names at least the day."
Expression: "$this is dateTime implies $this.toString().length() >= 10"
Severity: #error

Invariant: cp-range-ucum
Description: "A reference range is written in UCUM units, or without a system."
Expression: "(low.system.empty() or low.system = 'http://unitsofmeasure.org') and (high.system.empty() or high.system = 'http://unitsofmeasure.org')"
Severity: #error


ValueSet: LabStatus
Id: lab-status
Title: "Status of a laboratory result in a referral"
Description: "A result that is final, and stays so when it is amended or corrected."
* ^experimental = false
* $observation-status#final
* $observation-status#amended
* $observation-status#corrected


Profile: ReferralCondition
Parent: Condition
Id: referral-condition
Title: "Diagnosis of a referral"
Description: "Why the infusion is wanted: an ICD-10-CM code, of this patient, and whether it still holds."
* clinicalStatus 1..1
* category ^slicing.discriminator.type = #value
* category ^slicing.discriminator.path = "$this"
* category ^slicing.rules = #open
* category contains kind 1..*
* category[kind] from https://carepod.example/fhir/ValueSet/diagnosis-category (required)
* code 1..1
* code.coding ^slicing.discriminator.type = #value
* code.coding ^slicing.discriminator.path = "system"
* code.coding ^slicing.rules = #open
* code.coding contains icd10cm 1..*
* code.coding[icd10cm].system 1..1
* code.coding[icd10cm].system = $icd-10-cm
* code.coding[icd10cm].code 1..1
* code.coding[icd10cm] obeys cp-icd-shape
* subject only Reference(Patient)


Invariant: cp-icd-shape
Description: "A diagnosis code has the shape of ICD-10-CM, such as A00.0: a letter, a digit, a letter or digit, then up to four more."
Expression: "code.exists() implies code.matches('^[A-Z][0-9][0-9A-Z]([.]?[0-9A-Z]{1,4})?$')"
Severity: #error


ValueSet: DiagnosisCategory
Id: diagnosis-category
Title: "Category of a diagnosis in a referral"
Description: "Diagnosis of an encounter, item of the problem list, or health concern."
* ^experimental = false
* $condition-category#encounter-diagnosis
* $condition-category#problem-list-item
* $us-core-condition-category#health-concern


Profile: ReferralPrescriber
Parent: Practitioner
Id: referral-prescriber
Title: "Prescriber of a referral"
Description: "Who ordered the infusion: National Provider Identifier with a right check digit, and the name."
* identifier.system 1..1
* identifier.value 1..1
* identifier ^slicing.discriminator.type = #value
* identifier ^slicing.discriminator.path = "system"
* identifier ^slicing.rules = #open
* identifier contains npi 1..*
* identifier[npi].system 1..1
* identifier[npi].system = $npi
* identifier[npi] obeys cp-npi-check
* name 1..*
* name.family 1..1
* address.line 0..4


Invariant: cp-npi-check
Description: "A National Provider Identifier has ten digits, begins with 1 or 2, and its check digit is right (Luhn over 80840 and the number)."
Expression: "value.exists() implies (value.matches('^[12][0-9]{9}$') and (24 + value.toChars().select(toInteger() * (2 - $index mod 2)).select($this mod 10 + $this div 10).aggregate($this + $total, 0)) mod 10 = 0)"
Severity: #error

// A request as it travels to a payer: whatever satisfies these satisfies the profiles of Da Vinci PAS 2.2.1, and through
// them US Core, as far as they can be checked without X12's licensed value sets.

RuleSet: OfPas
* id 1..1

Profile: PasClaim
Parent: Claim
Id: pas-claim
Title: "Request for authorization as sent"
Description: "The Claim of a PAS request: as auth keeps it, without our own extensions, and every party by a reference that resolves in the Bundle."
* ^version = "5.0"
* insert OfPas
* status = #active
* insert PreauthorizationRequest
* obeys cp-pas-taken-back-or-cancelled
* insurer.reference 1..1
* provider only Reference(Organization or PractitionerRole)
* provider.reference 1..1
* careTeam.provider only Reference(PractitionerRole or Organization)
* supportingInfo.valueReference only Reference(AllergyIntolerance or Bundle or Condition or DeviceRequest or DiagnosticReport or DocumentReference or Immunization or MedicationRequest or NutritionOrder or Observation or Procedure or QuestionnaireResponse or ServiceRequest)

Profile: PasBeneficiary
Parent: Patient
Id: pas-beneficiary
Title: "Patient as sent"
Description: "Whom a request is for: by identifier, name and gender, with a birth date only where it is whole."
* insert OfPas
* identifier 1..*
* identifier.system 1..1
* identifier.value 1..1
* name 1..*
* name obeys cp-pas-name
* telecom.system 1..1
* telecom.value 1..1
* gender 1..1
* birthDate obeys cp-pas-day

Invariant: cp-pas-name
Description: "A name has a family or a given name."
Severity: #error
Expression: "family.exists() or given.exists()"

Invariant: cp-pas-day
Description: "A date is said to the day."
Severity: #error
Expression: "$this.toString().length() = 10"

Profile: PasCoverage
Parent: Coverage
Id: pas-coverage
Title: "Coverage as sent"
Description: "By what a request is to be paid: one member identifier, the relationship to the subscriber, and the payer asked."
* insert OfPas
* identifier 1..*
* identifier ^slicing.discriminator.type = #pattern
* identifier ^slicing.discriminator.path = "type"
* identifier ^slicing.rules = #open
* identifier contains member 1..1
* identifier[member].type 1..1
* identifier[member].type = $identifier-type#MB
* identifier[member].value 1..1
* status = #active
* subscriber only Reference(Patient)
* beneficiary only Reference(Patient)
* insert OneReference(beneficiary)
* relationship 1..1
* payor 1..1
* payor only Reference(Organization)
* payor.reference 1..1
* obeys cp-pas-subscriber

Invariant: cp-pas-subscriber
Description: "Where the patient is not the subscriber (X12 18), the subscriber is named."
Severity: #error
Expression: "relationship.coding.where(code = '18').exists() or subscriber.exists()"

Profile: PasOrganization
Parent: Organization
Id: pas-organization
Title: "Organization as sent"
Description: "The payer asked, the practice that asks, and any other organization cited."
* insert OfPas
* identifier.system 1..1
* identifier.value 1..1
* active 1..1
* active = true
* name 1..1

Profile: PasPractitionerRole
Parent: PractitionerRole
Id: pas-practitioner-role
Title: "Practitioner's role as sent"
Description: "A member of the care team, with a way to reach him."
* insert OfPas
* practitioner 1..1
* practitioner only Reference(Practitioner)
* practitioner.reference 1..1
* telecom 1..*
* telecom.system 1..1
* telecom.value 1..1

Profile: PasPractitioner
Parent: Practitioner
Id: pas-practitioner
Title: "Practitioner as sent"
Description: "Who ordered the infusion: by identifier and family name."
* insert OfPas
* identifier 1..*
* identifier.system 1..1
* identifier.value 1..1
* name 1..*
* name.family 1..1
* telecom.system 1..1
* telecom.value 1..1

Profile: PasObservation
Parent: Observation
Id: pas-observation
Title: "Result as sent"
Description: "A result that is cited itself: its category and its patient are said. One that says less travels enclosed in a Bundle of its own."
* insert OfPas
* category 1..*
* subject 1..1
* subject.reference 1..1

Profile: PasCondition
Parent: Condition
Id: pas-condition
Title: "Condition as sent"
Description: "A condition that is cited itself: its category is said. One that says less travels enclosed in a Bundle of its own."
* insert OfPas
* category 1..*
* category from PasConditionCategories (required)
* code 1..1
* subject only Reference(Patient)
* subject.reference 1..1

ValueSet: PasConditionCategories
Id: pas-condition-category
Title: "Categories of a condition sent"
Description: "The categories by which a condition may be cited."
* http://terminology.hl7.org/CodeSystem/condition-category#problem-list-item
* http://terminology.hl7.org/CodeSystem/condition-category#encounter-diagnosis
* http://hl7.org/fhir/us/core/CodeSystem/condition-category#health-concern

Profile: PasDocument
Parent: DocumentReference
Id: pas-document
Title: "Document as sent"
Description: "A document that is cited itself: with its content inside. One that lies elsewhere travels enclosed in a Bundle of its own."
* insert OfPas
* type 1..1
* category 1..*
* subject 1..1
* subject only Reference(Patient)
* subject.reference 1..1
* content.attachment.data 1..1
* content.attachment.url 0..0

Profile: PasRequest
Parent: Bundle
Id: pas-request
Title: "Request to a payer"
Description: "What is posted to a payer's Claim/$submit: the Claim first, then every resource it cites, each once; of a request that changes another or takes it back, that one as well."
* ^version = "5.0"
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://carepod.example/id/claim"
* identifier.value 1..1
* type = #collection
* timestamp 1..1
* total 0..0
* entry 1..*
* entry.fullUrl 1..1
* entry.resource 1..1
* entry.search 0..0
* entry.request 0..0
* entry.response 0..0
* entry ^slicing.discriminator.type = #type
* entry ^slicing.discriminator.path = "resource"
* entry ^slicing.rules = #open
* entry contains claim 1..2 and patient 1..* and coverage 1..* and organization 2..* and role 0..* and practitioner 0..* and observation 0..* and condition 0..* and document 0..*
* entry[claim].resource only PasClaim
* entry[patient].resource only PasBeneficiary
* entry[coverage].resource only PasCoverage
* entry[organization].resource only PasOrganization
* entry[role].resource only PasPractitionerRole
* entry[practitioner].resource only PasPractitioner
* entry[observation].resource only PasObservation
* entry[condition].resource only PasCondition
* entry[document].resource only PasDocument
* obeys cp-claim-first

Invariant: cp-claim-first
Description: "The Claim comes first."
Severity: #error
Expression: "entry.first().resource is Claim"

// What others sent us, as intake saves it: stored as received under our id, so base R4 and the id are all that can be promised.

RuleSet: OfIntake
* id 1..1
* obeys cp-intake-id
* meta.extension contains source-updated named sourceUpdated 0..1


Invariant: cp-intake-id
Description: "The id is intake's: it begins with in-."
Expression: "id.startsWith('in-')"
Severity: #error


Profile: ReceivedPatient
Parent: Patient
Id: patient
Title: "Patient as received"
Description: "A Patient somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedRelatedPerson
Parent: RelatedPerson
Id: related-person
Title: "Related person as received"
Description: "A RelatedPerson somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedCoverage
Parent: Coverage
Id: coverage
Title: "Coverage as received"
Description: "A Coverage somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedCondition
Parent: Condition
Id: condition
Title: "Condition as received"
Description: "A Condition somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedObservation
Parent: Observation
Id: observation
Title: "Observation as received"
Description: "A Observation somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedAllergyIntolerance
Parent: AllergyIntolerance
Id: allergy-intolerance
Title: "Allergy or intolerance as received"
Description: "A AllergyIntolerance somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedMedicationStatement
Parent: MedicationStatement
Id: medication-statement
Title: "Medication statement as received"
Description: "A MedicationStatement somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedImmunization
Parent: Immunization
Id: immunization
Title: "Immunization as received"
Description: "A Immunization somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedPractitioner
Parent: Practitioner
Id: practitioner
Title: "Practitioner as received"
Description: "A Practitioner somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedPractitionerRole
Parent: PractitionerRole
Id: practitioner-role
Title: "Practitioner's role as received"
Description: "A PractitionerRole somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedOrganization
Parent: Organization
Id: organization
Title: "Organization as received"
Description: "A Organization somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedLocation
Parent: Location
Id: location
Title: "Location as received"
Description: "A Location somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedMedication
Parent: Medication
Id: medication
Title: "Medication as received"
Description: "A Medication somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedDocumentReference
Parent: DocumentReference
Id: document-reference
Title: "Document as received"
Description: "A DocumentReference somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedBinary
Parent: Binary
Id: binary
Title: "Binary as received"
Description: "A Binary somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedConsent
Parent: Consent
Id: consent
Title: "Consent as received"
Description: "A Consent somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedEncounter
Parent: Encounter
Id: encounter
Title: "Encounter as received"
Description: "A Encounter somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedDevice
Parent: Device
Id: device
Title: "Device as received"
Description: "A Device somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedDeviceUseStatement
Parent: DeviceUseStatement
Id: device-use-statement
Title: "Use of a device as received"
Description: "A DeviceUseStatement somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: HeldAuthorization
Parent: ClaimResponse
Id: held-authorization
Title: "Authorization held, as received"
Description: "A ClaimResponse somebody sent with a referral, under our id and with references in our ids: an authorization the payer gave to another. Nothing counts of it before the payer has confirmed it."
* insert OfIntake


Profile: ReceivedMedicationDispense
Parent: MedicationDispense
Id: medication-dispense
Title: "Dispense as received"
Description: "A MedicationDispense somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedMedicationRequest
Parent: MedicationRequest
Id: medication-request
Title: "Prescription as received"
Description: "A MedicationRequest somebody sent, under our id and with references in our ids; nothing else of it is changed."
* insert OfIntake


Profile: ReceivedOrder
Parent: ServiceRequest
Id: received-order
Title: "Order as received"
Description: "The placer's ServiceRequest under our id and with references in our ids; it stays the placer's. A filler order is ours."
* insert OfIntake
* intent from https://carepod.example/fhir/ValueSet/received-order-intent (required)


ValueSet: ReceivedOrderIntent
Id: received-order-intent
Title: "Intent of an order as received"
Description: "Any intent but filler-order, which is ours."
* ^experimental = false
* $request-intent#proposal
* $request-intent#plan
* $request-intent#directive
* $request-intent#order
* $request-intent#original-order
* $request-intent#reflex-order
* $request-intent#instance-order
* $request-intent#option

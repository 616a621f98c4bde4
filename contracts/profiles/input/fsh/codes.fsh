// What several services say of one another's work: Tasks, therapies, drugs, places, visits and what a visit requires.

Alias: $appointment-status = http://hl7.org/fhir/appointmentstatus
Alias: $charge-status = http://hl7.org/fhir/chargeitem-status
Alias: $claim-status = http://hl7.org/fhir/fm-status
Alias: $claim-type = http://terminology.hl7.org/CodeSystem/claim-type
Alias: $slot-status = http://hl7.org/fhir/slotstatus

CodeSystem: TaskCode
Id: task-code
Title: "Task codes"
Description: "What a Task of ours is about. The code says which service owns the Task and which profile it obeys."
* ^caseSensitive = true
* #referral "Referral" "Our answer to a placer: where the referral stands, and what it lacks. Owned by intake."
* #intake-question "Intake question" "What intake asks a person about a referral. Owned by intake."
* #preauthorization "Prior authorization" "Where the payer's authorization of an order stands. Owned by auth."
* #appeal "Appeal" "Whether a denial is appealed, and until when. Owned by auth."
* #authorization-question "Authorization question" "What auth asks a person about a benefit or an authorization. Owned by auth."
* #chair "Chair visits" "Where the chair visits of an order stand. Owned by scheduling."
* #scheduling-question "Scheduling question" "What scheduling asks a person about an order or a visit. Owned by scheduling."
* #message-question "Message question" "A message between our services that could not be taken. Owned by whoever could not take it."

ValueSet: TaskCodes
Id: task-code
Title: "Task codes"
Description: "Every code a Task of ours may have."
* include codes from system TaskCode

CodeSystem: Therapy
Id: therapy
Title: "Therapies"
Description: "Kinds of infusion that differ in what is required before they may begin."
* ^caseSensitive = true
* #iv-iron "Intravenous iron" "Iron given into a vein."
* #anti-tnf "Inhibitor of tumor necrosis factor" "Infliximab and its biosimilars."

ValueSet: Therapies
Id: therapy
Title: "Therapies"
Description: "Every therapy the practice gives."
* include codes from system Therapy

CodeSystem: Drug
Id: drug
Title: "Drugs of the practice's catalogue"
Description: "Keys of the drug catalogue, which grows without a new version of these definitions; those listed here are a part. No element is bound to it."
* ^caseSensitive = true
* ^content = #fragment
* #ferric-carboxymaltose "Ferric carboxymaltose" "Intravenous iron, billed by HCPCS J1439."
* #iron-sucrose "Iron sucrose" "Intravenous iron, billed by HCPCS J1756."
* #ferric-derisomaltose "Ferric derisomaltose" "Intravenous iron, billed by HCPCS J1437."
* #infliximab "Infliximab" "The originator, billed by HCPCS J1745."
* #infliximab-dyyb "Infliximab-dyyb" "A biosimilar of infliximab, billed by HCPCS Q5103."

CodeSystem: SiteOfCare
Id: site-of-care
Title: "Sites of care"
Description: "Kinds of place an infusion may be ordered for; payers pay by it."
* ^caseSensitive = true
* #aic "Ambulatory infusion center" "A chair of the practice."
* #hopd "Hospital outpatient department" "A chair billed as outpatient department of a hospital."
* #home "Home" "The patient's home."

ValueSet: SitesOfCare
Id: site-of-care
Title: "Sites of care"
Description: "Every kind of place an infusion may be ordered for."
* include codes from system SiteOfCare

CodeSystem: AppointmentKind
Id: appointment-kind
Title: "Kinds of appointment"
Description: "What an Appointment of ours takes up; the kind says which service owns it."
* ^caseSensitive = true
* #chair "Chair visit" "A visit to an infusion chair of the practice. Owned by scheduling."
* #home-visit "Home visit" "A visit of a nurse to the patient's home. Owned by nursing."

ValueSet: AppointmentKinds
Id: appointment-kind
Title: "Kinds of appointment"
Description: "Every kind of Appointment of ours."
* include codes from system AppointmentKind

CodeSystem: ReferralOutput
Id: referral-output
Title: "Outputs of a referral"
Description: "What an output of the Task referral tells the placer."
* ^caseSensitive = true
* #missing "Missing" "What the referral lacks: a gap, and in words what would be right."
* #appointment "Appointment" "A visit that is booked, or was kept."
* #authorization "Authorization" "A number of the payer's authorization."
* #question "Question" "A question of ours that is open."

ValueSet: ReferralOutputs
Id: referral-output
Title: "Outputs of a referral"
Description: "Everything an output of the Task referral may tell."
* include codes from system ReferralOutput

// What a visit requires

CodeSystem: VisitRequirement
Id: visit-requirement
Title: "Requirements of a visit"
Description: "The one vocabulary of what must hold before an infusion can happen, at a chair or at home."
* ^caseSensitive = true
* #authorized "Authorized" "The payer's authorization covers the day and a dose of it is reserved, or none is needed."
* #benefit-verified "Benefit verified" "The coverage is in force on the day, and its payer has said so."
* #order-current "Order current" "The order is active, asks for this dose, and is not too old."
* #order-verified "Order verified" "A pharmacist has confirmed the order."
* #drug-on-hand "Drug on hand" "The pharmacy has said that the drug for this visit is there."
* #premedication-ordered "Premedication ordered" "What is given before the infusion is ordered."
* #labs-current "Laboratory results current" "Every result the therapy needs is recent enough on the day."
* #access-suitable "Access suitable" "The patient's venous access suits the drug."
* #consented "Consented" "The patient's latest word on the treatment is a consent."
* #nurse-competent "Nurse competent" "The nurse may give this drug to this patient."
* #rems-cleared "REMS cleared" "What a risk evaluation and mitigation strategy asks for is done."
* #drug-delivered "Drug delivered" "The drug has arrived at the patient's home."
* #supplies-delivered "Supplies delivered" "The supplies have arrived at the patient's home."
* #home-assessed "Home assessed" "The home has been found suitable."

ValueSet: VisitRequirements
Id: visit-requirement
Title: "Requirements of a visit"
Description: "Everything a visit may require."
* include codes from system VisitRequirement

CodeSystem: RequirementStatus
Id: requirement-status
Title: "Status of a requirement"
Description: "Where one requirement of a visit stands."
* ^caseSensitive = true
* #met "Met" "It holds; the evidence says by which resource."
* #unmet "Unmet" "It does not hold; reason and holder say why and who has it."
* #overridden "Overridden" "A person has decided that the visit goes on without it."
* #not-needed "Not needed" "This visit does not ask for it."

ValueSet: RequirementStatuses
Id: requirement-status
Title: "Status of a requirement"
Description: "Every status of a requirement."
* include codes from system RequirementStatus

CodeSystem: RequirementDeadline
Id: requirement-deadline
Title: "Deadlines of requirements"
Description: "Until when a requirement of a visit must be met."
* ^caseSensitive = true
* #book "Before booking" "Without it no time is booked."
* #prepare "Before preparation" "Without it the visit is not prepared, so many business days before it."
* #start "Before the start" "Without it the infusion is not begun."

ValueSet: RequirementDeadlines
Id: requirement-deadline
Title: "Deadlines of requirements"
Description: "Every deadline of a requirement."
* include codes from system RequirementDeadline

CodeSystem: HoldAnswer
Id: hold-answer
Title: "Answers to a hold"
Description: "What auth answers to the number of a held time."
* ^caseSensitive = true
* #reserved "Reserved" "Authorized units are reserved for the dose."
* #not-needed "Not needed" "The dose needs no authorization."
* #refused "Refused" "No units may be reserved; the reason stands beside it."

ValueSet: HoldAnswers
Id: hold-answer
Title: "Answers to a hold"
Description: "Every answer to the number of a held time."
* include codes from system HoldAnswer

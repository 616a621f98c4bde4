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
* #referral-question "Question about two referrals" "Intake asks whether two referrals of the same therapy go on both, or which. Owned by intake."
* #pull "Pull" "What intake reads of a sender's own system for a referral. Owned by intake."
* #intake-question "Intake question" "What intake asks a person about a referral. Owned by intake."
* #preauthorization "Prior authorization" "Where the payer's authorization of an order stands. Owned by auth."
* #appeal "Appeal" "Whether a denial is appealed, and until when. Owned by auth."
* #renewal "Renewal" "Where the authorization of an order's next period stands, and which doses it leaves uncovered. Owned by auth."
* #authorization-question "Authorization question" "What auth asks a person about a benefit or an authorization. Owned by auth."
* #chair "Chair visits" "Where the chair visits of an order stand. Owned by scheduling."
* #scheduling-question "Scheduling question" "What scheduling asks a person about an order or a visit. Owned by scheduling."
* #home-nursing "Home visits" "Where the home visits of an order stand. Owned by nursing."
* #nursing-question "Nursing question" "What nursing asks a person about an order or a home visit. Owned by nursing."
* #agency-visit "Agency visit" "One home visit asked of an outside nursing agency. Owned by nursing."
* #hub-enrolment "Enrolment in a programme" "Whether a patient may have a programme's help with what he pays himself, and where his enrolment stands. Owned by auth."
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
* #opat "Outpatient parenteral antibiotic" "Antibiotics given into a vein outside the hospital."
* #immunoglobulin "Immunoglobulin" "Immunoglobulin into a vein or under the skin."
* #anti-integrin "Inhibitor of integrin" "Natalizumab and vedolizumab."
* #anti-cd20 "Antibody against CD20" "Rituximab, ocrelizumab and their biosimilars."
* #complement-inhibitor "Complement inhibitor" "Eculizumab and ravulizumab."
* #growth-factor "Growth factor of white cells" "Filgrastim, pegfilgrastim and their biosimilars."
* #esa "Erythropoiesis stimulating agent" "Epoetin and darbepoetin."
* #parenteral-nutrition "Parenteral nutrition" "Feeding through a vein."
* #chemotherapy "Chemotherapy" "Drugs against cancer given by a pump."
* #inotrope "Inotrope" "Milrinone and dobutamine."

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
* #vancomycin "Vancomycin" "Antibiotic, billed by HCPCS J3373."
* #ceftriaxone "Ceftriaxone" "Antibiotic, billed by HCPCS J0696."
* #cefazolin "Cefazolin" "Antibiotic, billed by HCPCS J0690."
* #cefepime "Cefepime" "Antibiotic, billed by HCPCS J0692."
* #ertapenem "Ertapenem" "Antibiotic, billed by HCPCS J1335."
* #meropenem "Meropenem" "Antibiotic, billed by HCPCS J2185."
* #daptomycin "Daptomycin" "Antibiotic, billed by HCPCS J0878."
* #gamunex-c "Immune globulin (Gamunex-C)" "Immune globulin, billed by HCPCS J1561."
* #gammagard-liquid "Immune globulin (Gammagard Liquid)" "Immune globulin, billed by HCPCS J1569."
* #privigen "Immune globulin (Privigen)" "Immune globulin, billed by HCPCS J1459."
* #vedolizumab "Vedolizumab (Entyvio)" "Anti-integrin, billed by HCPCS J3380."
* #natalizumab "Natalizumab (Tysabri)" "Anti-integrin, billed by HCPCS J2323."
* #rituximab "Rituximab (Rituxan)" "Anti-CD20 antibody, billed by HCPCS J9312."
* #ocrelizumab "Ocrelizumab (Ocrevus)" "Anti-CD20 antibody, billed by HCPCS J2350."
* #eculizumab "Eculizumab (Soliris)" "Complement inhibitor, billed by HCPCS J1299."
* #ravulizumab "Ravulizumab (Ultomiris)" "Complement inhibitor, billed by HCPCS J1303."
* #pegfilgrastim "Pegfilgrastim (Neulasta)" "Growth factor, billed by HCPCS J2506."
* #filgrastim "Filgrastim (Neupogen)" "Growth factor, billed by HCPCS J1442."
* #epoetin-alfa "Epoetin alfa (Epogen)" "Erythropoiesis stimulating agent, billed by HCPCS J0885."
* #darbepoetin-alfa "Darbepoetin alfa (Aranesp)" "Erythropoiesis stimulating agent, billed by HCPCS J0881."
* #parenteral-nutrition "Parenteral nutrition with 74 to 100 g of protein a day" "Nutrition into a vein, billed by HCPCS B4197."
* #parenteral-nutrition-10-51 "Parenteral nutrition with 10 to 51 g of protein a day" "Nutrition into a vein, billed by HCPCS B4189."
* #parenteral-nutrition-52-73 "Parenteral nutrition with 52 to 73 g of protein a day" "Nutrition into a vein, billed by HCPCS B4193."
* #parenteral-nutrition-over-100 "Parenteral nutrition with more than 100 g of protein a day" "Nutrition into a vein, billed by HCPCS B4199."
* #fluorouracil "Fluorouracil" "Chemotherapy, billed by HCPCS J9190."
* #milrinone "Milrinone" "Inotrope, billed by HCPCS J2260."
* #dobutamine "Dobutamine" "Inotrope, billed by HCPCS J1250."
* #ferumoxytol "Ferumoxytol (Feraheme)" "Intravenous iron, billed by HCPCS Q0138."
* #iron-dextran "Iron dextran (Infed)" "Intravenous iron, billed by HCPCS J1750."
* #ferric-gluconate "Sodium ferric gluconate (Ferrlecit)" "Intravenous iron, billed by HCPCS J2916."
* #infliximab-abda "Infliximab-abda (Renflexis)" "Anti-TNF antibody, billed by HCPCS Q5104."
* #infliximab-axxq "Infliximab-axxq (Avsola)" "Anti-TNF antibody, billed by HCPCS Q5121."
* #rituximab-abbs "Rituximab-abbs (Truxima)" "Anti-CD20 antibody, billed by HCPCS Q5115."
* #rituximab-pvvr "Rituximab-pvvr (Ruxience)" "Anti-CD20 antibody, billed by HCPCS Q5119."
* #rituximab-arrx "Rituximab-arrx (Riabni)" "Anti-CD20 antibody, billed by HCPCS Q5123."
* #pegfilgrastim-jmdb "Pegfilgrastim-jmdb (Fulphila)" "Growth factor, billed by HCPCS Q5108."
* #pegfilgrastim-cbqv "Pegfilgrastim-cbqv (Udenyca)" "Growth factor, billed by HCPCS Q5111."
* #pegfilgrastim-bmez "Pegfilgrastim-bmez (Ziextenzo)" "Growth factor, billed by HCPCS Q5120."
* #pegfilgrastim-apgf "Pegfilgrastim-apgf (Nyvepria)" "Growth factor, billed by HCPCS Q5122."
* #epoetin-alfa-epbx "Epoetin alfa-epbx (Retacrit)" "Erythropoiesis stimulating agent, billed by HCPCS Q5106."
* #octagam "Immune globulin (Octagam)" "Immune globulin, billed by HCPCS J1568."
* #gammaplex "Immune globulin (Gammaplex)" "Immune globulin, billed by HCPCS J1557."
* #bivigam "Immune globulin (Bivigam)" "Immune globulin, billed by HCPCS J1556."
* #asceniv "Immune globulin (Asceniv)" "Immune globulin, billed by HCPCS J1554."
* #alyglo "Immune globulin (Alyglo)" "Immune globulin, billed by HCPCS J1552."
* #panzyga "Immune globulin (Panzyga)" "Immune globulin, billed by HCPCS J1576."
* #gammagard-sd "Immune globulin (Gammagard S/D)" "Immune globulin, billed by HCPCS J1566."
* #piperacillin-tazobactam "Piperacillin and tazobactam (Zosyn)" "Antibiotic, billed by HCPCS J2543."

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
* #peer-to-peer "Peer to peer" "A talk of the prescriber with a physician of the payer, which takes up no chair and no nurse. Owned by auth."

ValueSet: AppointmentKinds
Id: appointment-kind
Title: "Kinds of appointment"
Description: "Every kind of Appointment that takes up a chair or a nurse."
* AppointmentKind#chair
* AppointmentKind#home-visit

CodeSystem: ReferralOutput
Id: referral-output
Title: "Outputs of a referral"
Description: "What an output of the Task referral tells the placer."
* ^caseSensitive = true
* #missing "Missing" "What the referral lacks: a gap, and in words what would be right."
* #appointment "Appointment" "A visit that is booked, or was kept."
* #authorization "Authorization" "A number of the payer's authorization."
* #question "Question" "A question of ours that is open."
* #feedback "Feedback" "What came of a completed referral, in words."

CodeSystem: AnswerWay
Id: answer-way
Title: "Ways to answer"
Description: "How a placer is told where his referral stands: medium of the Communication that answers him."
* ^caseSensitive = true
* #task "Task" "Our Task, put to his system."
* #document "Document" "A letter in a DocumentReference, posted to his system."
* #notification "Notification" "A notification of his subscription."
* #file "File" "A letter as a PDF file in a folder another system takes it from."

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
* #patient-at-home "Patient at home" "The patient lives, and is in no hospital."
* #caregiver-present "Caregiver present" "Somebody in the home helps, where the therapy or the patient's age asks for it."
* #first-dose-safe "First dose safe" "A first dose at home has orders for a reaction, and is of no drug excluded from it."

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

CodeSystem: PatientNotice
Id: patient-notice
Title: "Notices to patients"
Description: "What a patient, or who speaks for him, is told or asked: the category of a CommunicationRequest."
* ^caseSensitive = true
* #welcome "Welcome" "The referral has come, and nothing need be done now."
* #consent-request "Consent request" "Does the patient agree to be treated?"
* #address-confirmation "Address confirmation" "Can the patient be found at the address his supplies go to?"
* #therapy-overview "Therapy overview" "What kind of therapy it is and what to expect."
* #logistics "Logistics" "When and where the visits are."

CodeSystem: NoticeMedium
Id: notice-medium
Title: "Media of notices"
Description: "By what a notice goes to a patient: CommunicationRequest.medium, every one tried, the last is the current."
* ^caseSensitive = true
* #mail "Mail" "By the practice's mail server."
* #text "Text" "To a telephone, by the gateway for texts."

CodeSystem: NoticeReason
Id: notice-reason
Title: "Why a notice is not given"
Description: "Why a notice waits, was withdrawn, or reached nobody: its statusReason."
* ^caseSensitive = true
* #quiet-hours "Quiet hours" "It is sent when the practice's hours for notices begin."
* #another-question "Another question" "The patient is asked one thing at a time."
* #not-wanted "Not wanted" "What it was about has ended or changed before it was sent."
* #refused "Refused" "The medium did not take it for this address."
* #unreached "Unreached" "No medium took it."

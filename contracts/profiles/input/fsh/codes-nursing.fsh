// What nursing says: what a home visit is for, where the visits of an order stand and why one waits, and its words with agencies.

CodeSystem: HomeVisitKind
Id: home-visit-kind
Title: "Kinds of home visit"
Description: "What a nurse goes to a home for: serviceType of a home visit, the leading kind first."
* ^caseSensitive = true
* #assessment "Assessment" "A registered nurse sees whether the home and those in it suit the therapy."
* #teach "Teaching" "Patient or caregiver learns to give the infusion."
* #infusion "Infusion" "The nurse gives an ordered dose."
* #dressing "Dressing" "The dressing of the access, and its needleless connector, are changed."
* #lab-draw "Laboratory draw" "Blood is drawn for the results the therapy needs."

ValueSet: HomeVisitKinds
Id: home-visit-kind
Title: "Kinds of home visit"
Description: "Everything a nurse goes to a home for."
* include codes from system HomeVisitKind

CodeSystem: HomeNursingStatus
Id: home-nursing-status
Title: "Home nursing status"
Description: "Where the home visits of an order stand: businessStatus of the Task home-nursing."
* ^caseSensitive = true
* #proposed "Proposed" "The order is not clinically complete; its visits are proposed."
* #waiting "Waiting" "A requirement of booking is not met, or an agency has not answered."
* #holding "Holding" "A time is held and waits for an answer."
* #booked "Booked" "Every visit near enough to be timed is booked."
* #question "Question" "A person must answer before a visit gets its time."
* #cancelled "Cancelled" "The order asks for no visits any more."

ValueSet: HomeNursingStatuses
Id: home-nursing-status
Title: "Home nursing status"
Description: "Every stage of the home visits of an order."
* include codes from system HomeNursingStatus

CodeSystem: HomeNursingReason
Id: home-nursing-reason
Title: "Reasons of waiting at home"
Description: "Why a home visit has no time yet, beyond what chair visits wait for (chair-reason)."
* ^caseSensitive = true
* #nurse-not-licensed "Nurse not licensed" "No nurse may practice in the patient's state."
* #nurse-not-competent "Nurse not competent" "No nurse is competent in everything the visit needs."
* #home-out-of-range "Home out of range" "The home lies beyond the range of every nurse who may go."
* #home-address-missing "Home address missing" "The patient's address has no ZIP code."
* #home-not-on-map "Home not on the map" "The practice does not know where the ZIP code lies."
* #no-nurse-in-window "No nurse in the window" "No nurse who may go has time in the whole window of the visit."
* #no-nurse-and-no-agency "Nobody to go" "No nurse of the practice can make the visit, and no agency has taken it on."
* #no-day-left "No day left" "Nobody can be there, with what must be delivered, before the window of the visit ends."
* #nurse-lost "Nurse lost" "The nurse of the visit may not make it any more."
* #agency-asked "Agency asked" "An agency has been asked for the visit and has time to answer."
* #agency-called-off "Agency called off" "The agency has called off a visit it had taken on."
* #start-of-care-missed "Start of care missed" "The first visit cannot be made in time; a new day must be approved."
* #patient-admitted "Patient admitted" "The patient is in a hospital."
* #patient-deceased "Patient deceased" "The patient has died."
* #access-device-missing "Access device missing" "The line the drug goes through is not on file."
* #caregiver-missing "Caregiver missing" "Nobody in the home is named who helps."
* #anaphylaxis-order-missing "Order for a reaction missing" "A first dose at home has no orders for a reaction."
* #first-dose-excluded "First dose excluded" "The first dose of this drug is not given at home."
* #end-not-stated "End not stated" "The order does not say until when the drug is given."
* #therapy-not-at-home "Therapy not at home" "The practice does not give this therapy at home."

ValueSet: HomeNursingReasons
Id: home-nursing-reason
Title: "Reasons of waiting at home"
Description: "Why a home visit has no time yet, or has an unmet requirement."
* include codes from system HomeNursingReason
* include codes from system ChairReason

ValueSet: NursingQuestions
Id: nursing-question
Title: "Questions of nursing"
Description: "What nursing asks a person about an order or a home visit."
* Question#no-nurse-and-no-agency
* Question#start-of-care-missed
* Question#not-delivered
* Question#end-not-stated
* Question#therapy-not-at-home
* Question#hold-unanswered
* Question#hold-refused
* Question#drug-ordered-twice
* Question#pharmacy-refused
* Question#requirement-lost
* Question#doses-not-stated
* Question#doses-not-readable
* Question#start-not-stated
* Question#medication-request-missing
* Question#drug-not-in-catalogue

CodeSystem: NurseCompetency
Id: nurse-competency
Title: "Competencies of nurses"
Description: "What a home visit may need its nurse to be competent in."
* ^caseSensitive = true
* #assessment "Assessment" "Assessing a home and those in it for infusion."
* #blood-draw "Blood draw" "Drawing blood from a vein or a line."
* #chemo "Chemotherapy" "Giving hazardous drugs, and what to do about a spill."
* #cvad "Central line" "Care of a central venous access device."
* #first-dose "First dose" "Giving a first dose outside a hospital, and what to do about a reaction."
* #iv-start "Starting a line" "Placing a peripheral catheter."
* #ivig "Immune globulin" "Giving immune globulin and stepping up its rate."
* #picc-dressing "PICC dressing" "Changing the dressing of a peripherally inserted central catheter."
* #port-access "Port access" "Accessing and de-accessing an implanted port."
* #pump "Pump" "Setting up and teaching an ambulatory pump."
* #subcutaneous "Subcutaneous infusion" "Giving and teaching infusions under the skin."
* #teaching "Teaching" "Teaching patients and caregivers to infuse by themselves."

ValueSet: NurseCompetencies
Id: nurse-competency
Title: "Competencies of nurses"
Description: "Everything a home visit may need its nurse to be competent in."
* include codes from system NurseCompetency

CodeSystem: AgencyVisitInput
Id: agency-visit-input
Title: "Inputs of an agency visit"
Description: "What an agency is told of the visit it is asked for."
* ^caseSensitive = true
* #minutes "Minutes" "How long the visit takes."
* #visit-kind "Kind of visit" "What the visit is for."
* #competency "Competency" "What the nurse must be competent in."
* #answer-by "Answer by" "Until when the agency must answer."

ValueSet: AgencyVisitInputs
Id: agency-visit-input
Title: "Inputs of an agency visit"
Description: "Everything an agency is told of the visit it is asked for."
* include codes from system AgencyVisitInput

CodeSystem: AgencyVisitOutput
Id: agency-visit-output
Title: "Outputs of an agency visit"
Description: "What an agency answers."
* ^caseSensitive = true
* #visit-time "Time of the visit" "When the agency's nurse comes, or came."

ValueSet: AgencyVisitOutputs
Id: agency-visit-output
Title: "Outputs of an agency visit"
Description: "Everything an agency answers."
* include codes from system AgencyVisitOutput

CodeSystem: AgencyVisitReason
Id: agency-visit-reason
Title: "Reasons of an agency visit"
Description: "Why an agency does not make a visit, or is not asked for it any more."
* ^caseSensitive = true
* #capacity "No capacity" "The agency has nobody free on those days."
* #territory "Outside the territory" "The agency does not go there."
* #competency "No competency" "The agency has nobody who may do this."
* #called-off "Called off" "The agency calls off a visit it had taken on."
* #silent "Silent" "The agency did not answer in time."
* #refused "Refused" "The agency's system did not take the request."
* #unstated "Unstated" "The agency gave no reason that has a code."
* #withdrawn "Withdrawn" "The visit is not wanted of the agency any more."

ValueSet: AgencyVisitReasons
Id: agency-visit-reason
Title: "Reasons of an agency visit"
Description: "Every reason why an agency does not make a visit."
* include codes from system AgencyVisitReason

ValueSet: AgencyVisitStatuses
Id: agency-visit-status
Title: "Task.status of an agency visit"
Description: "Asked, taken on, refused, made, or not wanted any more."
* $task-status#requested
* $task-status#accepted
* $task-status#rejected
* $task-status#completed
* $task-status#cancelled

// What scheduling says: where the visits of an order stand, and why one waits.

CodeSystem: ChairStatus
Id: chair-status
Title: "Chair status"
Description: "Where the chair visits of an order stand: businessStatus of the Task chair."
* ^caseSensitive = true
* #proposed "Proposed" "The order is not clinically complete; its doses are proposed."
* #waiting "Waiting" "A requirement of booking is not met."
* #holding "Holding" "A time is held and waits for an answer."
* #booked "Booked" "Every visit near enough to be timed is booked."
* #question "Question" "A person must answer before a visit gets its time."
* #cancelled "Cancelled" "The order asks for no visits any more."

ValueSet: ChairStatuses
Id: chair-status
Title: "Chair status"
Description: "Every stage of the chair visits of an order."
* include codes from system ChairStatus

CodeSystem: ChairReason
Id: chair-reason
Title: "Reasons of waiting"
Description: "Why a visit has no time yet, or has an unmet requirement: statusReason of the Task chair, and in words the reason in visit-readiness."
* ^caseSensitive = true
// benefit
* #coverage-missing "Coverage missing" "The order names no coverage."
* #coverage-ended "Coverage ended" "The coverage is not active, or ends before the day."
* #coverage-not-begun "Coverage not begun" "The coverage begins after the day."
* #coverage-not-in-force "Coverage not in force" "The payer says that the coverage is not in force."
* #benefit-unknown "Benefit unknown" "The payer has not said what it covers."
// authorization
* #authorization-unknown "Authorization unknown" "Nothing is known of an authorization."
* #authorization-investigating "Authorization: investigating" "The authorization is not asked for yet."
* #authorization-needs-information "Authorization: needs information" "The request for authorization is not complete."
* #authorization-submitted "Authorization: submitted" "The payer has not answered."
* #authorization-pended "Authorization: pended" "The payer decides later."
* #authorization-denied "Authorization: denied" "The payer refused."
* #authorization-not-covered "Authorization: not covered" "The payer does not cover this product."
* #authorization-cancelled "Authorization: cancelled" "The authorization was cancelled."
* #authorization-question "Authorization: question" "The authorization waits for a person."
* #outside-authorized-period "Outside the authorized period" "The day is not one of those authorized."
* #hold-refused "Hold refused" "No dose could be reserved for the held time."
* #hold-unanswered "Hold unanswered" "The held time has not been answered."
// order
* #order-draft "Order: draft" "The order is not clinically complete."
* #order-on-hold "Order: on hold" "The order is on hold."
* #order-revoked "Order: revoked" "The order was taken back."
* #order-completed "Order: completed" "Nothing more is ordered."
* #order-entered-in-error "Order: entered in error" "The order was a mistake."
* #order-unknown "Order: unknown" "The status of the order is not known."
* #order-undated "Order undated" "It is not known when the order was written."
* #countersignature-missing "Countersignature missing" "The prescriber has not signed an order he gave by word of mouth in time."
* #order-out-of-date "Order out of date" "The order was written too long ago for the day."
* #order-changed-since-booking "Order changed since booking" "The visit is booked for other days, another site or another drug."
* #dose-not-ordered "Dose not ordered" "The order asks for fewer doses."
* #drug-ordered-twice "Drug ordered twice" "Another order of this patient asks for the same drug."
* #doses-not-stated "Doses not stated" "The order does not say how many doses it asks for, or when."
* #doses-not-readable "Doses not readable" "The order says its doses in a way scheduling cannot read."
* #start-not-stated "Start not stated" "The order does not say when the first dose is due."
* #medication-request-missing "Prescription missing" "The order came without its MedicationRequest."
* #drug-not-in-catalogue "Drug not in catalogue" "The drug of the order is not one the practice infuses."
* #order-not-verified "Order not verified" "No pharmacist has confirmed the order."
* #order-rejected-by-pharmacist "Order rejected by pharmacist" "The pharmacist did not confirm the order."
// patient, results, drug, capacity
* #consent-missing "Consent missing" "No consent to treatment is known."
* #consent-not-active "Consent not active" "No consent is in force on the day."
* #consent-refused "Consent refused" "The patient's latest word is a refusal."
* #labs-missing "Results missing" "A result the therapy needs is not known."
* #labs-out-of-date "Results out of date" "A result the therapy needs is too old on the day."
* #rems-not-cleared "REMS not cleared" "Nobody has looked yet whether the drug's safety program lets it be given."
* #rems-refused "REMS refused" "The drug's safety program does not let it be given."
* #drug-not-on-hand "Drug not on hand" "The pharmacy has not said that the drug is there."
* #drug-not-dispensed "Drug not dispensed" "The pharmacy has said that the drug is not there."
* #no-capacity-in-window "No capacity" "No chair and nurse are free in the whole window of the dose."

ValueSet: ChairReasons
Id: chair-reason
Title: "Reasons of waiting"
Description: "Why a visit has no time yet."
* include codes from system ChairReason

ValueSet: ChairTaskStatuses
Id: chair-task-status
Title: "Task.status of chair visits"
Description: "The statuses of Task that the chair visits of an order take."
* $task-status#in-progress
* $task-status#on-hold
* $task-status#completed
* $task-status#cancelled

ValueSet: VisitStatuses
Id: visit-status
Title: "Status of a visit"
Description: "Proposed takes no capacity, pending holds it, booked keeps it."
* $appointment-status#proposed
* $appointment-status#pending
* $appointment-status#booked
* $appointment-status#arrived
* $appointment-status#checked-in
* $appointment-status#fulfilled
* $appointment-status#noshow
* $appointment-status#cancelled

ValueSet: SeriesStatuses
Id: series-status
Title: "Status of a series"
Description: "A series is followed, done, or called off with its order."
* $request-status#active
* $request-status#completed
* $request-status#revoked

ValueSet: SlotStatuses
Id: slot-status
Title: "Status of a slot"
Description: "Free, held (busy-tentative), taken (busy), or closed (busy-unavailable)."
* $slot-status#free
* $slot-status#busy-tentative
* $slot-status#busy
* $slot-status#busy-unavailable

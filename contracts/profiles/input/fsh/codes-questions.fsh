// What a person is asked, and what may be answered.

CodeSystem: Question
Id: question
Title: "Questions"
Description: "What a Task asks a person: the type of its input."
* ^caseSensitive = true
// intake
* #order-verification "Order verification" "Is the order right: drug, dose, route and rate against weight, results and allergies?"
* #order-content "Order content" "What the verification was asked about, as a digest: a changed order is asked about anew."
* #placer-identifier "Placer identifier" "Is a referral without any business identifier new, and how is it known?"
* #second-referral "Second referral" "Another referral asks for the same therapy for the same patient: do both go on, or which?"
* #system-unread "System unread" "The sender's system could not be read for a referral, attempt after attempt: what is wrong?"
* #transcription "Transcription" "What does a document ask for that came without an order?"
* #document "Document" "The document to be read."
* #countersignature "Countersignature" "The prescriber gave an order by word of mouth: will he sign it?"
* #countersignature-missing "Countersignature missing" "The prescriber has not signed a spoken order in time: what holds?"
* #possible-duplicate "Possible duplicate" "Is a patient of the same name and birth date the same person?"
* #duplicate-of "Duplicate of" "The other patient of the same name and birth date."
* #placer-refused "Placer refused" "The placer's system refused our answer: how else will he be told?"
* #nobody-to-tell "Nobody to tell" "Who is told and asked for a patient who is a minor, or has no address for notices?"
* #language-unavailable "Language unavailable" "There are no words in the patient's language: who calls him with an interpreter?"
* #patient-unreached "Patient unreached" "No medium took a notice to the patient: who calls him?"
* #patient-silent "Patient silent" "The patient has answered no reminder: who calls him?"
* #reply-unclear "Reply unclear" "What does the patient's reply mean?"
// auth
* #attachment-refused "Attachment refused" "The payer did not take what it had asked for besides."
* #appeal "Appeal" "The payer denied the request: is it appealed?"
* #appeal-outcome "Outcome of an appeal" "What came of an appeal that was filed?"
* #benefit-refused-by-payer "Benefit request refused" "The payer refused the benefit request as wrong."
* #benefit-unreadable "Benefit answer unreadable" "The payer's benefit answer cannot be read."
* #benefit-unsendable "Benefit request unsendable" "The benefit request breaks what a payer may be sent, and was not sent."
* #coverage-order "Order of coverages" "Which of several coverages pays first is documented nowhere."
* #decision-due "Decision due" "The payer's clock runs out soon: does it lack anything?"
* #expedited-unsupported "Expedited without a statement" "The order is urgent, and nothing says why the standard clock could harm: is it asked for as expedited?"
* #held-authorization-differs "Held authorization differs" "The payer confirms another period or other units than the referral says."
* #held-authorization-unknown "Held authorization unknown" "The payer does not know the authorization the referral names."
* #home-partly-paid "Home partly paid" "The coverage pays the drug at home, but not its nursing or its supplies: who does?"
* #information-requested "Information requested" "The payer wants more before it decides: what is sent?"
* #no-billing-code "No billing code" "The drug has no billing code on the date of service."
* #no-criteria "No criteria" "No criteria of this payer for this drug are adopted: is it asked for without?"
* #order-changed "Order changed" "The order is not what the payer was asked for any more."
* #partly-authorized "Partly authorized" "The payer authorized fewer units than asked for: what becomes of the rest?"
* #peer-to-peer "Peer to peer" "What came of the talk with a physician of the payer?"
* #payer-answer "Payer's answer" "The payer answered something only a person can read."
* #payer-contradicts "Payer contradicts itself" "The payer sent another final decision after the first."
* #payer-keeps "Payer keeps" "The payer did not take a request back that we withdrew."
* #payer-late "Payer late" "The payer's decision is overdue."
* #payer-unknown "Payer unknown" "The coverage names no payer this practice knows."
* #preauthorization-refused-by-payer "Request refused" "The payer refused the request as wrong."
* #preauthorization-unreadable "Answer unreadable" "The payer's answer to the request cannot be read."
* #preauthorization-unsendable "Request unsendable" "The request breaks what a payer may be sent, and was not sent."
* #question-set "Question set" "What does the pharmacy benefit's question set ask that the chart does not say?"
* #question-set-expired "Question set expired" "The last day to answer a question set has passed: is another asked for?"
* #question-set-unavailable "Question set unavailable" "No question set is to be had for a drug the pharmacy benefit pays."
* #which-benefit "Which benefit" "Medical and pharmacy benefit could both pay the drug: by which is it asked for?"
* #request-by-hand "Request by hand" "The payer takes no requests by an interface: send the packet, and what did it answer?"
// scheduling
* #no-capacity-in-window "No capacity" "No chair and nurse are free in the whole window of a dose."
* #hold-unanswered "Hold unanswered" "Every hold of a time went unanswered."
* #hold-refused "Hold refused" "The authorization refused a dose for this visit."
* #drug-ordered-twice "Drug ordered twice" "Another order of this patient asks for the same drug."
* #drug-not-on-hand "Drug not on hand" "The visit is due to be prepared and the drug is not on hand."
* #pharmacy-refused "Pharmacy refused" "The pharmacy did not take the order for this visit."
* #rems-check "REMS check" "Does the drug's safety program let it be given to this patient?"
* #requirement-lost "Requirement lost" "A requirement of a booked visit is no longer met."
* #doses-not-stated "Doses not stated" "The order does not say how many doses it asks for, or when."
* #doses-not-readable "Doses not readable" "The order says its doses in a way scheduling cannot read."
* #start-not-stated "Start not stated" "The order does not say when the first dose is due."
* #medication-request-missing "Prescription missing" "The order came without its MedicationRequest."
* #drug-not-in-catalogue "Drug not in catalogue" "The drug of the order is not one the practice infuses."
// nursing
* #no-nurse-and-no-agency "Nobody to go" "No nurse of the practice can make a home visit, and no agency has taken it on."
* #start-of-care-missed "Start of care missed" "The first home visit cannot be made in time: which day does the practitioner approve?"
* #not-delivered "Not delivered" "A home visit is near, and drug or supplies have not arrived."
* #end-not-stated "End not stated" "The order does not say until when the drug is given."
* #therapy-not-at-home "Therapy not at home" "The practice does not give this therapy at home: where shall it be given?"
// every service
* #message-refused "Message refused" "Why a message could not be taken."
* #message-issue "Issue of a message" "One issue of a message that could not be taken; never a value of a patient."

ValueSet: AuthorizationQuestions
Id: authorization-question
Title: "Questions of auth"
Description: "What auth asks a person about a benefit or an authorization."
* Question#attachment-refused
* Question#appeal-outcome
* Question#peer-to-peer
* Question#benefit-refused-by-payer
* Question#benefit-unreadable
* Question#benefit-unsendable
* Question#coverage-order
* Question#decision-due
* Question#expedited-unsupported
* Question#held-authorization-differs
* Question#held-authorization-unknown
* Question#home-partly-paid
* Question#information-requested
* Question#no-billing-code
* Question#no-criteria
* Question#order-changed
* Question#partly-authorized
* Question#payer-answer
* Question#payer-contradicts
* Question#payer-keeps
* Question#payer-late
* Question#payer-unknown
* Question#preauthorization-refused-by-payer
* Question#preauthorization-unreadable
* Question#preauthorization-unsendable
* Question#question-set
* Question#question-set-expired
* Question#question-set-unavailable
* Question#which-benefit
* Question#request-by-hand

ValueSet: SchedulingQuestions
Id: scheduling-question
Title: "Questions of scheduling"
Description: "What scheduling asks a person about an order or a visit."
* Question#no-capacity-in-window
* Question#hold-unanswered
* Question#hold-refused
* Question#drug-ordered-twice
* Question#drug-not-on-hand
* Question#pharmacy-refused
* Question#rems-check
* Question#requirement-lost
* Question#doses-not-stated
* Question#doses-not-readable
* Question#start-not-stated
* Question#medication-request-missing
* Question#drug-not-in-catalogue

ValueSet: QuestionTaskStatuses
Id: question-task-status
Title: "Task.status of a question"
Description: "A question is open, answered, or no longer needed."
* $task-status#requested
* $task-status#completed
* $task-status#cancelled

CodeSystem: Answer
Id: answer
Title: "Answers"
Description: "What a person answers to a question: the type of the Task's output. Answers to appeals and to scheduling are in words as well."
* ^caseSensitive = true
* #approved "Approved" "The payer approved; the outputs say the rest."
* #denied "Denied" "The payer denied; the outputs say why."
* #letter-date "Date of the letter" "The date on the payer's letter."
* #answered "Answered" "Items of a question set are answered in further outputs."
* #medical "Medical benefit" "The drug is asked for by the medical benefit."
* #pharmacy "Pharmacy benefit" "The drug is asked for by the pharmacy benefit."
* #attached "Attached" "What the outputs name is sent to the payer."
* #both "Both" "Both referrals go on."
* #only-first "Only the first" "The referral that was under way goes on, the second is declined."
* #only-second "Only the second" "The second referral goes on, the one that was under way is declined."
* #confirmed "Confirmed" "It is right as it is."
* #rejected "Rejected" "It is not right and goes back to the placer."
* #resubmit "Resubmit" "Ask the payer again."
* #required "Authorization required" "The benefit was verified another way: an authorization is needed."
* #submit "Submit" "Ask the payer without criteria."
* #update "Update" "Tell the payer what changed in the request it has."
* #keep "Keep" "What stands still holds."
* #inquire "Inquire" "The payer is to be inquired with."
* #inquired "Inquired" "The payer was inquired with."
* #accepted "Accepted" "It is agreed who pays what the coverage does not, or what becomes of what was not authorized."
* #as-listed "As listed" "The coverages pay in the order in which the referral lists them."
* #group-first "Group plan first" "The group plan of active employment pays before Medicare."
* #medicare-first "Medicare first" "Medicare pays before the other plan."
* #told "Told" "The payer was told another way."
* #appeal "Appeal" "The denial is appealed at this level."
* #peer-to-peer "Peer to peer" "A physician of the payer is spoken with before it is appealed."
* #overturned "Overturned" "The denial fell: number, period and units stand beside it."
* #upheld "Upheld" "The denial stands."
* #letter-deadline "Deadline of the letter" "The last day to appeal by the payer's letter."
* #verbally-approved "Verbally approved" "The payer approved by telephone: number, period, who said it and when stand beside it."
* #spoken-with "Spoken with" "Who of the payer said it."
* #spoken-at "Spoken at" "When it was said."
* #talk-at "Talk at" "When a physician of the payer is to be spoken with, or was."
* #extended "Extended" "The payer takes the extension its clock allows."
* #expedited "Expedited" "The prescriber states that the standard clock could seriously jeopardize life, health or maximum function."
* #standard "Standard" "It is asked for by the standard clock."

ValueSet: AuthorizationAnswers
Id: authorization-answer
Title: "Answers to auth"
Description: "What may be answered to an authorization-question."
* Answer#approved
* Answer#denied
* Answer#letter-date
* Answer#answered
* Answer#medical
* Answer#pharmacy
* Answer#attached
* Answer#resubmit
* Answer#required
* Answer#submit
* Answer#keep
* Answer#update
* Answer#inquire
* Answer#inquired
* Answer#accepted
* Answer#told
* Answer#as-listed
* Answer#group-first
* Answer#medicare-first
* Answer#overturned
* Answer#upheld
* Answer#verbally-approved
* Answer#extended
* Answer#expedited
* Answer#standard
* Answer#confirmed
* Answer#rejected

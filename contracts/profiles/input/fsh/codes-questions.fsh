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
* #placer-refused "Placer refused" "The placer's system refused our answer: how else will he be told?"
// auth
* #appeal "Appeal" "The payer denied the request: is it appealed?"
* #benefit-refused-by-payer "Benefit request refused" "The payer refused the benefit request as wrong."
* #benefit-unreadable "Benefit answer unreadable" "The payer's benefit answer cannot be read."
* #benefit-unsendable "Benefit request unsendable" "The benefit request breaks what a payer may be sent, and was not sent."
* #no-billing-code "No billing code" "The drug has no billing code on the date of service."
* #no-criteria "No criteria" "No criteria of this payer for this drug are adopted: is it asked for without?"
* #order-changed "Order changed" "The order is not what the payer was asked for any more."
* #payer-answer "Payer's answer" "The payer answered something only a person can read."
* #payer-contradicts "Payer contradicts itself" "The payer sent another final decision after the first."
* #payer-late "Payer late" "The payer's decision is overdue."
* #payer-unknown "Payer unknown" "The coverage names no payer this practice knows."
* #preauthorization-refused-by-payer "Request refused" "The payer refused the request as wrong."
* #preauthorization-unreadable "Answer unreadable" "The payer's answer to the request cannot be read."
* #preauthorization-unsendable "Request unsendable" "The request breaks what a payer may be sent, and was not sent."
// scheduling
* #no-capacity-in-window "No capacity" "No chair and nurse are free in the whole window of a dose."
* #hold-unanswered "Hold unanswered" "Every hold of a time went unanswered."
* #hold-refused "Hold refused" "The authorization refused a dose for this visit."
* #drug-ordered-twice "Drug ordered twice" "Another order of this patient asks for the same drug."
* #drug-not-on-hand "Drug not on hand" "The visit is due to be prepared and the drug is not on hand."
* #pharmacy-refused "Pharmacy refused" "The pharmacy did not take the order for this visit."
* #requirement-lost "Requirement lost" "A requirement of a booked visit is no longer met."
* #doses-not-stated "Doses not stated" "The order does not say how many doses it asks for, or when."
* #doses-not-readable "Doses not readable" "The order says its doses in a way scheduling cannot read."
* #start-not-stated "Start not stated" "The order does not say when the first dose is due."
* #medication-request-missing "Prescription missing" "The order came without its MedicationRequest."
* #drug-not-in-catalogue "Drug not in catalogue" "The drug of the order is not one the practice infuses."
// every service
* #message-refused "Message refused" "Why a message could not be taken."
* #message-issue "Issue of a message" "One issue of a message that could not be taken; never a value of a patient."

ValueSet: AuthorizationQuestions
Id: authorization-question
Title: "Questions of auth"
Description: "What auth asks a person about a benefit or an authorization."
* Question#benefit-refused-by-payer
* Question#benefit-unreadable
* Question#benefit-unsendable
* Question#no-billing-code
* Question#no-criteria
* Question#order-changed
* Question#payer-answer
* Question#payer-contradicts
* Question#payer-late
* Question#payer-unknown
* Question#preauthorization-refused-by-payer
* Question#preauthorization-unreadable
* Question#preauthorization-unsendable

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
* #confirmed "Confirmed" "It is right as it is."
* #rejected "Rejected" "It is not right and goes back to the placer."
* #resubmit "Resubmit" "Ask the payer again."
* #required "Authorization required" "The benefit was verified another way: an authorization is needed."
* #submit "Submit" "Ask the payer without criteria."
* #keep "Keep" "What stands still holds."
* #inquired "Inquired" "The payer was inquired with."

ValueSet: AuthorizationAnswers
Id: authorization-answer
Title: "Answers to auth"
Description: "What may be answered to an authorization-question."
* Answer#resubmit
* Answer#required
* Answer#submit
* Answer#keep
* Answer#inquired

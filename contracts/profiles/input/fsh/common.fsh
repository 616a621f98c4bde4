// What any service may save about its own: notices, subscriptions, where a decision comes from and who did what; and the message itself.

Profile: NoticeRequest
Parent: CommunicationRequest
Id: communication-request
Title: "Notice to be given"
Description: "Somebody outside is to be told something: what about, whom, and in which words. What is about a patient goes to him, or who speaks for him, alone."
* id 1..1
* about 1..*
* about.reference 1..1
* authoredOn 1..1
* recipient 1..*
* payload 1..*
* payload.content[x] only string or Reference


Profile: Notice
Parent: Communication
Id: communication
Title: "Notice given, or reply to one"
Description: "What was told to whom, and when, or what somebody replied. What is about a patient goes to him, or who speaks for him, alone."
* ^version = "2.0"
* id 1..1
* obeys cp-notice-sent
* basedOn only Reference(CommunicationRequest)
* payload 1..*
* payload.content[x] only string or Reference


Invariant: cp-notice-sent
Description: "A notice that was given says when in sent."
Expression: "status = 'completed' implies sent.exists()"
Severity: #error


Profile: NotificationSubscription
Parent: Subscription
Id: subscription
Title: "Subscription"
Description: "Who is notified of what, where: ours at a payer, or a client's here."
* id 1..1
* channel.type = #rest-hook
* channel.endpoint 1..1
* channel.payload 1..1
* channel.payload = #application/fhir+json


Profile: DecisionProvenance
Parent: Provenance
Id: provenance
Title: "Provenance"
Description: "What a decision rests on: the versions it was made of, by whom and when."
* id 1..1
* target.reference 1..1
* activity 1..1
* entity 1..*
* entity.what.reference 1..1


Profile: DecisionAudit
Parent: AuditEvent
Id: audit-event
Title: "Audit event"
Description: "Who did what to which resource, and with what outcome. What was searched for, and anybody's name, stays out of it."
* id 1..1
* action 1..1
* outcome 1..1
* agent.who 1..1
* agent.name 0..0
* entity.what 1..1
* entity.what.reference 1..1
* entity.what.display 0..0
* entity.name 0..0
* entity.description 0..0
* entity.query 0..0


Profile: DecisionHeader
Parent: MessageHeader
Id: message-header
Title: "Header of a decision's message"
Description: "Which service decided what, and about which resource."
* id 1..1
* event[x] only uri
* event[x] obeys cp-message-event
* source.name 1..1
* focus 1..*
* focus.reference 1..1


Invariant: cp-message-event
Description: "The event is one of our messages: https://carepod.example/fhir/message/<reason>."
Expression: "$this.startsWith('https://carepod.example/fhir/message/')"
Severity: #error


Profile: DecisionMessage
Parent: Bundle
Id: decision-message
Title: "Message of one decision"
Description: "One decision is one message: its header first, then every resource it saved. The header stands alone where the rest is to be fetched."
* id 1..1
* type = #message
* timestamp 1..1
* entry.fullUrl 1..1
* entry.resource 1..1
* entry ^slicing.discriminator.type = #type
* entry ^slicing.discriminator.path = "resource"
* entry ^slicing.rules = #open
* entry contains header 1..1
* entry[header].resource only message-header

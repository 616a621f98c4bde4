// Papers auth writes: what is sent to payers that take no requests by an interface, and letters.

Invariant: cp-auth-id
Description: "The id is auth's: it begins with au-."
Expression: "id.startsWith('au-')"
Severity: #error

Profile: Letter
Parent: DocumentReference
Id: letter
Title: "Paper of an authorization"
Description: "A paper auth wrote: a packet for a payer or a letter to it; its bytes are a Binary of auth."
* id 1..1
* obeys cp-auth-id
* status = #current
* type 1..1
* type = $loinc#51852-2
* subject 1..1
* subject only Reference(Patient)
* subject.reference 1..1
* date 1..1
* author 1..1
* author.identifier 1..1
* author.identifier.system 1..1
* author.identifier.system = $npi
* author.identifier.value 1..1
* content 1..1
* content.attachment.contentType 1..1
* content.attachment.contentType = #application/pdf
* content.attachment.data 0..0
* content.attachment.url 1..1
* content.attachment.hash 1..1
* context 1..1
* context.related 1..1
* context.related.reference 1..1

Profile: LetterContent
Parent: Binary
Id: letter-content
Title: "Bytes of a paper"
Description: "The bytes of a paper auth wrote, as PDF, about one patient."
* id 1..1
* obeys cp-auth-id
* contentType = #application/pdf
* securityContext 1..1
* securityContext only Reference(Patient)
* securityContext.reference 1..1
* data 1..1

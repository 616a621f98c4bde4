// The series of an order, the Tasks of scheduling, and the capacity of chairs and nurses.

Profile: Series
Parent: CarePlan
Id: series
Title: "Series of visits"
Description: "The visits of one order, one activity a dose. The order is in supportingInfo, for basedOn takes a CarePlan only in R4."
* id 1..1
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://carepod.example/id/series"
* identifier.value 1..1
* status from SeriesStatuses (required)
* intent = #plan
* subject only Reference(Patient)
* subject.reference 1..1
* supportingInfo 1..1
* supportingInfo only Reference(ServiceRequest)
* supportingInfo.reference 1..1
* activity.detail 0..0
* activity.reference 1..1
* activity.reference only Reference(Appointment)
* activity.reference.reference 1..1

Profile: ChairTask
Parent: CoordinatorTask
Id: chair-task
Title: "Where the chair visits of an order stand"
Description: "Scheduling's word on one order: the stage in businessStatus, what it waits for in statusReason."
* ^version = "3.0"
* insert OfOneOrder
* insert OwnedBy(infusion-coordinator)
* code = $task-code#chair
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://carepod.example/id/chair"
* identifier.value 1..1
* status from ChairTaskStatuses (required)
* statusReason from ChairReasons (required)
* statusReason.coding 1..*
* statusReason.text 1..1
* businessStatus 1..1
* businessStatus from ChairStatuses (required)
* businessStatus.coding 1..1
* focus 1..1
* focus only Reference(ServiceRequest)
* focus.reference 1..1

Profile: SchedulingQuestion
Parent: CoordinatorTask
Id: scheduling-question
Title: "Question about a visit"
Description: "What scheduling cannot decide about an order or a visit, asked of a person."
* ^version = "2.0"
* insert OfOneOrder
* insert OwnedBy(infusion-coordinator)
* insert OneQuestion
* code = $task-code#scheduling-question
* focus only Reference(ServiceRequest or Appointment)
* input.type from SchedulingQuestions (required)

Profile: ResourceSchedule
Parent: Schedule
Id: schedule
Title: "Schedule of a chair or a nurse"
Description: "The days on which a chair of a site, or a nurse, can be given away."
* id 1..1
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://carepod.example/id/schedule"
* identifier.value 1..1
* active 1..1
* serviceCategory 1..*
* serviceCategory from AppointmentKinds (required)
* actor 1..1
* actor only Reference(Location or Practitioner or PractitionerRole)
* actor.identifier 1..1
* actor.identifier.system 1..1
* actor.identifier.value 1..1
* planningHorizon 1..1
* planningHorizon.start 1..1
* planningHorizon.end 1..1

Profile: ResourceSlot
Parent: Slot
Id: slot
Title: "Slot of a chair or a nurse"
Description: "A span of a schedule: free, held (busy-tentative), taken (busy) or closed (busy-unavailable)."
* id 1..1
* serviceCategory 1..*
* serviceCategory from AppointmentKinds (required)
* schedule only Reference(Schedule)
* schedule.reference 1..1
* status from SlotStatuses (required)
* overbooked 0..0

// Short names of the systems the profiles speak; ours are below https://carepod.example/fhir/ and https://carepod.example/id/.

Alias: $answer = https://carepod.example/fhir/CodeSystem/answer
Alias: $drug = https://carepod.example/fhir/CodeSystem/drug
Alias: $gap = https://carepod.example/fhir/CodeSystem/gap
Alias: $question = https://carepod.example/fhir/CodeSystem/question
Alias: $referral-output = https://carepod.example/fhir/CodeSystem/referral-output
Alias: $task-code = https://carepod.example/fhir/CodeSystem/task-code

Alias: $message-id = https://carepod.example/id/message
Alias: $order-id = https://carepod.example/id/order
Alias: $referral-id = https://carepod.example/id/referral
Alias: $role-id = https://carepod.example/id/role
Alias: $site-id = https://carepod.example/id/site

Alias: $bser-status = http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS
Alias: $condition-category = http://terminology.hl7.org/CodeSystem/condition-category
Alias: $coverage-class = http://terminology.hl7.org/CodeSystem/coverage-class
Alias: $cpt = http://www.ama-assn.org/go/cpt
Alias: $hcpcs = http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets
Alias: $icd-10-cm = http://hl7.org/fhir/sid/icd-10-cm
Alias: $identifier-type = http://terminology.hl7.org/CodeSystem/v2-0203
Alias: $loinc = http://loinc.org
Alias: $npi = http://hl7.org/fhir/sid/us-npi
Alias: $observation-category = http://terminology.hl7.org/CodeSystem/observation-category
Alias: $ucum = http://unitsofmeasure.org
Alias: $us-core-condition-category = http://hl7.org/fhir/us/core/CodeSystem/condition-category

Alias: $medicationrequest-intent = http://hl7.org/fhir/CodeSystem/medicationrequest-intent
Alias: $medicationrequest-status = http://hl7.org/fhir/CodeSystem/medicationrequest-status
Alias: $observation-status = http://hl7.org/fhir/observation-status
Alias: $request-intent = http://hl7.org/fhir/request-intent
Alias: $request-status = http://hl7.org/fhir/request-status
Alias: $task-status = http://hl7.org/fhir/task-status

// What prior authorization says: where it stands, what it found, what it asks.

CodeSystem: PreauthorizationStatus
Id: preauthorization-status
Title: "Prior authorization status"
Description: "Where the authorization of an order stands: businessStatus of the Task preauthorization."
* ^caseSensitive = true
* #investigating "Investigating" "Coverage, benefit or order are not known well enough yet."
* #needs-information "Needs information" "The request would not be complete; the outputs name the smallest missing set."
* #submitted "Submitted" "The payer has been asked and has not answered."
* #pended "Pended" "The payer has answered that it will decide later."
* #approved "Approved" "The payer approved everything that was asked for."
* #partly-approved "Partly approved" "The payer approved less than was asked for, or not every code."
* #denied "Denied" "The payer refused."
* #not-required "Not required" "The payer wants no authorization for this drug."
* #not-covered "Not covered" "The payer does not cover this product."
* #cancelled "Cancelled" "The order was taken back."
* #question "Question" "A person must answer before it goes on."

ValueSet: PreauthorizationStatuses
Id: preauthorization-status
Title: "Prior authorization status"
Description: "Every stage of an authorization."
* include codes from system PreauthorizationStatus

CodeSystem: PreauthorizationOutput
Id: preauthorization-output
Title: "Outputs of a prior authorization"
Description: "What an output of the Task preauthorization tells."
* ^caseSensitive = true
* #number "Number" "The payer's number of the authorization."
* #period "Period" "First and last day of the authorization."
* #units "Units" "Billing units authorized, by HCPCS code, of a nurse's visits by CPT code."
* #units-left "Units left" "Billing units neither reserved nor given, by HCPCS or CPT code."
* #missing "Missing" "A member of the smallest set that would complete the request."
* #criterion "Criterion" "The verdict on one criterion of the payer: met, not-met or not-documented."
* #denial-reason "Reason of denial" "Why the payer refused, in its own codes."
* #preferred "Preferred product" "A product the payer covers instead."
* #benefit-drug "Benefit of the drug" "Which benefit pays the drug at home, and who is billed."
* #benefit-nursing "Benefit of nursing" "Which benefit pays a nurse's visits at home, and who is billed."
* #benefit-supplies "Benefit of supplies" "Which benefit pays the supplies at home, and who is billed."
* #benefit-told "Benefit told" "From whom and when the findings on the benefit are, and all of them in words."
* #covered "Covered" "Whether the payer covers the drug."
* #paid-under "Paid under" "Whether the medical or the pharmacy benefit pays the drug."
* #authorization-needed "Authorization needed" "Whether the drug must be authorized first."
* #network "Network" "Whether the infusion provider is in the payer's network."
* #acquisition "Acquisition" "How the drug comes to the place where it is given, as the payer or its policy wants it."
* #place-of-care "Place of care" "Where the payer, or its policy, pays for the drug."
* #benefit-compared "Benefits compared" "The terms of one of several benefits that could pay."
* #pays-first "Pays first" "Of several Coverages the one the request goes to, and why."
* #cost-share "Share of the patient" "One part of what the patient pays himself: allowed, used, left."
* #allowed-until "Allowed until" "First and last day on which a visit may take place although the payer has not decided."
* #gap-risk "Risk of a gap" "From the first to the last day of those of the next two doses that no period covers."
* #start-by "Start by" "The day on which the request for the next period is due."
* #verified-until "Verified until" "The last day the standing benefit answer speaks for; later visits are unverified until it is asked again."
* #hold-answer "Answer to a hold" "The answer to the latest number under which a time of this Appointment was held."

ValueSet: PreauthorizationOutputs
Id: preauthorization-output
Title: "Outputs of a prior authorization"
Description: "Everything an output of the Task preauthorization may tell."
* include codes from system PreauthorizationOutput

CodeSystem: Benefit
Id: benefit
Title: "Benefits"
Description: "By which benefit an infusion at home is paid."
* ^caseSensitive = true
* #medical "Medical benefit" "The plan pays it as a medical claim."
* #part-b-ivig "Part B, immune globulin at home" "Medicare pays immune globulin for primary immune deficiency at home, with items and services."
* #part-b-dme "Part B, durable medical equipment" "Medicare pays it with a durable infusion pump."
* #part-b-home-infusion "Part B, home infusion therapy" "Medicare pays the professional services of a home infusion therapy supplier."
* #part-b-prosthetic "Part B, prosthetic devices" "Medicare pays parenteral nutrition as a prosthetic device."
* #part-b-immunosuppressive "Part B, immunosuppressive drugs" "Medicare pays drugs against the rejection of a transplant it covered."
* #part-d "Part D" "The prescription drug benefit pays the drug alone."
* #supplemental "Supplemental benefit" "The plan pays it beyond what Medicare covers."
* #none "None" "Nobody pays it under this line of business."

ValueSet: Benefits
Id: benefit
Title: "Benefits"
Description: "Every benefit an infusion at home may be paid by."
* include codes from system Benefit

CodeSystem: BenefitFinding
Id: benefit-finding
Title: "Findings on a benefit"
Description: "What a payer said of the benefit of a drug, and that it did not say it."
* ^caseSensitive = true
* #not-told "Not told" "Neither the payer nor its policy says it."
* #not-in-force "Not in force" "The coverage is not in force."
* #covered "Covered" "The drug is covered."
* #excluded "Excluded" "The drug is excluded."
* #medical "Medical" "The medical benefit pays it."
* #pharmacy "Pharmacy" "The pharmacy benefit pays it."
* #authorization-required "Authorization required" "The drug must be authorized first."
* #authorization-not-required "Authorization not required" "The drug needs no authorization."
* #in-network "In network" "The infusion provider has a contract with the payer."
* #out-of-network "Out of network" "The infusion provider has no contract with the payer."
* #deductible "Deductible" "What the patient pays before the plan does."
* #copay "Copayment" "A sum the patient pays for each service."
* #copay-maximum "Most of a copayment" "The most the patient pays for one service."
* #coinsurance "Coinsurance" "A percentage the patient pays."
* #out-of-pocket-maximum "Out-of-pocket maximum" "The most the patient pays in a term."
* #benefit-maximum "Most of a benefit" "The most the plan pays in a term."

CodeSystem: AcquisitionChannel
Id: acquisition-channel
Title: "Acquisition channels"
Description: "How an infused drug comes to the place where it is given."
* ^caseSensitive = true
* #buy-and-bill "Buy and bill" "The site buys the drug and bills it."
* #white-bag "White bag" "The payer's specialty pharmacy sends the drug for this patient to the site."
* #brown-bag "Brown bag" "The patient brings the drug."
* #clear-bag "Clear bag" "The site's own specialty pharmacy provides the drug."

CodeSystem: Criterion
Id: criterion
Title: "Criteria of payers"
Description: "Names of the criteria in the payers' policies as this practice has them: data that grows, so none is listed here. No element is bound to it."
* ^caseSensitive = true
* ^content = #not-present

ValueSet: PreauthorizationTaskStatuses
Id: preauthorization-task-status
Title: "Task.status of a prior authorization"
Description: "The statuses of Task that a prior authorization takes."
* $task-status#in-progress
* $task-status#on-hold
* $task-status#completed
* $task-status#rejected
* $task-status#cancelled

ValueSet: ChargeStatuses
Id: charge-status
Title: "Status of a dose's charge"
Description: "Reserved (planned), given (billable) or given back (aborted)."
* $charge-status#planned
* $charge-status#billable
* $charge-status#aborted

ValueSet: ClaimStatuses
Id: claim-status
Title: "Status of a request to a payer"
Description: "A request of ours stands or was withdrawn; drafts are not kept."
* $claim-status#active
* $claim-status#cancelled

"""Nursing: will own the home visit, from the order for home infusion to the nurse at the door.

It will own Appointment `home-visit`, Task `home-nursing`, `agency-visit` and `nursing-question`, nurse Practitioner and
PractitionerRole and the Encounter of a home visit; it will listen to filler orders for site of care `home`, to Task
`preauthorization`, deliveries of drug and supplies, and Patient; and it will decide which nurse, with which
competencies, visits which home at which time.
"""

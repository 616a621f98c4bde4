"""Faults on the real engines under a steady load of referrals, and what was lost, doubled, out of order or stuck.

`python -m benchmarks.chaos [--fault 9,10] [--short]`: every service a process of its own on engines started for this
run, which die, freeze, fill up and forget; a checker reads what clients were told and what is held at the end.
"""

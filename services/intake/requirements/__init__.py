"""What the therapies need of a referral, by group; `rules.py` beside this package lists the rules."""

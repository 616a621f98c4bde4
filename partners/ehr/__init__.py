"""An EHR: gives tokens by SMART Backend Services, takes Task updates about its referrals, keeps every version.

Owns its key pair, the tokens it gave, the assertions it has seen and the Tasks it was sent.
"""

"""A payer: says whether a member is insured, decides preauthorizations from the Bundle alone, tells of later decisions.

Owns its rules (`rules/*.yaml`), its members table, the Claims it has seen and the answers it gave.
"""

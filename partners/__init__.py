"""Stand-ins for the outside parties: payers, an EHR and a pharmacy, each with rules and a memory of its own.

They share no code with Carepod: what they know of it is what arrives over HTTP, read with R4B models.
"""

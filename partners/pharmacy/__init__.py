"""A specialty pharmacy: takes an order for a booked visit and says, after its lead time, that the drug is on hand.

Owns its key pair, the orders it took and what it said about them.
"""

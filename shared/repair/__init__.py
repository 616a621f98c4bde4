"""Mends what no retry mends: a lost queue, a service without the past, a database restored to an earlier point."""

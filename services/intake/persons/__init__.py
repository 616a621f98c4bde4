"""Which records are one person: merged, confirmed, or perhaps the same and asked about."""

"""Outside nursing agencies: they take a visit on, refuse it, or stay silent, by rules of their own."""

"""What goes to a payer and comes back: Claims, Bundles, attachments, and how answers are read."""

"""What the payer covers, by which of several coverages, and how long that is known."""

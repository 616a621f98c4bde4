"""What a payer's own rules say of one order before anything is asked for: Da Vinci CRD, by CDS Hooks."""

"""What is put on paper for payers without an interface, and for appeals."""

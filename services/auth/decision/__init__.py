"""What a payer's decision means: clocks, what is granted and used, denials and their appeals."""

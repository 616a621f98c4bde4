"""What clients send, whichever way: each shape of a referral becomes one transaction with our ids."""

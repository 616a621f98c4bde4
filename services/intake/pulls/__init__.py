"""What is read of a sender's own system, where a referral came with addresses only."""

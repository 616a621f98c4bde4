"""What a placer is told of a referral, in which form and by which way."""

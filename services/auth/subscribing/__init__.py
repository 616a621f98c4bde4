"""How authorization is told of decisions after a pend: a Subscription of its own at each payer that takes one."""

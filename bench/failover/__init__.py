"""`make bench-failover`: what agents notice of a provider in trouble, without Tollgate and with it, and how long a move takes.

day     what goes wrong at the providers, for everybody and again and again
agents  callers that work in steps, each of which needs the one before
loads   the same agents, directly and through Tollgate, and what became of them
moves   one request after the other to a provider, and by way of another that fails
"""

"""`make bench`: what Tollgate costs Envoy.

documents what an operator would write for each setup
setups    Envoy as rendered, the same without Tollgate's filters, and the shape that does not hold headers
load      wrk against one of them, and what Envoy used of its processor for it
limits    all limits against none, in the same rounds
scale     ten thousand keys against ten: a request, a start, a reload, memory
probe     a client that notes how long it is kept waiting
report    the tables
failover  a bench of its own (`make bench-failover`): agents on a provider's bad day, and what a move takes
"""

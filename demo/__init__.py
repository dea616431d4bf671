"""`make demo`: a simulated provider, Envoy with Tollgate, Prometheus, and agents that use the official SDKs.

scene     the document: providers, models, teams, and a key for each agent
agents    what the agents send
children  processes, started and ended by their own ids
report    who spent what, from Envoy's metrics, beside the provider's own ledger
"""

"""`make prove`: what Tollgate promises of limits, budgets, the loop guard and failover,
tried on real Envoy with four workers.

promises      one module for each promise: the sentence, what is tried, and what must then be seen
world         the providers, gateways and documents they are tried on
asking        requests of a client that notes when it asked and when it was answered
calling       calls of the OpenAI SDK, and what the caller saw of each
window        how much fell into any sixty seconds, by such notes
unrest        a storm in which providers die, clients leave and the module is replaced
watching      something that is looked at all the time meanwhile
surroundings  where the built programs are
findings      what a promise comes out as: a line
"""

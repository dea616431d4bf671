"""`make bench`: what Tollgate costs Envoy.

setups    Envoy as rendered, the same without Tollgate's filters, and the shape that does not hold headers
load      wrk against one of them, and what Envoy used of its processor for it
report    the table
"""

"""Each service's own copy of who may do what, built only from identity's facts.

No service calls another to know a right; this copy is why. It holds no name and no address.
"""

"""Redis as services use it: short timeouts, a circuit breaker, plain commands in one transaction.

Nothing that must not be lost stands there: counters of limits and of windows only. A caller says
what it does while Redis is away.
"""

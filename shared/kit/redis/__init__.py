"""Access to Redis: short timeouts, a circuit breaker, plain commands in one transaction.

Redis holds only counters of rate limits and sliding windows, which may be lost. Each caller defines
its behaviour while Redis is unavailable.
"""

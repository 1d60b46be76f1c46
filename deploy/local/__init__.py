"""The laptop stack: a real Apache Kafka, PostgreSQL and Redis, started from ordinary packages.

`make run`, the demo and the tests that need a real server all enter by `deploy.local.stack.Stack`.
It owns the servers' lives and one folder of data (the home); it knows nothing of the services but
their names, and it is never part of a production image.
"""

"""The laptop stack: a real Apache Kafka, PostgreSQL and Redis, started from Python packages.

`make run`, the demo and the tests that need a real server all use `deploy.local.stack.Stack`. It
starts and stops the servers and manages one data folder (the home). Of the services it uses only
the names. It is never part of a production image.
"""

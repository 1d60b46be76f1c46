"""The frame: how any service runs.

Everything a service needs around its business: bus, database, outbox, inbox, jobs, web,
telemetry, settings, command line. It knows no service, and no event by name.
"""

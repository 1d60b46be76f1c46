"""The kit that every service runs on; it knows no service, and no event by name.

Packages, from the top of the import order to the bottom: `tools`, `runtime`, `web`, then `inbox`,
`relay`, `rights`, `limiting` and `windows`, then `bus`, `database`, `redis` and `workers`, then
`telemetry`, and below all of them `core` and `text`.
"""

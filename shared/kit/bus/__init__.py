"""The bus: records that travel between services, in order per key.

`core.bus` states the promises; `kafka` and `memory` implement them under one test suite.
"""

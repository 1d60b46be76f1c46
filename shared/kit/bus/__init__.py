"""The bus: records that travel between services, in order per key.

`port` holds the promises, `kafka` and `memory` keep them, under one test suite.
"""

"""Writes `docs/` from the code: the catalogue of events, AsyncAPI, OpenAPI and the metrics."""

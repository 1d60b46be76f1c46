"""Generates `docs/` from the code: the event catalogue, AsyncAPI, OpenAPI and the metrics."""

"""Use cases: build the engine, screen a text."""

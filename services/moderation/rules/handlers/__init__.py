"""What the feature does: build the engine, screen a text."""

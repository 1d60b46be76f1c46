"""The HTTP half of the frame: routes that name their action, problems, health, idempotency."""

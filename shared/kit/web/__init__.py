"""HTTP for all services: routes that name their action, problem documents, health, idempotency."""

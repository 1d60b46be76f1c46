"""Passwords and sessions in PostgreSQL; argon2id and Ed25519 as bodies of their ports."""

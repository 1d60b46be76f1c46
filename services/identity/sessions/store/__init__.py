"""Implementations of the ports: PostgreSQL, argon2id, zxcvbn and Ed25519."""

"""Sessions: passwords, short-lived access tokens, rotating refresh tokens, public keys."""

"""Sessions: passwords, short access tokens, rotating refresh tokens, public keys."""

"""Roles: what someone is in a structure, granted by someone until a moment."""

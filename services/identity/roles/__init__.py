"""Roles: granted to a member in a structure, until a moment."""

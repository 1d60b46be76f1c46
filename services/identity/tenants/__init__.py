"""Tenants: each academy, university or enterprise has its own place."""

"""Tenants: academies, universities and enterprises, each with its own data."""

"""Dimensions: spaces, structures and members as metrics needs them, without personal data."""

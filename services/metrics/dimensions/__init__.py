"""Dimensions: spaces, structures and members as metrics needs them; no name of anybody."""

"""Spaces: where a community meets, who sees it, and who belongs to it."""

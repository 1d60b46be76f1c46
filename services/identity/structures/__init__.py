"""Structures: the tree of region, academy, school and class, or of entities and teams."""

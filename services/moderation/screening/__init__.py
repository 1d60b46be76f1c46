"""Screening: the rules evaluate every published or edited text."""

"""Screening: every published or edited text is read by the rules."""

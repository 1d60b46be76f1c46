"""Members: who belongs, where, and whether they may act."""

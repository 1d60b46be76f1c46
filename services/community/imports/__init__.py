"""Imports: content of an older forum, with its original dates."""

"""The one error that a person meets here."""


class StackError(Exception):
    """Why the stack cannot start, in one line, with what to do about it."""

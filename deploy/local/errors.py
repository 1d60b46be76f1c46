"""The error of the laptop stack for the person at the terminal."""


class StackError(Exception):
    """The reason why the stack cannot start, in one line, with what to do next."""

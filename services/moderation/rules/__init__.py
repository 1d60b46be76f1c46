"""Which texts are hidden, reviewed or let through, and why: rules that are data, and their engine.

A rule is a TOML file of `catalogue/`: a CEL condition over facts, a verdict, a message for the
author, and the texts that must and must not match. `handlers.open_engine` builds the engine that
`screening` and the `preau screen` command use; a rule that fails its own cases is refused there.
"""

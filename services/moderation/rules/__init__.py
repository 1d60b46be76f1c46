"""Rules that hide, review or pass a text: rules as data, and their engine.

A rule is a TOML file of `catalogue/`: a CEL condition over facts, a verdict, a message for the
author, and example texts that must and must not match. `handlers.open_engine` builds the engine
that `screening` and the `preau screen` command use; it refuses a rule that fails its own examples.
"""

"""Use cases for other features: open the analyser on the lists that ship with the package."""

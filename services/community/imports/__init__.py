"""Moving in: the history of a community that lived elsewhere, with its own dates."""

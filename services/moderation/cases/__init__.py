"""Cases: contents that a person should review, the decisions, and the statements of reasons."""

"""The nouns of a decision: facts, rules, verdicts."""

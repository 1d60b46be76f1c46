"""The concepts of a decision: facts, rules, verdicts."""

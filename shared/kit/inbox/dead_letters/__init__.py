"""Dead letters for operators: list parked events, decide on them, decode them again."""

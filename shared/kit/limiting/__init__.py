"""One limiter for everything that may be done only so often (ADR 0058)."""

"""Rate limiters (ADR 0058): exact windows in memory and in Redis, approximate request counts."""

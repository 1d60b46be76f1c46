"""Activity: counts by local day, and the days on which each member was active."""

"""Activity: what happened, by local day and by person and month."""

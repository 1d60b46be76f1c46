"""KPIs: their definitions and values."""

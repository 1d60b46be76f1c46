"""Members: membership of a tenant, their structure, and suspension."""

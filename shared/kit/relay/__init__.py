"""The relay: sends the events of the outbox to the broker, and deletes acknowledged events."""

"""The relay: sends the events of the outbox to the broker and deletes what was acknowledged."""

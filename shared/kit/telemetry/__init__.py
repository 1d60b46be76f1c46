"""What the frame tells about itself: traces, metrics and logs, one provider per service.

Imports nothing here: `logs`, `names`, `context`, `messaging` and `noop` know no OpenTelemetry.
"""

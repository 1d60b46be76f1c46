"""Traces, metrics and logs of the frame, with one OpenTelemetry provider per service.

`logs`, `metric_catalogue`, `context`, `messaging` and `noop` do not import OpenTelemetry.
"""

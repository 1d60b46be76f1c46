"""Traces, metrics and logs of the kit, with one OpenTelemetry provider per service.

`logs`, `metric_catalogue`, `context`, `messaging` and `noop` do not import OpenTelemetry.
"""

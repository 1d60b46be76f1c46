"""One service in a process: settings, assembly, startup, HTTP servers, jobs and shutdown.

`python -m shared.kit.runtime community` runs it; `runner` owns the lifetimes.
"""

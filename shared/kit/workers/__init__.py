"""Worker processes: CPU-bound tasks with a time limit, outside of the event loop's process.

A service uses `pool`; `process` controls one worker; `child` is the program of a worker.
"""

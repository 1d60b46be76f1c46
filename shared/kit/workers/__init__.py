"""Worker processes: computing that must neither hold the event loop nor go on without end.

`pool` is what a service uses, `process` one worker as the service sees it, `child` the program
that runs in it.
"""

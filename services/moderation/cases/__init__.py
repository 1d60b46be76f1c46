"""Cases: what a human should look at, what is decided, and the reasons that are given."""

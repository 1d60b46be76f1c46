"""Each service's own copy of members' rights, built only from identity's events.

It lets a service check rights without a call to another service. It contains no name and no
address.
"""

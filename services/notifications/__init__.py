"""Notifications: informs the right person at the right time, here and in other systems.

Owns each member's inbox, preferences, live stream, and the webhooks of other systems. Answers for
why a member was or was not notified. Never creates news: every notification is the effect of an
event that another service published.
"""

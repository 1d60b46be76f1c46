"""Notifications: the right person, the right moment, and other systems.

Owns each person's inbox, preferences, live stream, and the webhooks of other systems. Answers
for why somebody was told, or was not, and for the quiet hours in between. Never invents news:
everything it delivers is the effect of a fact that another service published.
"""

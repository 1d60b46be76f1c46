"""Moderation: fast, explained, contestable.

Owns rules and their versions, screenings, cases, their decisions and appeals, and how far each
author is trusted. Answers for why something was restricted, in words a pupil understands. Never
changes a post itself: it publishes its decision, and the owner of the post carries it out.
"""

"""Community: who said what, where.

Owns spaces, conversations (posts, comments, answers, reactions, flags), the feed and search.
Answers for who may see and write each of them, and for moving in from an older forum. Never
decides who somebody is (it keeps its own copy of members from identity's facts), and never
judges what was said: it hides or shows what moderation's facts tell it to.
"""

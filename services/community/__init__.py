"""Community: spaces, conversations and imports.

Owns spaces, conversations (posts, answers, comments, flags), the feed, search, and imports from
older forums. Answers for which members may read and write in each space. Never decides a member's
identity (it keeps its own copy of members, built from identity's events), and never judges
content: it hides, removes and restores content as moderation's events decide.
"""

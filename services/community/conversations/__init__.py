"""Conversations: posts, answers, comments, flags, and what moderation decides of them."""

"""Conversations: posts, answers, comments and flags, and moderation's decisions about them."""

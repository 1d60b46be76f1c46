"""Inbox: the notifications of each member, with a stored count of unread ones."""

"""Inbox: what each person should know, with a stored count of what is unread."""

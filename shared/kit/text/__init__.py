"""Pure functions on users' text: characters, mail addresses, Markdown to sanitised HTML."""

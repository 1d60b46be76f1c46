"""Functions over what people write: characters, mail addresses, Markdown to clean HTML. Pure."""

"""What a text says, whatever its disguise: normalising, word lists, personal data, links, masking.

Pure: it takes a text and gives a `Reading`, every finding with its place in the original text. It
decides nothing; `services.moderation.rules` does. No list holds an ordinary word: a false alarm
costs an author more than a missed insult, which readers still report.
"""

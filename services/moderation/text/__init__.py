"""Text analysis: normalisation, word lists, personal data, links and masking, despite disguises.

Pure: it takes a text and returns a `TextAnalysis`, every match with its place in the original text.
It decides nothing; `services.moderation.rules` does. No list contains an ordinary word: a false
positive costs an author more than a missed insult, which readers still report.
"""

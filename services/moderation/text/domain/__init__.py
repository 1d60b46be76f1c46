"""The nouns of a reading: spans, folding, words, vocabulary, lexicons, quotes, personal data.

A *word merely mentioned* (between « », “ ”, straight double quotes, in code, on a quoted line, or
right after "le mot", "the word", "signifie" …) is weaker evidence than a word used: `quoting` and
`mention` find those, and the rules ask for review or pass where they would hide a word used.
"""

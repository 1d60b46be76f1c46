"""The nouns of a reading: spans, folding, words, vocabulary, lexicons, quotes, personal data.

A *word merely mentioned* is weaker evidence than a word used: between « », “ ”, straight double
quotes, in code, on a quoted line, right after "le mot" or "the word", or told ("il m'a traitée
de …"). `quoting` and `mention` find those; the rules review or pass where they would hide a word
used. Single quotes do not count: in French they are apostrophes.
"""

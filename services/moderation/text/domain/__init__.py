"""The nouns of a reading: spans, folding, words, vocabulary, lexicons, quotes, personal data.

A *word merely mentioned* is weaker evidence than a word used: between quotes of any kind, in code,
on a quoted line, right after "le mot" or "the word", or told ("il m'a traitée de …"). `quoting`,
`mention` and `reporting` find those; the rules review or pass where they would hide a word used.
`senses` finds ordinary senses, `signs` emoji, and `usage` judges each word by all of them.
"""

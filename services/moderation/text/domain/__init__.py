"""The concepts of text analysis: spans, tokens, lexicons, quotations, personal data.

A *mentioned word* is weaker evidence than a used one: it is quoted in any way, in code, on a quoted
line, directly after "le mot" or "the word", or reported ("il m'a traitée de …"). `quotations`,
`mention` and `reported_speech` recognise these; rules review or pass where a used word is hidden.
`senses` recognises ordinary senses, `emoji` abusive emoji, and `usage` classifies each match with
all of them.
"""

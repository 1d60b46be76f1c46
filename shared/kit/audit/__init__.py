"""The audit log: a chain of rows per person, whose heads are signed and published each minute.

`chain` writes and verifies the rows, `heads` publishes where each chain ends, `signing` signs that,
`verify` holds the rows against what was published.
"""

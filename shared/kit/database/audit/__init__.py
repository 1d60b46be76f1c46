"""The audit log: one chain of rows per person, each row holding the hash of the one before.

`chain` writes the rows, `statement` holds their SQL, `signing` signs the last hash of each chain.
`runtime.audit_heads` publishes the signed hashes, `tools.reconcile.audit_chains` verifies the rows.
"""

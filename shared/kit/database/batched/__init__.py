"""Batched units of work: dataloader reads and group-commit writes for hot commands (ADR 0049).

`unit` opens them, `statements` builds their SQL, `micro_batcher` forms the batches.
"""

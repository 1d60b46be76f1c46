"""Subcommands of `preau` that the frame contributes; `main` also loads those of the services."""

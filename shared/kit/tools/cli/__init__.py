"""Subcommands of `preau` that the kit contributes; `main` also loads those of the services."""

"""The subcommands of `preau` that belong to the frame; `main` collects those of services too."""

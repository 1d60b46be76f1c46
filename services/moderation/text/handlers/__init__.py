"""What the feature does for others: open the reader on the lists shipped with the package."""

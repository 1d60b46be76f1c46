"""What operators and developers run from a command line: none of it runs inside a service."""

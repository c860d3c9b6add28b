"""The command line: one file per command, shared pieces start with an underscore."""

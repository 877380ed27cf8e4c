"""The command line: `twin simulate`, `check`, `models`, `schema`."""

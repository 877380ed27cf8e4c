"""Text that readers share: lines, rows, dates, people and JSON, each read within stated limits."""

"""What is on disk: atomic writes, locks, sealed JSON, tables, artifacts and run directories."""

"""The report: finished runs as one HTML page that needs nothing else, by paper and figure."""

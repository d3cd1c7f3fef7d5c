"""A run's numbers for a paper, a page or another program: LaTeX, Markdown, JSON and Parquet."""

"""The content of advlab: one module per figure or table, one package per paper."""

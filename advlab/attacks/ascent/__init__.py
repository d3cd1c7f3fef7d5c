"""Attacks that ascend a loss or a probability step by step."""

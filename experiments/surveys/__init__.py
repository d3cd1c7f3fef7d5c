"""Surveys that no single paper draws: one method on one model and dataset, with every number that users ask for."""

"""Figures as functions of tables; nothing here imports torch."""

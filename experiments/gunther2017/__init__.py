"""Günther, Rozsa and Boult 2017: On the robustness of deep neural networks."""

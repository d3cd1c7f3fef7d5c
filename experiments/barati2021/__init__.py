"""Barati, Safabakhsh and Rahmati 2021: Towards explaining the adversarial examples phenomenon."""

"""Aghdam, Heravi and Puig 2017: Explaining adversarial examples by local properties of ConvNets."""

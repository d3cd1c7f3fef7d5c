"""Networks that take normalised images (N, C, H, W) and give logits (N, classes), one architecture per module."""

from advlab.models.networks.antialiasing import blur_before
from advlab.models.networks.cifar import CifarAlexNet, CifarVGG
from advlab.models.networks.ciresan import Aghdam, Ciresan
from advlab.models.networks.lenet import LeNet
from advlab.models.networks.mlp import MLP
from advlab.models.networks.nin import NiN

__all__ = ["MLP", "Aghdam", "CifarAlexNet", "CifarVGG", "Ciresan", "LeNet", "NiN", "blur_before"]

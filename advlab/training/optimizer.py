"""The optimizer of a recipe, with one group of parameters for each learning rate and weight decay."""

from __future__ import annotations

import torch
from torch import nn

from advlab.training.recipe import Recipe


class RecipeOptimizer:
    """SGD, Adam or AdamW over a network's trainable parameters, which differ in their learning rate and weight decay.

    Args:
        network: whose parameters are trained, on the device where they stay.
        recipe: names the optimizer, and what biases and the last layer take of its rate and its decay.

    Raises:
        ValueError: no parameter requires a gradient.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        groups = parameter_groups(network, recipe)
        if not groups:
            raise ValueError("the network has no parameter that requires a gradient: nothing to train")
        self.lr_multipliers = [lr_multiplier for _, lr_multiplier in groups]
        options = [{"params": parameters, "weight_decay": decay} for (decay, _), parameters in groups.items()]
        if recipe.optimizer == "sgd":
            # torch multiplies the velocity by the rate of the step, caffe the gradient before it joins the velocity: the two
            # are the same while the rate is constant
            self.optimizer: torch.optim.Optimizer = torch.optim.SGD(
                options, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True
            )
        else:
            adam = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
            self.optimizer = adam(options, lr=recipe.lr, betas=(recipe.momentum, 0.999), fused=True)

    def step(self, loss: torch.Tensor, lr: float) -> None:
        """Take the gradients of a loss and one step, at the rate `lr` of ordinary weights."""
        for group, multiplier in zip(self.optimizer.param_groups, self.lr_multipliers, strict=True):
            group["lr"] = lr * multiplier
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()


def parameter_groups(network: nn.Module, recipe: Recipe) -> dict[tuple[float, float], list[nn.Parameter]]:
    """(weight decay, multiplier of the learning rate) -> the trainable parameters that take them.

    Equal parameters share a group: fused optimizers launch one kernel for each. Biases are the parameters of at most one
    dimension, and so are the gains of batch norms.
    """
    layers = [module for module in network.modules() if any(True for _ in module.parameters(recurse=False))]
    last_layer = {id(parameter) for parameter in layers[-1].parameters()} if layers else set()
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if not parameter.requires_grad:
            continue
        is_bias = parameter.ndim <= 1
        decay = recipe.weight_decay * (recipe.bias_decay if is_bias else 1.0)
        lr_multiplier = (recipe.bias_lr if is_bias else 1.0) * (recipe.head_lr if id(parameter) in last_layer else 1.0)
        groups.setdefault((decay, lr_multiplier), []).append(parameter)
    return groups

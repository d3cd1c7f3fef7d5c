"""Whether a recipe was made for other data than it is about to train on: told before the minutes that training takes."""

from __future__ import annotations

from advlab.config.choices import group_choices, read_choice
from advlab.training.recipe import Recipe


def made_for_other_data(model: str, recipe: Recipe, data: str) -> str:
    """A sentence where a recipe is known for other datasets alone, with those that are for this one; otherwise empty.

    Args:
        model: its name.
        recipe: how it is trained; where nothing is known of its accuracy, nothing is said.
        data: name of the dataset; `cifar10-jpeg` is `cifar10`.

    >>> print(made_for_other_data("lenet", Recipe(name="lenet_digits", epochs=1, expected={"digits": 0.99}), "mnist"))
    the recipe lenet_digits is for digits, and trains lenet on mnist now: for mnist there is recipe=lenet_mnist
    """
    known = recipe.expected or read_choice("recipe", recipe.name).get("expected", {})
    of_data = data.partition("-")[0]
    if not known or of_data in known:
        return ""
    suitable = [name for name in group_choices("recipe") if is_for(name, model, of_data)]
    remedy = f": for {of_data} there is {' or '.join(f'recipe={name}' for name in suitable[:3])}" if suitable else ""
    return f"the recipe {recipe.name} is for {' and '.join(known)}, and trains {model} on {data} now{remedy}"


def is_for(recipe: str, model: str, data: str) -> bool:
    """Whether a packaged recipe is for a model and a dataset, and for clean images."""
    node = read_choice("recipe", recipe)
    own = recipe.startswith(f"{model}_") and data in node.get("expected", {})
    return own and not any(str(entry).startswith("pgd") for entry in node.get("augment", []))

"""A package with the interface of robustbench's model zoo and loader, for two small networks, as files in a folder."""

from __future__ import annotations

from pathlib import Path

FILES = {
    # as the real package's: it does not import where what its evaluation needs is missing
    "__init__.py": "raise ImportError('No module named autoattack')\n",
    "model_zoo/__init__.py": "from .models import model_dicts\n",
    "model_zoo/models.py": """
import enum
import torch
from torch import nn


class Dataset(enum.Enum):
    cifar_10 = "cifar10"
    cifar_100 = "cifar100"
    imagenet = "imagenet"


class Threat(enum.Enum):
    Linf = "Linf"
    L2 = "L2"
    corruptions = "corruptions"


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mu", torch.full((1, 3, 1, 1), 0.5))
        self.linear = nn.Linear(3, 10)

    def forward(self, x):
        return self.linear((x - self.mu).mean((2, 3)))


class Ensemble(nn.Module):
    def __init__(self):
        super().__init__()
        self.models = nn.ModuleList([Normalised(), Normalised()])

    def forward(self, x):
        return sum(model(x) for model in self.models)


def imagenet():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1000))


model_dicts = {
    Dataset.cifar_10: {
        Threat.Linf: {
            "Wong2020Fast": {"model": Normalised, "gdrive_id": "1one"},
            "Chen2020Adversarial": {"model": Ensemble, "gdrive_id": ["1two", "2two"]},
        }
    },
    Dataset.imagenet: {
        Threat.L2: {"Wong2020Faster": {"model": imagenet, "gdrive_id": "1x", "preprocessing": "BicubicRes256Crop224"}}
    },
}
""",
    "utils.py": """
from pathlib import Path
import torch
from robustbench.model_zoo import model_dicts
from robustbench.model_zoo.models import Dataset, Threat


def load_model(model_name, model_dir="./models", dataset="cifar10", threat_model="Linf"):
    entry = model_dicts[Dataset(dataset)][Threat(threat_model)][model_name]
    path = Path(model_dir) / dataset / threat_model / f"{model_name}.pt"
    model = entry["model"]()
    if isinstance(entry["gdrive_id"], list):
        for number, part in enumerate(model.models):
            part.load_state_dict(torch.load(f"{path}_m{number}.pt"), strict=False)
        return model.eval()
    state = torch.load(path)["state_dict"]
    model.load_state_dict({name.removeprefix("module."): value for name, value in state.items()}, strict=False)
    return model.eval()
""",
}


def write_package(folder: Path) -> None:
    """Write the package into a folder, which is to be put before all others in sys.path."""
    for name, text in FILES.items():
        path = folder / "robustbench" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

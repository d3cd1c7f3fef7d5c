"""What stands before the first cell: data loaded, network loaded or trained and tuned, clean accuracy measured."""

from __future__ import annotations

import functools
import logging
from typing import Any

from advlab.config.settings import Settings
from advlab.engine.compatibility import check_compatibility, choose_device
from advlab.errors import ResultError
from advlab.progress import Progress
from advlab.store.artifacts import ArtifactStore

log = logging.getLogger(__name__)


class RunSetup:
    """Builds one run's context.

    Attributes:
        facts: what the manifest says about device, data, weights and accuracy.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.experiment = settings.experiment
        self.artifacts = ArtifactStore(settings.run.path("cache_root"), writes=not settings.run.dry)
        self.facts: dict[str, Any] = {}
        self.phase: Progress | None = None

    def context(self, plan: dict[str, Any] | None) -> Any:
        """Everything that is loaded, trained and tuned before the first cell; a resumed plan's execution is repeated."""
        from advlab.lab.context import Context

        if not self.experiment.torch:
            self.facts |= {"device": "cpu"}
            nowhere: Any = None
            return Context(self.settings, self.artifacts, nowhere, self._report_progress)
        import torch

        from advlab.models.forward import Execution, Forward, set_precision
        from advlab.models.tuning import device_name, tune

        run, nodes = self.settings.run, self.settings.nodes
        device = choose_device(run.device if plan is None else plan["device"])
        set_precision(run.precision)
        ctx = Context(self.settings, self.artifacts, device, self._report_progress)
        self.facts |= {"device": str(device), "device_name": device_name(device), "threads": torch.get_num_threads()}
        if "dataset" in self.experiment.uses:
            ctx.load_split = functools.cache(self._data)
            ctx.data = ctx.load_split(self.settings.dataset.split).to(device)
            self.facts["dataset"] = {
                "name": ctx.data.name, "split": ctx.data.split, "images": len(ctx.data), "shape": list(ctx.data.shape),
                "classes": list(ctx.data.classes), "digest": ctx.data.digest,
            }  # fmt: skip
            if plan is not None and plan["data"] != ctx.data.digest:
                raise ResultError(
                    f"the images of {ctx.data.name}/{ctx.data.split} are not those that this run began with "
                    f"({plan['data'][:12]}): start a new run without run.resume"
                )
        if "model" in self.experiment.uses and nodes["model"]["name"] != "none" and not self.experiment.trains:
            assert ctx.data is not None
            loaded = self._classifier(ctx.data, device)
            ctx.classifier = loaded.classifier
            check_compatibility(
                ctx.data.name, ctx.data.shape, len(ctx.data.classes), self.settings, ctx.classifier.classes
            )
            weights = ctx.classifier.digest()
            if plan is None:
                ctx.execution = tune(ctx.classifier, device, run.precision, self.artifacts, run.batch_size)
            else:
                ctx.execution = Execution(**plan["execution"])
                if plan["weights"] != weights:
                    raise ResultError(
                        f"the weights of {ctx.classifier.name} are not those that this run began with ({plan['weights'][:12]}): "
                        "start a new run without run.resume"
                    )
            ctx.forward = Forward(ctx.classifier, ctx.execution)
            self.facts["model"] = {
                "name": ctx.classifier.name, "weights": weights, "origin": loaded.origin, "classes": ctx.classifier.classes,
                "head": ctx.classifier.head,
                "parameters": sum(p.numel() for p in ctx.classifier.network.parameters()),
            }  # fmt: skip
            ctx.predictions = self._predictions(ctx)
            ctx.load_network = self._another(ctx)
        return ctx

    def _data(self, split: str) -> Any:
        from advlab.data.source import LoadOptions

        source, model, run = self.settings.dataset, self.settings.model, self.settings.run
        uses_model = hasattr(model, "shape")
        options = LoadOptions(
            root=run.path("data_root"),
            download=run.download and not run.dry,
            artifacts=self.artifacts,
            model_shape=model.shape if uses_model else None,
            model_crop=model.crop if uses_model else 1.0,
            model_resample=model.resample if uses_model else "bilinear",
        )
        node = self.settings.nodes["dataset"]
        check_compatibility(node["name"], source.shape(options.model_shape), source.class_count, self.settings)
        data = source.load(split, node.get("label") or node["name"], options)
        check_compatibility(node["name"], data.shape, len(data.classes), self.settings)
        return data

    def _classifier(self, data: Any, device: Any) -> Any:
        from advlab.lab.loading import load_classifier

        run, nodes = self.settings.run, self.settings.nodes
        return load_classifier(
            nodes["model"]["name"], self.settings.model, self.settings.recipe, shape=data.shape,
            train_data=lambda: self._data("train"), artifacts=self.artifacts, device=device, seed=run.seed,
            download=run.download and not run.dry,
        )  # fmt: skip

    def _predictions(self, ctx: Any) -> Any:
        from advlab.models.classifier import frozen
        from advlab.probes.selection import Predictions, predict

        run = self.settings.run

        def predictions(count: int) -> Predictions:
            with frozen(ctx.classifier):
                return predict(
                    ctx.classifier, ctx.forward, ctx.data, seed=run.seed, count=count, batch=ctx.execution.batch_size,
                    precision=run.precision, artifacts=self.artifacts, report_progress=self._report_progress,
                )  # fmt: skip

        return predictions

    def _another(self, ctx: Any) -> Any:
        """Other networks on the run's images, each loaded or trained once, as for a run of its own."""
        from advlab.models.forward import Execution, Forward

        made: dict[str, Any] = {}

        def another(settings: Settings) -> Any:
            if settings.digest not in made:
                other = RunSetup(settings)
                loaded = other._classifier(ctx.data, ctx.device)
                check_compatibility(
                    ctx.data.name, ctx.data.shape, len(ctx.data.classes), settings, loaded.classifier.classes
                )
                execution = Execution(ctx.execution.batch_size, "contiguous", ctx.execution.precision)
                made[settings.digest] = Forward(loaded.classifier, execution)
                self.facts.setdefault("other_models", []).append(
                    {"name": loaded.classifier.name, "weights": loaded.classifier.digest(), "origin": loaded.origin}
                )
            return made[settings.digest]

        return another

    def report_accuracy(self, ctx: Any) -> None:
        """Print the clean accuracy, and the recipe's expected one, and keep both for the manifest."""
        predictions = ctx.predictions(self.settings.run.accuracy_images)
        n, right = len(predictions.correct), int(predictions.correct.sum())
        expected = getattr(self.settings.recipe, "expected", {}).get(ctx.data.name, 0.0)
        applies = expected > 0 and self.facts["model"]["origin"].startswith("trained")
        text = f"; the recipe reaches {100 * expected:.2f} %" if applies else ""
        log.info(
            "clean accuracy of %s on %s: %.2f %% (%d of %d)%s", ctx.classifier.name, ctx.data.name, 100 * right / n, right, n, text
        )  # fmt: skip
        if applies and right / n < expected - 0.01 - 3 * (expected * (1 - expected) / n) ** 0.5:
            log.warning("the clean accuracy is well below what the recipe reaches: check data and training")
        self.facts["clean_accuracy"] = {
            "accuracy": right / n,
            "correct": right,
            "images": n,
            "expected": expected if applies else None,
        }

    def _report_progress(self, title: str, done: int, total: int) -> None:
        """Progress of the phases before the cells."""
        if self.phase is None or (self.phase.title, self.phase.total) != (title, total):
            self.end_phase()
            self.phase = Progress(title, total)
        self.phase.update(done)
        if done >= total:
            self.end_phase()

    def end_phase(self) -> None:
        """Take the progress of a phase away, whether it was finished or not."""
        if self.phase is not None:
            self.phase.close()
            self.phase = None

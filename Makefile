# advlab's commands. `make help` lists them. Options of a run pass through: make aghdam2017-fig1 ARGS="model=vgg16"
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ADVLAB := $(BIN)/advlab
ARGS ?=
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help env demo test lint format types unit bench aghdam2017 aghdam2017-fig1 gunther2017 \
	gunther2017-fig1 gunther2017-fig2 gunther2017-fig3 attack-survey clean

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-18s %s\n", $$1, $$2}'

env: $(READY)  ## make the environment in .venv (reused until pyproject.toml or setup.py changes)

# the stamp holds the digest of what the environment was made from: a fresh clone's times say nothing
$(READY): pyproject.toml setup.py
	@if [ "$$(cat $(READY) 2>/dev/null)" != "$$(cat pyproject.toml setup.py | cksum)" ]; then \
		test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,cluster,peers]" || exit 1; \
		cat pyproject.toml setup.py | cksum > $(READY); \
	else touch $(READY); fi

demo: $(READY)  ## isotropy of a small network on embedded digits, offline: a figure and a table in outputs/
	$(ADVLAB) run.preset=laptop $(ARGS)

test: lint types unit  ## lint, type-check and test

lint: $(READY)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)  ## mypy
	$(BIN)/mypy

unit: $(READY)  ## pytest
	$(BIN)/python -m pytest -q $(ARGS)

bench: $(READY)  ## ratios of speed, each measured side by side in one run: a table and JSON in outputs/bench/
	$(BIN)/python -m benchmarks $(ARGS)

aghdam2017: aghdam2017-fig1  ## every figure of Aghdam et al. 2017

aghdam2017-fig1: $(READY)  ## isotropy of the GTSRB networks (others: ARGS="model=alexnet,vgg16 dataset.root=...")
	$(ADVLAB) -m experiment=isotropy model=ciresan,aghdam $(ARGS)

gunther2017: gunther2017-fig2 gunther2017-fig3  ## the figures of Günther et al. 2017 on LeNet and MNIST

gunther2017-fig1: $(READY)  ## adversarial and fooling images on ImageNet: ARGS="dataset.root=/path/to/imagenet"
	$(ADVLAB) experiment=adversarial_gallery model=alexnet experiment.columns=5 $(ARGS)
	$(ADVLAB) experiment=fooling_gallery model=alexnet $(ARGS)

gunther2017-fig2: $(READY)  ## fooling images of four digits from one random start
	$(ADVLAB) experiment=fooling_gallery model=lenet_mnist $(ARGS)

gunther2017-fig3: $(READY)  ## digits with their FGS, FGV and HC-1 adversarial images
	$(ADVLAB) experiment=adversarial_gallery model=lenet_mnist $(ARGS)

attack-survey: $(READY)  ## success, size, price and transfer of attacks (others: ARGS="model=cifar_vgg attack=pgd,uap")
	$(ADVLAB) -m experiment=attack_survey model=lenet_mnist attack=fgs,fgv,hc1,deepfool experiment.transfer=[mlp] $(ARGS)

clean:  ## remove the environment and caches, not outputs/
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache

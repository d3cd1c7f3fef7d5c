# advlab's commands. `make help` lists them. Options of a run pass through: make aghdam2017-fig1 ARGS="model=vgg16"
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ADVLAB := $(BIN)/advlab
ARGS ?=
# the stamps of what stands in .venv: advlab and what it needs to run; that and all extras
CORE := $(VENV)/.core
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help env demo test lint format types unit bench snapshot aghdam2017 aghdam2017-fig1 aghdam2017-fig2 aghdam2017-fig3 \
	aghdam2017-fig4 aghdam2017-depth aghdam2017-fig5 aghdam2017-fig6 aghdam2017-directions aghdam2017-gradient \
	aghdam2017-frequency attack-survey clean

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-18s %s\n", $$1, $$2}'

env: $(READY)  ## make the environment with all extras in .venv (reused until pyproject.toml or setup.py changes)

# each stamp holds the digest of what the environment was made from: a fresh clone's times say nothing
define INSTALL
	@if [ "$$(cat $@ 2>/dev/null)" != "$$(cat pyproject.toml setup.py | cksum)" ]; then \
		printf '%s\n' $(NEWS); \
		test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || exit 1; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e "$(WHAT)" || exit 1; \
		cat pyproject.toml setup.py | cksum > $@; \
	else touch $@; fi
endef

$(CORE): WHAT = .
$(CORE): NEWS = "Installing advlab and what it needs to run into $(VENV): 6 GB on Linux, most of it torch with its CUDA libraries." \
	"It takes minutes. docs/how-to/install.md shows a smaller install for machines without a GPU; make clean removes either."
$(CORE): pyproject.toml setup.py
	$(INSTALL)

$(READY): WHAT = .[dev,cluster,peers,timm,parquet]
$(READY): NEWS = "Installing the extras (tests, clusters, other attack libraries) into $(VENV): half a GB."
$(READY): $(CORE)
	$(INSTALL)
	@# without its dependency visdom, which it draws with and which does not build under Python 3.10 and 3.11
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps "adv-lib>=0.2.6"

demo: $(CORE)  ## isotropy of a small network on embedded digits, offline once installed: a figure and a table in outputs/
	@echo "Isotropy of LeNet on digits, 30 samples: half a minute to two on two processor cores, and the training of LeNet, once."
	$(ADVLAB) run.preset=laptop $(ARGS)
	@echo "Next: . $(BIN)/activate, then advlab list experiments, or the lines below Five minutes in README.md"

test: lint types unit  ## lint, type-check and test

lint: $(READY)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)  ## mypy
	$(BIN)/mypy

unit: $(READY)  ## pytest: all but the long tests in two processes, or ARGS="tests/examples" in one
	$(BIN)/python -m pytest -q $(or $(ARGS),-n 2 --dist worksteal)

.PHONY: test-long
test-long: $(READY)  ## pytest with the long tests: further cases of what unit has a case of
	$(BIN)/python -m pytest -q -m "" $(or $(ARGS),-n 2 --dist worksteal)

.PHONY: test-slurm
test-slurm: $(READY)  ## tests on a real Slurm, where sinfo shows a node that takes jobs
	sinfo -h -o %T | grep -qE "idle|mix|alloc" || { echo "no Slurm takes jobs here: sinfo shows no node" >&2; exit 1; }
	$(BIN)/python -m pytest -q tests/engine/workers/test_slurm.py tests/reliability/test_slurm.py $(ARGS)

bench: $(READY)  ## ratios of speed, each measured side by side in one run: a table and JSON in outputs/bench/
	$(BIN)/python -m benchmarks $(ARGS)

# a machine that lacks packages and registries, but has torch: make gpu WHEELS=FOLDER (CONTRIBUTING.md says of which)
WHEELS ?=
.PHONY: gpu
gpu: $(if $(WHEELS),,$(READY))  ## everything about one GPU, in eight minutes: JSON and a table in outputs/gpu/ (ARGS=--small: a trial)
	$(if $(WHEELS),$(PYTHON),$(BIN)/python) -m benchmarks.gpu $(if $(WHEELS),--wheels $(WHEELS)) $(ARGS)

snapshot: $(READY)  ## what a user sees, kept and compared: ARGS="keep FOLDER [NAME...]" or ARGS="compare OLD NEW [NAME...]"
	$(BIN)/python -m benchmarks.snapshot $(or $(ARGS),--help)

.PHONY: publish readme
publish: $(READY)  ## put the claims and a reduced manifest of finished runs below experiments/: ARGS="RUN..."
	$(BIN)/python -m benchmarks.published publish $(or $(ARGS),--help)

readme: $(READY)  ## write the tables of verdicts in the READMEs and docs/ anew from the published results (ARGS=--check: only look)
	$(BIN)/python -m benchmarks.published readme $(ARGS)

# the site's own tools: the core and the extra `docs`
DOCUMENTS := $(VENV)/.docs
$(DOCUMENTS): WHAT = .[docs]
$(DOCUMENTS): NEWS = "Installing what the documentation is built with into $(VENV): a tenth of a GB."
$(DOCUMENTS): $(CORE)
	$(INSTALL)

.PHONY: docs docs-serve
docs: $(DOCUMENTS)  ## the documentation's site in site/: strict, links and anchors checked, the tutorial run
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet $(ARGS)
	$(BIN)/python -m website.check site

docs-serve: $(DOCUMENTS)  ## serve the documentation on this machine, built again at each change
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve --no-strict $(ARGS)

# the networks of the figures; others, or other data: NETWORKS=vgg16,resnet50 ARGS="dataset.root=/path/to/imagenet"
NETWORKS ?= lenet_mnist,ciresan,aghdam

FIGURES := fig1 fig2 fig3 fig4 depth fig5 fig6 directions gradient frequency layer penalty separability
aghdam2017: $(FIGURES:%=aghdam2017-%)  ## every figure of Aghdam et al. 2017

aghdam2017-fig1: $(CORE)  ## isotropy
	$(ADVLAB) -m experiment=isotropy model=$(NETWORKS) $(ARGS)

aghdam2017-fig2: $(CORE)  ## score around one image, and two permutations of one perturbation
	$(ADVLAB) -m experiment=symmetry_map model=$(NETWORKS) $(ARGS)

aghdam2017-fig3: $(CORE)  ## symmetricity
	$(ADVLAB) -m experiment=symmetricity model=$(NETWORKS) $(ARGS)

aghdam2017-fig4: $(CORE)  ## topology: Mantel correlations, with the network's linearisation and random maps
	$(ADVLAB) -m experiment=topology model=$(NETWORKS) $(ARGS)

aghdam2017-depth: $(CORE)  ## topology layer by layer
	$(ADVLAB) -m experiment=topology model=$(NETWORKS) probe.layer=all experiment.test=normal $(ARGS)

aghdam2017-fig5: $(CORE)  ## two functions with one Lipschitz constant
	$(ADVLAB) experiment=lipschitz_toy $(filter run.% experiment.%,$(ARGS))

aghdam2017-fig6: $(CORE)  ## local Lipschitz constants, beside Jacobians and the global bound
	$(ADVLAB) -m experiment=lipschitz model=$(NETWORKS) $(ARGS)

aghdam2017-directions: $(CORE)  ## figures 1, 4 and 6 on adversarial directions of equal length
	$(ADVLAB) -m experiment=isotropy,topology,lipschitz model=$(NETWORKS) probe.direction=fgv,deepfool $(ARGS)

aghdam2017-gradient: $(CORE)  ## section 2.1: gradient and Hessian as measures of isotropy
	$(ADVLAB) -m experiment=gradient_isotropy model=$(NETWORKS) $(ARGS)

aghdam2017-frequency: $(CORE)  ## section 2.2: convolutions of permuted inputs
	$(ADVLAB) experiment=frequency $(filter run.% experiment.%,$(ARGS))

.PHONY: aghdam2017-separability aghdam2017-penalty aghdam2017-layer
aghdam2017-layer: $(CORE)  ## section 2.2: the first convolution and the pooling of networks on permuted inputs
	$(ADVLAB) -m experiment=first_layer model=$(NETWORKS) $(ARGS)

# it trains LeNets of its own, whatever network and data the other figures take
aghdam2017-penalty: $(CORE)  ## section 2.2: networks trained with penalties on gradient and Hessian
	$(ADVLAB) experiment=gradient_penalty model=lenet_mnist $(filter-out model% dataset% recipe%,$(ARGS))

aghdam2017-separability: $(CORE)  ## section 2.3: linear probe and nearest neighbour in pixels and in features
	$(ADVLAB) -m experiment=separability model=$(NETWORKS) $(ARGS)

.PHONY: barati2021 barati2021-fig1 barati2021-fig2 barati2021-fig3
barati2021: barati2021-fig1 barati2021-fig2 barati2021-fig3 barati2021-fig4 barati2021-prediction barati2021-fig5  ## every figure of Barati et al. 2021

barati2021-fig1: $(CORE)  ## maximum-margin classifiers of two points in the bases of Bernstein and Chebyshev
	$(ADVLAB) experiment=bernstein_chebyshev $(filter run.% experiment.%,$(ARGS))

barati2021-fig2: $(CORE)  ## maximum-margin polynomials trained on equispaced and Chebyshev grids
	$(ADVLAB) experiment=training_grids $(filter run.% experiment.%,$(ARGS))

barati2021-fig3: $(CORE)  ## expected loss of Chebyshev polynomials and the Chebyshev nodes
	$(ADVLAB) experiment=hard_points $(filter run.% experiment.%,$(ARGS))

.PHONY: barati2021-fig4 barati2021-fig5 barati2021-fig5-sensitivity barati2021-prediction
barati2021-fig4: $(CORE)  ## adversarial and hard objective of random networks, with four losses
	$(ADVLAB) -m experiment=mlp_objectives experiment.loss=label,entropy,margin,square $(filter run.% experiment.%,$(ARGS))

barati2021-fig5: $(CORE)  ## training with hard points on MNIST and Fashion-MNIST (two cores: ARGS=run.preset=laptop)
	$(ADVLAB) experiment=hard_point_training dataset=mnist $(ARGS)
	$(ADVLAB) experiment=hard_point_training dataset=fashion_mnist $(ARGS)

barati2021-fig5-sensitivity: $(CORE)  ## the same with other ascents, initial weights, and steps of their own for hard points
	$(ADVLAB) -m experiment=hard_point_training experiment.steps=1,5,20 experiment.step=0.1,0.5,2 $(ARGS)
	$(ADVLAB) -m experiment=hard_point_training model.initialisation=he,torch recipe.adversarial_step=joint,separate $(ARGS)

barati2021-prediction: $(CORE)  ## section IV-B: agreement with a random network against the number of points
	$(ADVLAB) -m experiment=sample_complexity experiment.loss=label,margin $(filter run.% experiment.%,$(ARGS))

.PHONY: jetley2018 jetley2018-curvature jetley2018-fig1 jetley2018-fig2 jetley2018-fig3 jetley2018-angles jetley2018-fig4 \
	jetley2018-fig4-imagenet jetley2018-fig5 jetley2018-fig5-cifar100 jetley2018-suppression jetley2018-table1 \
	jetley2018-table1-imagenet

jetley2018: jetley2018-curvature jetley2018-fig1 jetley2018-fig2 jetley2018-fig3 jetley2018-angles jetley2018-fig4 jetley2018-fig5 jetley2018-suppression jetley2018-table1  ## figures and tables of Jetley et al. 2018 on LeNet and MNIST (two cores: ARGS=run.preset=laptop)

jetley2018-curvature: $(CORE)  ## sections 2.2 and 3: principal curvatures, their directions, what they say of attacks
	$(ADVLAB) experiment=curvature model=lenet_mnist $(ARGS)
	$(ADVLAB) experiment=curvature_sign model=lenet_mnist $(filter-out experiment.%,$(ARGS))
	$(ADVLAB) experiment=curved_universal model=lenet_mnist $(filter-out experiment.%,$(ARGS))

jetley2018-fig1: $(CORE)  ## class scores of single images along curvature directions
	$(ADVLAB) experiment=score_curves model=lenet_mnist $(ARGS)

jetley2018-fig2: $(CORE)  ## class scores over all images, and the share moved into each class
	$(ADVLAB) experiment=class_scores model=lenet_mnist $(ARGS)

jetley2018-fig3: $(CORE)  ## accuracy and shares of perturbations in subspaces of curved, flat and random directions
	$(ADVLAB) experiment=subspace_accuracy model=lenet_mnist $(ARGS)
	$(ADVLAB) experiment=subspace_norms model=lenet_mnist $(ARGS)

jetley2018-angles: $(CORE)  ## section 4.3: angles between the bases of curvature, of DeepFool and of gradients
	$(ADVLAB) experiment=basis_angles model=lenet_mnist $(ARGS)

jetley2018-fig4: $(CORE)  ## accuracy on images projected onto singular vectors of DeepFool perturbations
	$(ADVLAB) -m experiment=deepfool_svd model=lenet_mnist,lenet_mnist_pgd $(ARGS)

jetley2018-fig4-imagenet: $(CORE)  ## the same at 224 pixels, resampled to 100 and 120: ARGS="dataset.root=/path/to/imagenet"
	$(ADVLAB) -m experiment=deepfool_svd model=alexnet experiment.resampled_to=100,120 experiment.candidates=10 $(ARGS)

jetley2018-fig5: $(CORE)  ## DeepFool confined to those singular vectors, beside the norms of projected images
	$(ADVLAB) -m experiment=confined_deepfool model=lenet_mnist,lenet_mnist_pgd $(ARGS)

jetley2018-fig5-cifar100: $(CORE)  ## the same on the paper's CIFAR-100 network
	$(ADVLAB) experiment=confined_deepfool model=cifar_alexnet_cifar100 $(ARGS)

jetley2018-suppression: $(CORE)  ## sections 1, 4.4 and 5: accuracy and white-box robustness without curved directions
	$(ADVLAB) experiment=suppression model=lenet_mnist $(ARGS)

jetley2018-table1: $(CORE)  ## downsampling: fooling rates and minimal norms behind a resampling of the images
	$(ADVLAB) experiment=downsampling model=lenet_mnist $(ARGS)

jetley2018-table1-imagenet: $(CORE)  ## the same of AlexNet on ImageNet: ARGS="dataset.root=/path/to/imagenet"
	$(ADVLAB) experiment=downsampling model=alexnet $(ARGS)

.PHONY: gunther2017 gunther2017-fig1 gunther2017-fig2 gunther2017-fig3 gunther2017-table1 gunther2017-table2 gunther2017-strength \
	gunther2017-trained-under gunther2017-table3 gunther2017-fig4 gunther2017-fig5

gunther2017: gunther2017-fig2 gunther2017-fig3 gunther2017-table1 gunther2017-table2 gunther2017-strength gunther2017-trained-under gunther2017-table3 gunther2017-fig4 gunther2017-fig5  ## figures and tables of Günther et al. 2017 on LeNet and MNIST (two cores: ARGS=run.preset=laptop)

gunther2017-fig1: $(CORE)  ## adversarial and fooling images on ImageNet: ARGS="dataset.root=/path/to/imagenet"
	$(ADVLAB) experiment=adversarial_gallery model=alexnet experiment.columns=5 $(ARGS)
	$(ADVLAB) experiment=fooling_gallery model=alexnet $(ARGS)

gunther2017-fig2: $(CORE)  ## fooling images of four digits from one random start
	$(ADVLAB) experiment=fooling_gallery model=lenet_mnist 'experiment.verdicts=[openmax]' $(ARGS)

gunther2017-fig3: $(CORE)  ## digits with their FGS, FGV and HC-1 adversarial images
	$(ADVLAB) experiment=adversarial_gallery model=lenet_mnist 'experiment.verdicts=[openmax]' $(ARGS)

gunther2017-table2: $(CORE)  ## adversarial images that preprocessing makes right again
	$(ADVLAB) experiment=preprocessing model=lenet_mnist $(ARGS)

gunther2017-strength: $(CORE)  ## stronger preprocessing, images beyond the smallest weight, and attacks that know the defense
	$(ADVLAB) experiment=preprocessing_strength model=lenet_mnist $(ARGS)

gunther2017-trained-under: $(CORE)  ## preprocessing in front of networks that were trained under it
	$(ADVLAB) experiment=preprocessing_training model=lenet_mnist $(ARGS)

gunther2017-table3: $(CORE)  ## what an open set network makes of test, adversarial and fooling images
	$(ADVLAB) experiment=open_set model=lenet_mnist $(ARGS)

gunther2017-fig4: $(CORE)  ## fooling images of all digits from three starts, before an open set network
	$(ADVLAB) experiment=fooling_grid model=lenet_mnist $(ARGS)
gunther2017-table1: $(CORE)  ## networks fine-tuned on adversarial images, and controls (two cores: ARGS=run.preset=laptop)
	$(ADVLAB) experiment=adversarial_training $(ARGS)

gunther2017-fig5: $(CORE)  ## adversarial labels and PASS of networks with and without blur before each down-sampling
	$(ADVLAB) experiment=aliasing $(ARGS)

attack-survey: $(CORE)  ## success, size, price and transfer of attacks (others: ARGS="model=cifar_vgg attack=pgd,uap")
	$(ADVLAB) -m experiment=attack_survey model=lenet_mnist attack=fgs,fgv,hc1,deepfool experiment.transfer=[mlp] $(ARGS)

clean:  ## remove the environment and caches, not outputs/
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .ruff_cache .mypy_cache

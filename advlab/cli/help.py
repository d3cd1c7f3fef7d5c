"""What `advlab --help` prints: one screen."""

from __future__ import annotations

HELP = """\
advlab measures why neural networks are vulnerable to adversarial examples.

  advlab [GROUP=NAME] [GROUP.KEY=VALUE] an experiment (alone: isotropy, offline)
  advlab -m GROUP=NAME1,NAME2 ...     a sweep, whose runs are compared
  advlab list [FAMILY]                experiments, models, datasets, attacks ...
  advlab describe NAME                parameters with defaults, cost, commands
  advlab status [RUN] [--watch]       how far runs have come, and who does what
  advlab resume RUN                   go on with a run that was ended
  advlab plot RUN...                  redraw from the tables; several together
  advlab compare RUN RUN...           what differs, numbers, paired differences
  advlab claims [FOLDER...]           what each statement is worth per network
  advlab report [RUN|FOLDER...]       figures, verdicts, numbers in one page
  advlab export RUN [--format latex]  numbers and verdicts for a paper, or JSON
  advlab cache [list|clean|verify]    trained weights and what else is kept
  advlab completion bash|zsh|fish     eval "$(advlab completion bash)"

Groups: experiment, model, dataset, attack, defense, probe, recipe, cluster, run
  advlab experiment=attack_survey model=lenet_mnist attack=fgs run.preset=laptop
  advlab -m model=lenet,mlp dataset=digits run.seed=0,1,2 run.preset=tiny

  run.preset=tiny|laptop|paper  sample counts; the rest: advlab describe run
  run.dry=true  plan and cost   run.resume=true  go on   run.workers=4  at once
  --plugin FILE  your own models, datasets ...    --config-dir FOLDER  your YAML
  --cfg job  every key, as YAML   --version        COMMAND --help  its arguments
"""

"""The YAML files that say which model, dataset, attack and probe meet in a run."""

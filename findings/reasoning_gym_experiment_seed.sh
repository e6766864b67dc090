#!/usr/bin/env bash
# reasoning-gym 0.1.25: the seed of a CurriculumExperiment decides which data set an index is of, and nothing else: two
# experiments with the same seed have other items. It hands each data set the whole config that the curriculum makes, as
# a dict with "seed": None, and CompositeDataset derives a seed only `if "seed" not in ds_config`; so each data set draws
# one at random. (A CompositeConfig written by hand, whose datasets have no seed in their config, is reproducible.)
# Output seen:
#   reasoning-gym 0.1.25: equal items of two experiments with seed 7: 0 of 10; of two composites: 10 of 10
# Exits 0 while it is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q reasoning-gym==0.1.25
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from reasoning_gym.coaching.curriculum_config import CurriculumAttributeConfig, CurriculumExperimentConfig
from reasoning_gym.coaching.experiment import CurriculumExperiment
from reasoning_gym.composite import CompositeConfig, CompositeDataset, DatasetSpec


def experiment():
    config = CurriculumExperimentConfig({"chain_sum": CurriculumAttributeConfig({"*": 3})})
    made = CurriculumExperiment("sums", config, size=10, seed=7)
    return [made.get_dataset_entry(index)["question"] for index in range(10)]


def composite():
    made = CompositeDataset(CompositeConfig(size=10, seed=7, datasets=[DatasetSpec("chain_sum", 1.0, {})]))
    return [made[index]["question"] for index in range(10)]


equal = [sum(a == b for a, b in zip(make(), make(), strict=True)) for make in (experiment, composite)]
print(f"reasoning-gym {version('reasoning-gym')}: equal items of two experiments with seed 7: {equal[0]} of 10; "
      f"of two composites: {equal[1]} of 10")
assert equal[0] < 5 and equal[1] == 10
PYTHON

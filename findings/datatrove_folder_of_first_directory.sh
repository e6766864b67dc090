#!/usr/bin/env bash
# datatrove's executors and readers, given a relative folder, use that of the first working directory for which the
# process named it: after os.chdir, the same relative name is the earlier folder.
#
# `get_datafolder` makes a DataFolder, which is one of fsspec's file systems, and fsspec keeps those by their arguments:
# the same relative name gives the same instance, whose path was made absolute when it was new. An executor with a
# relative logging_dir then finds the completions of the other folder's run, and does nothing, with no error.
#
# Seen with datatrove 0.10.1, fsspec 2026.9.0: "the steps ran in one: True, in two: False". Exits 0 as long as it is
# so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "datatrove[processing]==0.10.1" fsspec==2026.9.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.utils.logging import logger

logger.remove()
home = Path.cwd()


def step(data, rank, world_size):
    Path("made").touch()


ran = []
for name in ("one", "two"):
    (home / name).mkdir()
    os.chdir(home / name)
    LocalPipelineExecutor([step], tasks=1, logging_dir="logs").run()
    ran.append(Path("made").exists())
print(f"the steps ran in one: {ran[0]}, in two: {ran[1]}")
sys.exit(ran != [True, False])
PYTHON

"""On PYTHONPATH, it has `hf-procedural RECIPE CONFIG.yaml` do nothing but tell, so that studies take no time.

$QUICK is JSON: `seconds` that a run takes, `fails`, a pattern of the folders of runs that fail, and `ends_early`:
whether they end well without results. $QUICK_LOG is a file to which each run adds a line when it begins and ends.
"""

import fnmatch
import hashlib
import json
import os
import sys
import time
from pathlib import Path


def _run(recipe: str, config: str) -> None:
    import yaml

    arguments = yaml.safe_load(Path(config).read_text())
    settings = json.loads(os.environ.get("QUICK", "{}"))
    output = Path(arguments["output_dir"])

    def tell(what: str) -> None:
        line = {"what": what, "folder": str(output), "pid": os.getpid(), "arguments": arguments, "time": time.time()}
        line |= {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")}
        with open(os.environ["QUICK_LOG"], "a") as log:
            log.write(json.dumps(line | {"words": sys.orig_argv[4:]}) + "\n")

    tell("begins")
    before = [Path(word.rpartition("=")[2], "eval_results.json") for word in str(arguments.get("init_from")).split(",")]
    known = [file.read_text() for file in before if file.is_file()]
    time.sleep(settings.get("seconds", 0))
    if settings.get("ends_early"):
        os._exit(0)
    if fnmatch.fnmatch(str(output), settings.get("fails", "")):
        print(f"hf-procedural {recipe}: error: task {arguments['task']} is too hard", file=sys.stderr, flush=True)
        os._exit(2)
    relevant = {key: value for key, value in arguments.items() if key not in ("output_dir", "init_from")}
    digest = hashlib.sha256(json.dumps([relevant, known]).encode()).hexdigest()
    output.mkdir(parents=True, exist_ok=True)
    results = {"eval_loss": int(digest[:4], 16) / 2**16}
    (output / "eval_results.json").write_text(json.dumps(results))
    (output / "all_results.json").write_text(json.dumps(results | {"train_runtime": 2.0}))
    tell("ends")
    os._exit(0)


if sys.orig_argv[1:3] == ["-m", "hf_procedural.cli"] and sys.orig_argv[3:4] == ["pretrain"]:
    _run(*sys.orig_argv[3:5])

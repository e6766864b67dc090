"""Measures studies: what planning a large one takes, what a run costs beside its recipe, and that one survives kills.

    python benchmarks/studies.py                 # a study of 1,000 runs is planned: seconds and memory
    python benchmarks/studies.py --overhead 5    # seconds of a run in a study, and of the same recipe alone, in turn
    python benchmarks/studies.py --kills 10      # of one that is killed so often; the results are the same, bit for bit

The study that is killed has 2 tasks x 3 arms x 2 seeds x 2 stages (16 runs, minutes). A kill is of its command, of
snakemake, of a job or of a recipe by SIGKILL, of its command by SIGTERM, or Ctrl-C, at a random moment; the same
command goes on at once. It tells how long others lived on after the command, and ends with 1 where results differ.
"""

import argparse
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

HERE = Path(__file__).parent.parent
RUN = """
    recipe: pretrain
    length: 8
    size: 2_4_16
    max_steps: 120
    save_steps: 20
    eval_steps: 40
    logging_steps: 10
    validation_size: 64
    per_device_train_batch_size: 64
"""
KILLED = f"""seeds: [0, 1]
stages:
  warmup:{RUN}    task: [sort, set]
    train_size: 1000
  probe:{RUN}    task: [reverse, stack]
    streaming: true
    init_from: [scratch, warmup/sort*, attn=warmup/set*]
"""
LARGE = """seeds: [0, 1, 2, 3, 4]
stages:
  warmup:
    recipe: pretrain
    task: [sort, set, identity, reverse, union]
    length: [8, 16, 32, 64]
    size: 2_4_16
    max_steps: 100
  probe:
    recipe: pretrain
    task: [haystack-30, sort-10, reverse-8]
    size: 2_4_16
    init_from: [scratch, warmup, attn=warmup, attn=permuted:warmup]
    max_steps: 100
"""
ALONE = f"stages:\n  warmup:{RUN}    task: sort\n    train_size: 1000\n"
COMMAND = "import sys; from hf_procedural.cli import main; sys.exit(main())"
KILLS = (
    *(("the command", signal.SIGKILL), ("snakemake", signal.SIGKILL), ("a job", signal.SIGKILL)),
    *(("a recipe", signal.SIGKILL), ("the command", signal.SIGTERM), ("Ctrl-C", signal.SIGINT)),
)
WHO = {"snakemake": "snakemake", "a job": "hf_procedural.studies.job", "a recipe": "hf_procedural.cli"}


def start(words, folder: Path, **options) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))}
    words = [sys.executable, "-c", COMMAND, *map(str, words)]
    return subprocess.Popen(words, cwd=folder, env=environment, **options)


def _hears_ctrl_c() -> None:
    """In a new process, which inherits from one in the background that it does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def planned(folder: Path) -> None:
    """Prints what each step of planning takes, in a process of its own."""
    from hf_procedural.studies import engine
    from hf_procedural.studies.graph import Graph
    from hf_procedural.studies.reading import read

    (folder / "large.yaml").write_text(LARGE)
    os.chdir(folder)
    begin = time.perf_counter()
    graph = Graph(read("large.yaml"))
    read_in = time.perf_counter() - begin
    with open(os.devnull, "w") as nothing:
        words = ["study", "large.yaml", "--dry_run"]
        began, done = time.perf_counter(), start(words, folder, stdout=nothing)
        assert done.wait() == 0
        dry = time.perf_counter() - began
    output = graph.study.output
    (output / ".study").mkdir(parents=True)
    began = time.perf_counter()
    (output / ".study/plan.json").write_text(json.dumps(engine.plan_of(graph), default=str))
    plan = time.perf_counter() - began
    snakefile = HERE / "hf_procedural/studies/Snakefile"
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "2", "--snakefile", str(snakefile), "--quiet", "all"]
    began = time.perf_counter()
    with open(os.devnull, "w") as nothing:
        subprocess.run([*command, "--directory", str(output)], check=True, stdout=nothing, stderr=nothing)
    snakemake = time.perf_counter() - began
    ours, theirs = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"{len(graph.runs):,} runs: read and planned {read_in:.2f} s, plan.json {plan:.2f} s, --dry_run as a command "
          f"{dry:.2f} s, snakemake -n {snakemake:.2f} s; at most {max(ours, theirs):,.0f} MB")  # fmt: skip


def overhead(folder: Path, runs: int) -> None:
    """Prints the seconds of a study of one run, and of its recipe alone."""
    (folder / "alone.yaml").write_text(ALONE)
    taken = {"a study of one run": [], "its recipe": []}
    config = None
    for number in range(runs + 1):  # the first warms up
        for name, seconds in taken.items():
            words = ["study", "alone.yaml", "--output_dir", f"study_{number}"]
            if name == "its recipe":
                config = folder / f"study_{number}/warmup/run/seed_0.yaml"
                words = ["pretrain", config, "--output_dir", f"recipe_{number}"]
            began = time.perf_counter()
            done = start(words, folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            assert done.wait() == 0, words
            if number:
                seconds.append(time.perf_counter() - began)
    for name, seconds in taken.items():
        print(f"{name}: {statistics.median(seconds):.2f} s (of {', '.join(f'{each:.2f}' for each in seconds)})")


def kills(folder: Path, count: int, seed: int) -> None:
    """Kills a study `count` times, and compares what it ends with to an uninterrupted one's."""
    rng = random.Random(seed)
    (folder / "killed.yaml").write_text(KILLED)
    began = time.perf_counter()
    assert start(["study", "killed.yaml", "--output_dir", "whole"], folder).wait() == 0
    whole, longest, done = time.perf_counter() - began, [], 0
    print(f"uninterrupted: {whole:.0f} s", flush=True)
    study = None
    while True:
        own_group = {"start_new_session": True, "preexec_fn": _hears_ctrl_c}
        study = study or start(["study", "killed.yaml", "--output_dir", "killed"], folder, **own_group)
        if done < count:
            moment, (name, number) = rng.uniform(1, whole / count), KILLS[done % len(KILLS)]
            print(f"kill {done + 1}: {name} by {signal.Signals(number).name} after {moment:.1f} s", flush=True)
            killed, others = _kill_after(study, moment, name, number)
            done += killed
            if name in ("the command", "Ctrl-C"):
                longest.append(threading.Thread(target=_tell_end, args=(others,)))
                longest[-1].start()
            elif killed and name != "snakemake":
                continue  # the study goes on with the other runs
        code, study = study.wait(), None
        print(f"  ended with {code}", flush=True)
        if code == 0:
            break
    for thread in longest:
        thread.join()
    print(f"{done} kills; different: {_differences(folder / 'whole', folder / 'killed') or 'nothing'}")
    sys.exit(bool(_differences(folder / "whole", folder / "killed")))


def _kill_after(study: subprocess.Popen, moment: float, name: str, number: int) -> tuple[bool, list]:
    """Whether there was something to kill, and all processes of the study then."""
    time.sleep(moment)
    while study.poll() is None:
        here = psutil.Process(study.pid)
        others = here.children(recursive=True)
        if name in WHO:
            chosen = [each for each in others if WHO[name] in _words(each) and "bash" not in _words(each)[:20]]
        else:
            chosen = [here]
        if chosen:
            chosen[0].send_signal(number) if name != "Ctrl-C" else os.killpg(study.pid, number)
            return True, others
        time.sleep(0.05)
    return False, []


def _words(process) -> str:
    try:
        return " ".join(process.cmdline()[:4])
    except psutil.Error:
        return ""


def _tell_end(others: list) -> None:
    began = time.perf_counter()
    _, alive = psutil.wait_procs(others, timeout=60)
    print(f"  others lived on for {time.perf_counter() - began:.1f} s{f': {alive}' if alive else ''}", flush=True)


def _differences(one: Path, other: Path) -> list[str]:
    """The files of runs that differ, but for times."""
    different = []
    for file in sorted(one.glob("*/*/seed_*/*")):
        twin = other / file.relative_to(one)
        if file.name == "model.safetensors" and file.read_bytes() != twin.read_bytes():
            different.append(str(file))
        if file.name in ("eval_results.json", "trainer_state.json"):
            pair = [json.loads(each.read_text()) for each in (file, twin)]
            kept = [_timeless(each.get("log_history", [each])) for each in pair]
            if kept[0] != kept[1]:
                different.append(str(file))
    runs = [
        sorted(path.relative_to(root) for path in root.glob("*/*/seed_*/model.safetensors")) for root in (one, other)
    ]
    assert runs[0] == runs[1] and len(runs[0]) == 16, runs
    return different


def _timeless(entries: list[dict]) -> list[dict]:
    timed = ("runtime", "per_second", "total_flos")
    entries = [{key: value for key, value in each.items() if not key.endswith(timed)} for each in entries]
    return [each for each in entries if "train_loss" not in each]  # of a run that went on, of its second part alone


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, metavar="N", help="kill a study so often, instead")
    parser.add_argument("--overhead", type=int, metavar="N", help="so many runs of each kind, instead")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    args = parser.parse_args()
    sys.path.insert(0, str(HERE))
    with tempfile.TemporaryDirectory() as folder:
        if args.kills:
            kills(Path(folder), args.kills, args.seed)
        elif args.overhead:
            overhead(Path(folder), args.overhead)
        else:
            planned(Path(folder))


if __name__ == "__main__":
    main()

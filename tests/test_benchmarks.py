"""Benchmarks that this machine cannot measure run here, small."""

import re
import runpy

import pytest
import torch
from support import starting
from support.running import ROOT

from hf_procedural.export.formats import FORMATS


def test_the_gpu_benchmark_measures_both_stages():
    told = starting.run(ROOT / "benchmarks" / "gpu.py", "--tiny", check=True).stdout
    assert torch.cuda.is_available() or "no GPU, on the CPU: the bars were NOT measured" in told
    lines = re.findall(r"^\| (\w+)\.py 2_2_16, 4 x (\d+) tokens: (.*?) \| ([\d.,e+]+)", told, re.MULTILINE)
    assert [name for name, *_ in lines] == ["pretrain"] * 5 + ["semantic"] * 5
    for stage in (lines[:5], lines[5:]):
        values = {what: float(value.replace(",", "")) for _, _, what, value in stage}
        assert values["steps/s"] > 0 and 0 < values["its share of a step"] < 1
        tokens = values["steps/s"] * 4 * int(stage[0][1])
        assert abs(values["tokens/s"] / tokens - 1) < 0.01


def test_the_gpu_benchmark_ends_in_time():
    done = starting.run(ROOT / "benchmarks" / "gpu.py", "--tiny", "--minutes", "0.001")
    assert done.returncode == 1 and "| the rest | not measured | the time is over |" in done.stdout


@pytest.mark.parametrize(
    ("script", "words", "message"),
    [
        ("coding.py", ["--repetitions", "0"], "rows and repetitions must be at least 1, got 200000 and 0"),
        ("export.py", ["olmo", "--rows", "0"], "rows and repetitions must be at least 1, got 0 and 5"),
        ("export.py", ["tfrecord"], "unknown format tfrecord: choose from megatron, "),
        ("gpu.py", ["--minutes", "nan"], "minutes must be above 0, got nan"),
        ("gpu.py", ["--batch", "0"], "batch must be at least 1, got 0"),
        ("reasoning_gym_sets.py", ["gdc"], "gdc is no data set of reasoning-gym"),
        ("speed.py", ["stage", "--pairs", "0"], "steps and pairs must be at least 1, got 160 and 0"),
        ("speed.py", ["training", "--size", "2_3"], "size must be layers_heads_width, .*, got '2_3'"),
        ("startup.py", ["--against", "nowhere"], "nowhere is no checkout of hf_procedural"),
        ("against.py", [str(ROOT), "sampling", "--runs", "0"], "runs must be at least 1, got 0"),
    ],
)
def test_a_mistake_ends_a_benchmark_before_it_measures(monkeypatch, capsys, script, words, message):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr("sys.argv", [script, *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "benchmarks" / script), run_name="__main__")
    output = capsys.readouterr()
    assert ended.value.code == 2 and not output.out and re.search(message, output.err)


def test_the_benchmark_of_codings_measures_all():
    told = starting.run(ROOT / "benchmarks" / "coding.py", "--rows", "100", "--repetitions", "1", check=True).stdout
    lines = re.findall(r"^\| (\w+).*? \| [\d.]+ [^|]*\| [^|]+ \| [\d.]+ \| [\d.]+ \|$", told, re.MULTILINE)
    assert lines == ["choosing", "blocks", "prepare", "stream", "blocks"]


def test_the_benchmark_of_exports_measures_all_formats():
    told = starting.run(ROOT / "benchmarks" / "export.py", "--rows", "100", "--repetitions", "1", check=True).stdout
    lines = re.findall(
        r"^\| (\w+)[ ,].*? \| ([\d.]+) M tokens/s \| ([\d.]+) \| ([\d.]+) \| [\d.]+ \|$", told, re.MULTILINE
    )
    assert len(lines) == told.count("\n") - 2
    assert {"megatron", "nanogpt", "llmc", "olmo", "datatrove"} <= {name for name, *_ in lines} <= set(FORMATS)

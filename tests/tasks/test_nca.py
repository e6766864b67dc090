"""Neural cellular automata: golden frames, the compiled loops against NumPy, distributions against the reference's."""

import functools
import hashlib
import json
import os
import subprocess
import sys
import zlib

import numba
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.references import random_grid, random_weights
from support.running import TESTS

import hf_procedural as hp
from hf_procedural.show.image import image
from hf_procedural.tasks import check_task, deflate_kernels, kernels, nca, nca_kernels, pools
from hf_procedural.tasks.splits import SHARES

P = 1e-4  # a p-value below it is a wrong distribution; seeds are fixed
NAMES = ("conv0_kernel", "conv0_bias", "conv1_kernel", "conv1_bias", "conv2_kernel", "conv2_bias")
SMALL = {"grid": 4, "length": 40, "complexity": None, "rules": 50}


def golden(name):
    file = TESTS / "golden" / f"{name}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def compiled(weights, grid, patch, length, burn_in=0, dt=1, temperature=0.0, identity_bias=0.0, seed=0):
    """The tokens of a simulation by the kernel."""
    row = np.empty(length, np.int32)
    state = kernels.stream(np.random.default_rng(seed))
    cells = np.array(grid, np.uint8)
    nca_kernels.simulate(
        state, rule_of(weights), cells, row, patch, burn_in, dt, float(temperature), float(identity_bias), True
    )
    return row.tolist()


def rule_of(weights):
    states = np.size(weights["conv2_bias"])
    shapes = ((3, 3, states + 2, 4), 4, (4, 16), 16, (16, states), states)
    arrays = [np.array(weights[name], np.float32).reshape(shape) for name, shape in zip(NAMES, shapes, strict=True)]
    rule = nca_kernels.empty_rule(states)
    nca_kernels.prepare(*arrays, rule)
    return rule


# ---------------------------------------------------------------- the reference's frames, tokens and ratios


@pytest.mark.parametrize("row", golden("nca"), ids=lambda row: str(row["params"]["seed"]))
def test_golden_frames_token_for_token(row):
    its, weights = row["params"], row["weights"]
    how = {"burn_in": its["start_step"], "dt": its["dT"], "identity_bias": its["identity_bias"]}
    size = {"states": its["num_colors"], "grid": its["grid"], "patch": its["patch"]}
    task = hp.task("nca", **size, **how, length=len(row["input_ids"]), temperature=its["temperature"])
    assert (task.start_id, task.prompt_end) == (row["start_token"], row["end_token"])
    for temperature in (0, its["temperature"]):  # margins are 60 times the temperature and more
        frames = nca.simulate(
            weights, row["grid0"], its["num_frames"], temperature=temperature, rng=np.random.default_rng(0), **how
        )
        assert frames.tolist() == row["frames"]
        ids = compiled(weights, row["grid0"], its["patch"], task.length, temperature=temperature, **how)
        assert ids == row["input_ids"]
    assert nca.encode(frames, task.states, task.patch) == row["input_ids"]
    assert task.frames(row["input_ids"]).tolist() == row["frames"]
    input_ids, labels = task.example(row["input_ids"])
    assert (input_ids.tolist(), labels.tolist()) == (row["input_ids"], row["labels"])
    tokenizer = hp.tokenizer("nca", **size, length=task.length)
    assert tokenizer(tokenizer.decode(row["input_ids"]))["input_ids"] == row["input_ids"]


@pytest.mark.parametrize("row", golden("nca_gzip"), ids=lambda row: f"{row['params']['seed']}-{row['params']['index']}")
def test_golden_complexity(row):
    raw = np.array(row["tokens"], "<i4").tobytes()
    assert hashlib.sha256(raw).hexdigest() == row["bytes_hex_sha256"] and len(raw) == row["original_size"]
    assert nca.complexity(row["tokens"]) == pytest.approx(row["ratio"], abs=8 / len(raw))  # another zlib, other bytes


def test_tokens_by_hand():
    frames = np.array([[[1, 2, 0, 0], [3, 0, 0, 4], [0, 0, 0, 0], [0, 0, 1, 1]]])
    task = hp.task("nca-5", grid=4, length=7)
    ids = nca.encode(frames, 5, 2)
    assert ids == [625, 1 + 2 * 5 + 3 * 25, 4 * 125, 0, 25 + 125, 626]
    assert [task.vocabulary[token] for token in ids] == ["<frame>", "12/30", "00/04", "00/00", "00/11", "</frame>"]
    assert hp.task("nca-12", patch=1).vocabulary == (*map(str, range(12)), "<frame>", "</frame>", "<pad>")
    assert hp.task("nca-20", grid=4).vocabulary[20**3 * 19 + 10] == "a0/0j"


# ---------------------------------------------------------------- the compiled loops against NumPy


@settings(max_examples=60)
@given(data=st.data())
def test_loops_agree_with_numpy(data):
    """Where a logit is clearly the largest."""
    states = data.draw(st.integers(2, 40) | st.just(256))
    patch = data.draw(st.integers(1, 2 if states < 30 else 1))
    grid = patch * data.draw(st.integers(1, 5))
    bias = data.draw(st.floats(-1, 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    weights, before = random_weights(rng, states, biases=True), random_grid(rng, states, grid)
    ids = compiled(weights, before, patch, 2 * ((grid // patch) ** 2 + 2), identity_bias=bias)
    first, after = nca.decode(ids, states, grid, patch)
    assert (first == before).all()
    logits = _logits(weights, before, bias)
    second, best = np.sort(logits, axis=-1)[..., -2:].transpose(2, 0, 1)
    clear = best - second > 1e-4
    assert (after == logits.argmax(axis=-1))[clear].all()
    assert (nca.step(weights, before, identity_bias=bias) == logits.argmax(axis=-1))[clear].all()


def _logits(weights, cells, identity_bias):
    """By the definition, cell by cell, in float64."""
    grid, states = len(cells), len(weights["conv2_bias"])
    logits = np.empty((grid, grid, states))
    for y in range(grid):
        for x in range(grid):
            hidden = weights["conv0_bias"].astype(float)
            for row in range(3):
                for column in range(3):
                    state = cells[(y + row - 1) % grid, (x + column - 1) % grid]
                    for channel in range(states + 2):
                        if (channel - 1) % states == state:
                            hidden = hidden + weights["conv0_kernel"][row, column, channel]
            hidden = hidden @ weights["conv1_kernel"] + weights["conv1_bias"]
            logits[y, x] = np.maximum(hidden, 0) @ weights["conv2_kernel"] + weights["conv2_bias"]
            logits[y, x, cells[y, x]] += identity_bias
    return logits


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.02, 1e-4])
@pytest.mark.parametrize("draw", ["compiled", "numpy"])
def test_states_are_drawn_from_the_softmax(draw, temperature):
    rng, states, grid, count = np.random.default_rng(0), 6, 3, 4000
    weights, before = random_weights(rng, states), random_grid(rng, states, grid)
    if temperature < 0.01:  # so that there is something to draw
        weights["conv2_kernel"][:, 1] = weights["conv2_kernel"][:, 0]
        weights["conv2_bias"][:2] = 5, 5.0002
    if draw == "numpy":
        drawn = np.stack([nca.step(weights, before, temperature, 0.25, rng) for _ in range(count)])
    else:
        state, rule, after = kernels.stream(rng), rule_of(weights), np.empty((grid, grid), np.uint8)
        work = nca_kernels.workspace(grid, states)
        drawn = np.empty((count, grid, grid), np.uint8)
        for number in range(count):
            nca_kernels.step(state, before.astype(np.uint8), after, rule, temperature, 0.25, work)
            drawn[number] = after
    logits = _logits(weights, before, 0.25) / temperature
    share = scipy.special.softmax(logits, axis=-1)
    several = 0
    for y in range(grid):
        for x in range(grid):
            counts, expected = np.bincount(drawn[:, y, x], minlength=states), count * share[y, x]
            often = expected >= 5
            assert counts[~often].sum() <= 3 * (expected[~often].sum() + 5)
            several += often.sum() > 1
            if often.sum() > 1:
                counts, expected = counts[often], expected[often]
                assert scipy.stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > P
    assert several >= 3


def test_cells_are_drawn_independently():
    rng, states = np.random.default_rng(1), 4
    weights, before = random_weights(rng, states), np.zeros((2, 2), int)  # all cells alike
    state, rule, after = kernels.stream(rng), rule_of(weights), np.empty((2, 2), np.uint8)
    work = nca_kernels.workspace(2, states)
    pairs = np.zeros((states, states), int)
    for _ in range(8000):
        nca_kernels.step(state, before.astype(np.uint8), after, rule, 0.2, 0.0, work)
        pairs[after[0, 0], after[0, 1]] += 1
    pairs = pairs[np.ix_(pairs.sum(1) > 50, pairs.sum(0) > 50)]
    assert pairs.shape[0] > 1 and scipy.stats.chi2_contingency(pairs).pvalue > P


@pytest.mark.parametrize("temperature", [0.0, 1e-300, 1e-12, 1e30])
def test_extreme_temperatures(temperature):
    rng = np.random.default_rng(2)
    weights, before = random_weights(rng, 5), random_grid(rng, 5, 6)
    ids = compiled(weights, before, 2, 22, temperature=temperature)
    if temperature < 1:
        assert ids == nca.encode(nca.simulate(weights, before, 2), 5, 2)
    else:
        assert len(set(nca.decode(ids, 5, 6, 2)[1].ravel())) == 5


def test_at_temperature_0_the_largest_of_equal_logits_is_drawn():
    weights = {name: np.zeros_like(array) for name, array in random_weights(np.random.default_rng(0), 3).items()}
    frames = nca.decode(compiled(weights, np.zeros((20, 20), int), 1, 2 * 402), 3, 20, 1)
    assert scipy.stats.chisquare(np.bincount(frames[1].ravel(), minlength=3)).pvalue > P


# ---------------------------------------------------------------- rows


CASES = [
    ("nca-10", {}),
    ("nca-10", {"complexity": [0.3, 0.4], "rules": 20, "length": 200}),
    ("nca-10", {"rules": None, "length": 100}),
    ("nca-3", SMALL),
    ("nca-2", {**SMALL, "grid": 6, "patch": 3, "temperature": 1, "rules": None}),
    ("nca-4", {**SMALL, "patch": 4, "temperature": 0, "states": 2, "dt": 3, "burn_in": 0}),
    ("nca-20", {**SMALL, "patch": 1, "identity_bias": -0.5, "temperature": 0.5}),
    ("nca-256", {**SMALL, "patch": 1, "length": 19}),
    ("nca-5", {**SMALL, "grid": 6, "patch": 2, "length": 12, "temperature": 0.01}),
]


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_contract(name, parameters):
    parameters = dict(parameters)
    task = hp.task(name.partition("-")[0], **{"states": int(name.partition("-")[2]), **parameters})
    check_task(task, rows=40)
    assert task.is_language
    input_ids, labels = task.sample(np.random.default_rng(0), 40)
    for ids, row_labels in zip(input_ids, labels, strict=True):
        assert all(map(np.array_equal, task.example(ids), (ids, row_labels)))
        assert (row_labels[: task.frame_length] == -100).all() and (row_labels[task.frame_length :] != -100).all()
        assert task.prompt_of(ids, row_labels) == ids[: task.frame_length].tolist()
        bad = ids.copy()
        for place, token in ((0, 0), (1, task.start_id), (-1, task.pad_id), (task.frame_length, 1)):
            bad[place] = token
            assert not task.accepts(bad)
            bad[place] = ids[place]
        assert task.accepts(bad) and not task.accepts(bad[:-1])
    prompt, rest = input_ids[0, : task.frame_length], input_ids[0, task.frame_length :]
    assert task.score(prompt, rest) == 1 and task.score(prompt, [*rest[:-1], task.pad_id]) == 0
    with pytest.raises(ValueError, match="a row is frames of"):
        task.example(input_ids[0, :-1])


@pytest.mark.parametrize("split", SHARES)
def test_a_row_follows_a_rule_of_the_pool_of_its_split(split):
    task = hp.task("nca-6", grid=8, temperature=0, rules=3, dt=2, length=100, complexity=(0.2, 0.4))
    rules = [task.rule(number, split) for number in range(3)]
    seen = set()
    for row in task.sample_split(np.random.default_rng(0), 20, split)[0]:
        frames = task.frames(row)
        assert len(frames) == 5
        follows = [[] for _ in rules]
        for before, after in zip(frames, frames[1:], strict=False):
            for number, weights in enumerate(rules):
                follows[number].append((nca.simulate(weights, before, 2, dt=2)[1] == after).mean() > 0.97)  # near ties
        seen |= {[all(those) for those in follows].index(True)}
    assert seen == {0, 1, 2}


def test_pools_are_deterministic_and_each_split_has_its_own():
    task = hp.task("nca-10", length=200, rules=1000)
    one, again = task.rule(7), hp.task("nca-10", length=77, rules=None).rule(7)
    assert all(np.array_equal(one[name], again[name]) for name in NAMES)
    others = [task.rule(8), task.rule(7, "validation"), task.rule(7, "test"), hp.task("nca-10", rules_seed=1).rule(7)]
    assert all((one["conv0_kernel"] != other["conv0_kernel"]).all() for other in others)
    nca._pool.cache_clear()  # another order of finding rules
    first = task.sample(np.random.default_rng(5), 8)
    nca._pool.cache_clear()
    task.sample(np.random.default_rng(6), 30)
    np.testing.assert_array_equal(first, task.sample(np.random.default_rng(5), 8))


def test_no_first_frame_is_in_two_splits():
    task = hp.task("nca-2", grid=4, length=20, complexity=None, temperature=0.1, rules=None)
    firsts = {}
    for split in SHARES:
        rows, _ = task.sample_split(np.random.default_rng(0), 500, split)
        firsts[split] = set(map(tuple, rows[:, 1:5].tolist()))
        assert len(firsts[split]) > 20
    assert not firsts["train"] & firsts["validation"] and not firsts["test"] & (firsts["train"] | firsts["validation"])


@pytest.mark.parametrize("band", [(0.5, 1.0), (0.3, 0.4)])
def test_rules_are_the_first_candidates_in_the_band(band):
    task = hp.task("nca-10", complexity=band)
    keys = task._keys(np.arange(40), "train")
    found = task._find(keys)
    for key, attempt in zip(keys, found, strict=True):
        keys, attempts = np.full(attempt + 1, key), np.arange(attempt + 1, dtype=np.int32)
        numbers = np.empty((attempt + 1, 360), np.int32)
        task._fill(keys, attempts, keys, numbers, True)
        inside = [band[0] < nca.complexity(row) < band[1] for row in numbers]
        assert inside == [False] * attempt + [True]


def test_threads_and_batches_change_no_rule():
    task = hp.task("nca-10", complexity=(0.45, 0.5))
    keys = task._keys(np.arange(1100), "test")
    np.testing.assert_array_equal(
        task._find(keys, 3)[::40], [task._find(keys[i : i + 1])[0] for i in range(0, 1100, 40)]
    )


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """A small pool on a disk of its own, the numbers of its candidates, and how often they were looked for."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    looked = []
    find = nca.NeuralAutomaton._find
    monkeypatch.setattr(nca.NeuralAutomaton, "_find", lambda *words: looked.append(len(words[1])) or find(*words))
    task = hp.task("nca-10", rules=40, rules_seed=5)
    expected = find(task, task._keys(np.arange(40), "train"))
    return task, expected, looked


def test_a_pool_is_found_once_and_shared_by_lengths(pool, tmp_path):
    task, expected, looked = pool
    np.testing.assert_array_equal(task._known(np.arange(30), "train"), expected[:30])
    other = hp.task("nca-10", rules=77, rules_seed=5, length=50)
    np.testing.assert_array_equal(other._known(np.arange(40)[::-1], "train"), expected[::-1])
    np.testing.assert_array_equal(task._known(np.arange(40), "train"), expected)
    assert looked == [30, 10]
    task._known(np.arange(3), "test")
    hp.task("nca-10", rules_seed=5, complexity=(0.4, 0.5))._known(np.arange(3), "train")
    assert looked == [30, 10, 3, 3] and len(list((tmp_path / "datasets/procedural_rules").iterdir())) == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other sources", "a folder"])
def test_a_damaged_pool_is_found_again(pool, tmp_path, monkeypatch, damage):
    task, expected, looked = pool
    task._known(np.arange(40), "train")
    (file,) = (tmp_path / "datasets/procedural_rules").iterdir()
    content = bytearray(file.read_bytes())
    assert len(content) == 40 * 16
    lost = {"cut": 21, "flipped": 2}.get(damage, 40)
    if damage == "cut":
        file.write_bytes(content[:-329])
    elif damage == "flipped":
        content[16 * 7] ^= 1
        content[16 * 9 + 12] ^= 128
        file.write_bytes(content)
    elif damage == "emptied":
        file.write_bytes(bytes(len(content)))
    elif damage == "other sources":
        monkeypatch.setattr(pools, "_version", lambda: "another")
    else:
        file.unlink()
        file.mkdir()
    np.testing.assert_array_equal(task._known(np.arange(40), "train"), expected)
    np.testing.assert_array_equal(task._known(np.arange(40), "train"), expected)
    assert looked == ([40, lost, 40] if damage == "a folder" else [40, lost])


def test_pools_that_were_used_long_ago_are_removed(pool, tmp_path, monkeypatch):
    task, _, _ = pool
    monkeypatch.setattr(pools, "_FILES", 2)
    names = []
    for split, age in (("train", 30), ("validation", 20), ("train", 10), ("test", 0)):
        task._known(np.arange(2), split)
        names.append(pools.name_of(task.parameters | {"split": split, "length": None, "rules": None}))
        file = tmp_path / "datasets/procedural_rules" / names[-1]
        os.utime(file, (file.stat().st_mtime - age,) * 2)
    assert {file.name for file in file.parent.iterdir()} == {names[0], names[3]}


def test_a_cache_that_cannot_be_written_is_no_error(pool, tmp_path):
    task, expected, looked = pool
    (tmp_path / "datasets").write_text("a file")
    np.testing.assert_array_equal(task._known(np.arange(40), "train"), expected)
    assert looked == [40]


def test_of_two_processes_one_looks_for_a_rule(pool, tmp_path):
    task, expected, _ = pool
    code = (
        "import sys, numpy as np, hf_procedural as hp\n"
        "task = hp.task('nca-10', rules=40, rules_seed=5); find = type(task)._find\n"
        "type(task)._find = lambda *words: print('looked', len(words[1])) or find(*words)\n"
        "print(task._known(np.arange(40), 'train').tolist())\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate()[0].splitlines() for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert sorted(len(lines) for lines in told) == [1, 2]
    assert {lines[-1] for lines in told} == {str(expected.tolist())}


def _sizes(rng):
    """Bytes of many kinds, from none to more than zlib's window."""
    for size in (0, 1, 2, 3, 5, 100, 1440, 40_000, 150_000):
        yield rng.integers(0, 256, size)
        yield rng.integers(0, 3, size)
        yield rng.geometric(0.1, size) % 256
        yield np.repeat(rng.integers(0, 256, size // 7 + 1), 9)[:size]
        yield np.tile(rng.integers(0, 256, 1 + size // 3), 4)[:size]
        yield rng.integers(0, 10_000, size // 4 + 1).astype("<i4").view(np.uint8)[:size]


@pytest.mark.skipif(
    zlib.ZLIB_RUNTIME_VERSION.count(".") > 2 or "ng" in zlib.ZLIB_RUNTIME_VERSION, reason="another zlib"
)
def test_the_size_is_that_of_zlib():
    work = deflate_kernels.workspace(150_003)
    for number, data in enumerate(_sizes(np.random.default_rng(0))):
        data = np.ascontiguousarray(data, np.uint8)
        assert deflate_kernels.deflated(data, work) + 6 == len(zlib.compress(data.tobytes(), 9)), number


def test_with_bounds_a_size_is_on_their_side():
    work = deflate_kernels.workspace(150_003)
    other = 0
    for data in _sizes(np.random.default_rng(1)):
        data = np.ascontiguousarray(data, np.uint8)
        size = deflate_kernels.deflated(data, work)
        for share in (0.5, 0.9, 0.97, 1, 1.03, 1.1, 2):
            low, high = share * size, share * size + 0.1 * len(data)
            bounded = deflate_kernels.deflated(data, work, low, high)
            assert (bounded > low, bounded < high) == (size > low, size < high)
            other += bounded != size
    assert other > 30


@pytest.mark.parametrize("row", golden("nca_gzip"), ids=lambda row: f"{row['params']['seed']}-{row['params']['index']}")
def test_golden_sizes(row):
    raw = np.array(row["tokens"], "<i4").view(np.uint8)
    size = deflate_kernels.deflated(raw, deflate_kernels.workspace(len(raw))) + 18
    assert size / len(raw) == pytest.approx(row["ratio"], abs=8 / len(raw))


def test_finding_rules_gives_up_with_a_reason():
    with pytest.raises(ValueError, match=r"complexity \(0.9, 1.0\) keeps 0 of 2\d{3} rules; theirs is 0.0") as no:
        hp.task("nca-10", complexity=(0.9, 1)).sample(np.random.default_rng(0), 50)
    assert "\n" not in str(no.value)


# ---------------------------------------------------------------- distributions, against the reference's generator


@functools.cache
def reference(states, grid, temperature, count, frames=10, burn_in=10):
    """Simulations of random rules in NumPy: int ``[count, frames, grid, grid]``."""
    rng = np.random.default_rng(0)
    return np.stack(
        [
            nca.simulate(
                random_weights(rng, states), random_grid(rng, states, grid), frames, burn_in, 1, temperature, rng=rng
            )
            for _ in range(count)
        ]
    )


def ours(states, grid, temperature, count, frames=10):
    width = (grid // 2) ** 2 + 2
    task = hp.task(
        "nca", states=states, grid=grid, temperature=temperature, rules=None, complexity=None, length=frames * width
    )
    return np.stack([task.frames(row) for row in task.sample(np.random.default_rng(1), count)[0]])


STATISTICS = {
    "complexity": lambda x: [nca.complexity([_numbers(frame) for frame in row]) for row in x],
    "changed cells": lambda x: (x[:, 1:] != x[:, :-1]).mean(axis=(1, 2, 3)),
    "changed after two steps": lambda x: (x[:, 2:] != x[:, :-2]).mean(axis=(1, 2, 3)),
    "distinct states": lambda x: [len(np.unique(row)) for row in x],
    "share of the commonest state": lambda x: [np.bincount(row.ravel()).max() / row.size for row in x],
    "first state": lambda x: (x == 0).mean(axis=(1, 2, 3)),
    "last state": lambda x: (x == x.max()).mean(axis=(1, 2, 3)),
    "equal neighbours in a row": lambda x: (x == np.roll(x, 1, axis=3)).mean(axis=(1, 2, 3)),
    "equal neighbours in a column": lambda x: (x == np.roll(x, 1, axis=2)).mean(axis=(1, 2, 3)),
    "equal neighbours on a diagonal": lambda x: (x == np.roll(x, (1, 1), axis=(2, 3))).mean(axis=(1, 2, 3)),
}


def _numbers(frame):
    return nca.encode([frame], 10, 2)[1:-1]


@pytest.mark.parametrize(("states", "grid", "temperature"), [(10, 12, 1e-4), (4, 6, 0.1)])
def test_simulations_are_distributed_as_in_the_reference(states, grid, temperature):
    theirs, mine = reference(states, grid, temperature, 300), ours(states, grid, temperature, 2000)
    for what, statistic in STATISTICS.items():
        p = scipy.stats.ks_2samp(np.asarray(statistic(mine), float), np.asarray(statistic(theirs), float)).pvalue
        assert p > P, what


def test_kept_rules_are_those_of_the_reference():
    """The share of candidates in the bands of the paper, from simulations as for the filter."""
    theirs = np.array([nca.complexity([_numbers(frame) for frame in row]) for row in reference(10, 12, 1e-4, 300)])
    task = hp.task("nca-10")
    keys, numbers = task._keys(np.arange(2000), "train"), np.empty((2000, 360), np.int32)
    task._fill(keys, np.zeros(2000, np.int32), keys, numbers, True)
    mine = np.array([nca.complexity(row) for row in numbers])
    edges = [0.1, 0.2, 0.3, 0.4, 0.5]
    table = [np.bincount(np.digitize(part, edges), minlength=6) for part in (mine, theirs)]
    assert scipy.stats.chi2_contingency(table).pvalue > P
    assert scipy.stats.ks_2samp(mine, theirs).pvalue > P


def test_weights_are_lecun_normal():
    task = hp.task("nca-10", complexity=None)
    drawn = [task.rule(number) for number in range(60)]
    for name, inputs in (("conv0", 9 * 12), ("conv1", 4), ("conv2", 16)):
        values = np.concatenate([rule[f"{name}_kernel"].ravel() for rule in drawn])
        scaled = values * inputs**0.5 * 0.87962566103423978
        assert scipy.stats.kstest(scaled, scipy.stats.truncnorm(-2, 2).cdf).pvalue > P
        assert values.std() == pytest.approx(inputs**-0.5, rel=0.05)
        assert all((rule[f"{name}_bias"] == 0).all() for rule in drawn)


def test_first_grids_have_one_softmax_for_all_cells():
    state, share = kernels.stream(np.random.default_rng(0)), np.empty(5)
    cells, rng, theirs, mine = np.empty((12, 12), np.uint8), np.random.default_rng(1), [], []
    pairs = np.zeros(2)
    for _ in range(3000):
        nca_kernels.first_grid(state, cells, share)
        mine.append(np.bincount(cells.ravel(), minlength=5))
        theirs.append(np.bincount(random_grid(rng, 5, 12).ravel(), minlength=5))
        pairs += (cells[0, 0] == cells[0, 1], cells[3, 7] == cells[11, 2])
    mine, theirs = np.array(mine), np.array(theirs)
    for c in range(5):
        assert scipy.stats.ks_2samp(mine[:, c], theirs[:, c]).pvalue > P
    assert scipy.stats.ks_2samp(mine.max(axis=1), theirs.max(axis=1)).pvalue > P
    assert scipy.stats.chi2_contingency([pairs, 3000 - pairs]).pvalue > P


# ---------------------------------------------------------------- parameters


def test_parameters_from_json():
    tuples, lists = hp.task("nca-10", complexity=(0, 1)), hp.task("nca-10", complexity=[0.0, 1.0], temperature=1e-4)
    assert tuples == lists and tuples.key == lists.key and hash(tuples) == hash(lists)
    assert hp.task("nca", **json.loads(json.dumps(tuples.parameters))) == tuples
    assert hp.task("nca-10", temperature=1).key == hp.task("nca-10", temperature=1.0).key
    assert hp.task("nca-10", complexity=np.array([0.5, 1.0])) == hp.task("nca-10")
    task = hp.task("nca-10")
    assert (task.frame_length, task.start_id, task.prompt_end, task.pad_id) == (38, 10000, 10001, 10002)
    assert len(task.vocabulary) == 10003 and task.max_length == 1024


BAD = [
    ({"states": 1}, "nca: states must be an integer in 2..256, got 1"),
    ({"patch": 5}, "nca: patch must be an integer in 1..4, got 5"),
    ({"grid": 9}, "nca: patch must divide grid = 9, got 2"),
    ({"patch": 3}, "nca: states^(patch^2) patches are too many tokens (with <frame>, </frame> and <pad> at most "),
    ({"states": 32}, "got 32^4"),
    ({"length": 38}, "nca: length must be more than the first frame's 38 tokens, got 38"),
    ({"temperature": -1}, "nca: temperature must be a number >= 0, got -1"),
    ({"temperature": float("nan")}, "nca: temperature must be a number >= 0, got nan"),
    ({"temperature": True}, "nca: temperature must be a number >= 0, got True"),
    ({"identity_bias": "1"}, "nca: identity_bias must be a number, got '1'"),
    ({"identity_bias": float("inf")}, "nca: identity_bias must be a number, got inf"),
    ({"complexity": 0.5}, "nca: complexity must be two numbers, 0 <= low < high, such as (0.5, 1.0), or null, got 0.5"),
    ({"complexity": (0.5, 0.5)}, "nca: complexity must be two numbers"),
    ({"complexity": (-0.5, 0.5)}, "nca: complexity must be two numbers"),
    ({"complexity": (0.5, float("nan"))}, "nca: complexity must be two numbers"),
    ({"complexity": "01"}, "nca: complexity must be two numbers"),
    ({"rules": 0}, "nca: rules must be an integer in 1..10000000, or null, got 0"),
    ({"burn_in": -1}, "nca: burn_in must be an integer >= 0, got -1"),
    ({"dt": 0}, "nca: dt must be an integer >= 1, got 0"),
]


@pytest.mark.parametrize(("parameters", "message"), BAD, ids=lambda value: str(value)[:30])
def test_refusals(parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task("nca", **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_without_compiled_loops_one_line_says_so(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with pytest.raises(ValueError, match=r"^nca: its loops .* must be compiled: unset NUMBA_DISABLE_JIT$"):
        hp.task("nca-10").sample(np.random.default_rng(0), 1)


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("name", "parameters", "frames", "size"),
    [
        ("nca-10", {}, 26, (12, 26)),
        ("nca-4", {**SMALL, "temperature": 1}, 6, (4, 10)),
        ("eca-110", {"width": 9, "steps": 5}, 6, (6, 20)),
    ],
)
def test_gif_has_the_cells_of_two_rows_side_by_side(tmp_path, name, parameters, frames, size):
    task = hp.task(name, **parameters)
    rows = task.sample(np.random.default_rng(0), 2)
    image(task, *rows, tmp_path / "out.gif")
    with Image.open(tmp_path / "out.gif") as movie:
        assert movie.n_frames == frames and movie.size == (16 * size[1], 16 * size[0])
        movie.seek(movie.n_frames - 1)
        last = np.array(movie.convert("RGB"))[8::16, 8::16]
    if name == "eca-110":
        cells = rows[0][:, : 10 * 6].reshape(2, 6, 10)[:, :, :9]
    else:
        cells = np.stack([task.frames(row)[-1] for row in rows[0]])
    drawn = np.concatenate([last[:, : cells.shape[2]], last[:, -cells.shape[2] :]], axis=1).reshape(-1, 3)
    states = np.concatenate(list(cells), axis=1).ravel()
    colours = {tuple(colour): state for colour, state in zip(drawn.tolist(), states, strict=True)}
    assert [colours[tuple(colour)] for colour in drawn.tolist()] == states.tolist()
    assert len(colours) == len(set(states.tolist()))


@pytest.mark.parametrize(("name", "parameters"), [("nca-256", {**SMALL, "patch": 1}), ("nca-10", {}), ("eca-30", {})])
def test_png_is_a_picture(tmp_path, name, parameters):
    task = hp.task(name, **parameters)
    rows = task.sample(np.random.default_rng(0), 2)
    image(task, *rows, tmp_path / "out.PNG")
    with Image.open(tmp_path / "out.PNG") as picture:
        assert picture.format == "PNG" and 540 <= picture.size[0] <= 1080
        assert len(np.unique(np.array(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 3
    image(task, rows[0][0], rows[1][0], tmp_path / "one.gif")


def test_what_has_no_picture_is_refused(tmp_path):
    rows = hp.task("sort-4").sample(np.random.default_rng(0), 1)
    with pytest.raises(ValueError, match="sort-4: its rows are no pictures; those of automata are"):
        image(hp.task("sort-4"), *rows, tmp_path / "out.png")
    with pytest.raises(ValueError, match="image must be a file that ends in .png or .gif, got 'out.jpg'"):
        image(hp.task("eca-110"), *hp.task("eca-110").sample(np.random.default_rng(0), 1), "out.jpg")
    assert not list(tmp_path.iterdir())

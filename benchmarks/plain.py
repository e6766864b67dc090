"""Plain references of the benchmarks, one row after the other in Python, and how they are timed and told."""

import time


def seconds(function, repetitions=7, warmup=1) -> float:
    """The shortest of several calls."""
    for _ in range(warmup):
        function()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def plain_prompt(task, rng) -> list[int]:
    """A prompt of a sequence task, symbol by symbol."""
    symbols = [rng.randint(1, task.vocab_size - 1) for _ in range(task.length)]
    if task.name == "union":
        half = task.length // 2
        return [*symbols[:half], task.sep_id, *symbols[half:], task.sep_id]
    if task.name == "delete":
        return [*symbols, task.sep_id, rng.randint(1, task.vocab_size - 1), task.sep_id]
    if task.name != "stack":
        return [*symbols, task.sep_id]
    operations, held = [], []
    for step in range(task.length):
        first = step < 2 * task.length // 3
        push = len(held) <= 1 or (step < task.length - 1 and (rng.random() < 0.75) == first)
        if push:
            held.append(rng.choice([symbol for symbol in range(1, task.vocab_size) if symbol not in held]))
        operations.append(held[-1] if push else 0)
        if not push:
            held.pop()
    return [*operations, task.sep_id]


def plain_row(task, rng) -> tuple[list[int], list[int]]:
    """A row of a sequence task and its labels, as Python lists."""
    prompt = plain_prompt(task, rng)
    answer = task.solve(prompt)
    padding = task.max_length - len(prompt) - len(answer)
    return prompt + answer + [task.pad_id] * padding, [-100] * len(prompt) + answer + [-100] * padding


def plain_word(task, rng) -> list[int]:
    """A Dyck word, bracket by bracket."""
    word, opened = [], []
    for step in range(task.length):
        left = task.length - step
        opens = not opened or (left > len(opened) and rng.random() < task.p_open and len(opened) < left - 1)
        if opens:
            opened.append(rng.randrange(task.k))
        word.append(opened[-1] if opens else task.k + opened.pop())
    return word


def report(what: str, value: str, reference: str, ratio: float | None, wanted: str) -> None:
    print(f"| {what} | {value} | {reference} | {'' if ratio is None else f'{ratio:.2f}'} | {wanted} |", flush=True)


def compare(what: str, ours, theirs, tokens: int, repetitions: int, wanted: str) -> None:
    """Reports two functions that take turns, in tokens/s: the best of each."""
    pairs = [(seconds(ours, 1, 0), seconds(theirs, 1, 0)) for _ in range(repetitions + 1)][1:]
    fast, slow = (tokens / min(times) / 1e6 for times in zip(*pairs, strict=True))
    report(what, f"{fast:.1f} M tokens/s", f"{slow:.1f}", fast / slow, wanted)

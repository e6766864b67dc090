"""Elementary cellular automata: predict the next state of a ring of cells."""

import dataclasses
import itertools

from .base import IGNORE, Task
from .fields import integer
from .registry import register

_END = 2


@register
@dataclasses.dataclass(frozen=True)
class ElementaryAutomaton(Task):
    """``state <end> state <end> ...``: `steps` successors of a random state of `width` cells on a ring.

    A cell's next state is bit ``4 * left + 2 * self + right`` of `rule` (Wolfram's numbering). Each cell is a token, 0
    or 1, and <end> (id 2) closes every state; <pad> (id 3) never occurs. The first state has independent fair cells
    and no loss; the loss counts on all later ones, their <end> included. Rule 110 is the one of Jiang et al. 2026
    (arXiv:2601.21725) and Shinnick et al. 2025 (arXiv:2505.22308). How they code states is not published (readers
    report a linear projection of the binary vector), so this token layout and its default sizes are ours.
    """

    name = "eca"
    headline = "rule"
    sizes = (110,)
    summary = "successive states of an elementary cellular automaton on a ring"

    rule: int = integer(110, 0, "Wolfram's number of the rule", high=255)
    width: int = integer(32, 3, "cells on the ring")
    steps: int = integer(15, 1, "states after the first")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return ("0", "1", "<end>", "<pad>")

    @property
    def max_length(self) -> int:
        return (self.width + 1) * (self.steps + 1)

    @property
    def pad_id(self) -> int:
        return 3

    def solve(self, prompt_ids) -> list[int]:
        state = [int(cell) for cell in prompt_ids][: self.width]
        answer = []
        for _ in range(self.steps):
            lefts = [state[-1], *state[:-1]]
            rights = [*state[1:], state[0]]
            numbers = [4 * left + 2 * cell + right for left, cell, right in zip(lefts, state, rights, strict=True)]
            state = [(self.rule >> number) & 1 for number in numbers]
            answer += [*state, _END]
        return answer

    @property
    def turn(self) -> str:
        return f"Write the next state of the ring, by Wolfram's rule {self.rule}."

    def turns(self, prompt_ids):
        tokens = [*self.closed(list(prompt_ids)), *self.solve(prompt_ids)]
        states = [tokens[start : start + self.width] for start in range(0, len(tokens), self.width + 1)]
        return list(itertools.pairwise(states))

    def closed(self, prompt):
        return prompt if prompt[-1:] == [_END] else [*prompt, _END]

    def sample(self, rng, n):
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        kernels.fill_uniform(kernels.stream(rng), input_ids, 0, self.width, 0, 1)
        input_ids[:, self.width] = _END
        kernels.automaton(input_ids, self.rule, self.width)
        labels[:] = input_ids
        labels[:, : self.width + 1] = IGNORE
        return input_ids, labels

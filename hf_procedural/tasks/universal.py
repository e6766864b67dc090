"""Universal data: what random programs print. Every symbol but the first is to be predicted.

Grau-Moya et al. 2024 (Learning Universal Predictors, arXiv:2401.14953), with the machine, BrainPhoque, and the
distributions of the reference code, google-deepmind/neural_networks_solomonoff_induction at d938e63. A row is what one
program printed; the program itself is not in it: `UniversalMachine.programs` gives the programs of rows.

Ours are: <pad> behind an output that is shorter than the row (there, symbol 0, and no loss); `min_output`, as a row of
one symbol has nothing to be predicted from another. The instruction that reads is left out, as it is off there.
"""

import dataclasses
import functools

import numpy as np

from .base import Task
from .fields import choice, integer
from .registry import register

INSTRUCTIONS = "<>+-[]{."  # in the order of universal_kernels' codes
_UNIFORM = (1, 1, 1, 1, 1, 1, 0, 1)
_START = len(INSTRUCTIONS)
_COUNTS = """
_=193,191,192,201,0,0,0,223 +=43,46,36,0,22,0,0,45 -=29,54,0,43,26,0,0,49 .=39,48,47,37,0,0,0,52 <=44,0,53,45,0,0,0,51
>=0,34,32,50,0,0,0,75 ++=242,225,214,0,197,77,2,331 +.=327,276,295,276,233,169,10,543 +<=253,0,258,269,68,127,7,410
+>=0,249,251,233,64,117,12,379 +[=166,143,150,150,129,0,0,287 +]=44,61,60,57,7,37,0,89 +{=8,6,13,8,0,4,0,17
--=231,238,0,231,193,91,5,363 -.=304,334,289,294,237,193,11,526 -<=229,0,279,257,87,103,9,400
->=0,261,244,267,57,106,6,391 -[=159,129,141,150,137,0,0,273 -]=69,72,72,73,4,24,0,80 -{=9,11,6,4,0,2,0,10
.+=393,369,369,0,248,192,22,674 .-=371,373,0,374,249,203,7,651 ..=518,568,593,556,206,386,16,827
.<=384,0,399,374,104,224,11,657 .>=0,377,409,418,98,266,15,703 .[=140,150,135,157,117,0,0,267
.]=165,183,173,166,7,83,0,281 .{=8,7,13,12,0,3,0,21 <+=265,262,224,0,225,57,6,376 <-=283,215,0,250,173,79,10,363
<.=327,355,332,348,66,247,12,609 <<=236,0,253,251,50,122,12,408 <[=53,57,60,61,48,0,0,87 <]=93,118,113,121,6,74,0,161
<{=6,14,12,11,0,6,0,20 >+=241,220,258,0,185,82,12,361 >-=254,268,0,252,211,74,6,402 >.=313,327,362,374,97,240,15,585
>>=0,241,245,294,56,130,11,396 >[=46,55,43,53,43,0,0,94 >]=112,103,103,131,6,63,0,185 >{=12,6,16,15,0,3,0,11
[+=104,93,84,0,61,75,12,191 [-=105,75,0,103,42,99,13,216 [.=181,197,192,167,119,14,0,318 [<=91,0,81,82,25,135,22,204
[>=0,91,61,75,30,133,16,203 [[=72,71,88,74,50,0,0,172 ]+=91,86,92,0,77,90,2,140 ]-=77,105,0,92,88,100,1,136
].=133,167,143,163,8,69,0,187 ]<=87,0,88,85,31,72,8,153 ]>=0,113,113,115,28,69,3,156 ][=4,4,3,8,3,0,0,8
]]=39,58,51,49,0,27,0,69 {+=13,4,11,0,10,11,0,11 {-=14,4,0,7,7,10,0,8 {.=11,14,14,13,0,4,0,23 {<=8,0,4,10,1,7,0,13
{>=0,7,4,15,1,6,0,11 {]=2,2,6,2,0,1,0,5
"""  # how often each instruction follows others, _ at the start: ctx2_filtered07.pyd of the reference (Apache-2.0)


@functools.cache
def _weights(sampler: str) -> np.ndarray:
    """Of each instruction, by the two before it, the sums of the first weights: int64 ``[9, 9, 8]``."""
    weights = np.ones((_START + 1, _START + 1, len(INSTRUCTIONS)), np.int64)
    if sampler == "uniform":
        weights[:] = _UNIFORM
    else:
        for entry in _COUNTS.split():
            context, _, counts = entry.partition("=")
            codes = [INSTRUCTIONS.index(instruction) for instruction in context.strip("_")]
            first, second = [_START, _START, *codes][-2:]
            weights[first, second] = [2 * int(count) + 1 for count in counts.split(",")]  # half a count to each
    return weights.cumsum(axis=-1)


@register
@dataclasses.dataclass(frozen=True)
class UniversalMachine(Task):
    """``4 0 0 16 0 ...``: the output of a random program, `length` symbols at most, then <pad>.

    The machine has `memory_size` cells on a ring, each a number below `alphabet_size`, all 0, and a pointer. ``+ -``
    change the cell, around the end; ``> <`` move the pointer; ``.`` prints the cell. Where the program's text ends, the
    next instruction is drawn, and evaluated at once, so text only grows at its end. ``[`` is an opening bracket met at
    a cell that is not 0: its body follows it, and what comes after the block is written where the text ends when it is
    first left. ``{`` is one met at a cell of 0: what comes after the block follows it, and its body is written when it
    is first entered. ``]`` goes back to the last bracket whose body is open; without one it does nothing.

    A program runs for `maximum_steps` instructions, or until the row is full. With a `program_length` its text is drawn
    before it runs, and it ends where its text ends: so the reference's script has it, while its paper's programs grow.
    Its instructions are uniform, or follow the last two by the counts of programs that print more (`sampler` markov).
    Most programs print little: those that print less than `min_output` symbols are drawn again.

    Symbol s is id s; <pad> is id `alphabet_size`.
    """

    name = "utm"
    headline = "alphabet_size"
    sizes = (17,)
    summary = "what random programs print, on a small universal machine"
    paper = "Grau-Moya et al. 2024, Learning Universal Predictors, arXiv:2401.14953"

    alphabet_size: int = integer(17, 2, "numbers that a cell can hold, which are the symbols", high=2**16)
    memory_size: int = integer(10, 1, "cells of the memory", high=2**16)
    maximum_steps: int = integer(1000, 16, "instructions that a program evaluates, at most", high=2**20)
    length: int = integer(256, 2, "symbols in a row, at most", high=2**20)
    sampler: str = choice("uniform", ("uniform", "markov"), "how instructions are drawn")
    program_length: int | None = integer(
        None, 8, "instructions in a program drawn before it runs; null: it grows while it runs", 2**20, optional=True
    )
    min_output: int = integer(2, 2, "symbols in a row, at least; an eighth of maximum_steps, at most")

    def __post_init__(self):
        super().__post_init__()
        most = min(self.length, max(2, self.maximum_steps // 8))
        if self.min_output > most:
            raise ValueError(
                f"{self.name}: min_output must be at most {most} with length={self.length} and "
                f"maximum_steps={self.maximum_steps}, got {self.min_output}"
            )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.alphabet_size)), "<pad>")

    @property
    def pad_id(self) -> int:
        return self.alphabet_size

    @property
    def max_length(self) -> int:
        return self.length

    def run(self, program: str) -> list[int]:
        """What a program prints, in plain Python; it ends at its text's end. Raises ValueError for what is none."""
        wrong = sorted(set(program) - set(INSTRUCTIONS))
        if wrong:
            raise ValueError(f"{self.config_name}: a program has the instructions {INSTRUCTIONS}, got {wrong[0]!r}")
        memory = [0] * self.memory_size
        output = []
        text = []
        elsewhere = {}  # of a bracket, where its other part was written; of ], its bracket
        opened = []  # the brackets whose bodies are not closed
        place = cell = steps = 0
        while steps < self.maximum_steps and len(output) < self.length:
            is_new = place == len(text)
            if is_new:
                if place == len(program):
                    break
                text.append(program[place])
                if text[place] in "[{":
                    text[place] = "[" if memory[cell] else "{"
            instruction = text[place]
            goes_on = place + 1
            if instruction in "+-":
                change = 1 if instruction == "+" else -1
                memory[cell] = (memory[cell] + change) % self.alphabet_size
            elif instruction in "<>":
                cell = (cell + (1 if instruction == ">" else -1)) % self.memory_size
            elif instruction == ".":
                output.append(memory[cell])
            elif instruction == "]":
                if is_new and opened:
                    elsewhere[place] = opened.pop()
                goes_on = elsewhere.get(place, goes_on)
            elif is_new:
                if instruction == "[":
                    opened.append(place)
            elif (instruction == "{") == (memory[cell] != 0):
                if place not in elsewhere:
                    elsewhere[place] = len(text)
                    if instruction == "{":
                        opened.append(place)
                goes_on = elsewhere[place]
            place = goes_on
            steps += 1
        return output

    def accepts(self, token_ids) -> bool:
        """Whether the tokens can be an output: as many symbols as may be, before nothing but padding.

        Any symbols are the output of some program that has the steps for it, so that a row alone says no more than
        this; one that prints symbol s has changed a cell s times, or `alphabet_size` - s. `run` tells it of a program.
        """
        tokens = self._unpadded(token_ids)
        if not self.min_output <= len(tokens) <= self.length:
            return False
        if any(not 0 <= token < self.alphabet_size for token in tokens):
            return False
        changes = max(min(token, self.alphabet_size - token) for token in tokens)
        return changes + len(tokens) <= self.maximum_steps

    def example(self, prompt_ids):
        return super().example(self._unpadded(prompt_ids))

    def sample(self, rng, n):
        return self._rows(rng, n, 0)[0]

    def programs(self, rng: np.random.Generator, n: int) -> list[str]:
        """The programs whose output `sample` gives for an equal generator, as far as they were run."""
        _, texts = self._rows(rng, n, max(self.maximum_steps, self.program_length or 0))
        return texts

    def _rows(self, rng, n, width):
        from . import kernels, universal_kernels

        input_ids, labels = self.empty_rows(n)
        stops = np.empty(n, np.int64)
        programs = np.empty((n, width), np.int8)
        sizes = np.zeros(n, np.int64)
        machine = self.alphabet_size, self.memory_size, self.maximum_steps
        universal_kernels.rows(
            kernels.stream(rng),
            input_ids,
            stops,
            programs,
            sizes,
            _weights(self.sampler),
            machine,
            self.program_length or 0,
            self.min_output,
        )
        kernels.close_rows(input_ids, labels, np.ones(n, np.int64), stops, self.pad_id)
        if not width:
            return (input_ids, labels), []
        texts = [
            "".join(INSTRUCTIONS[code] for code in program[:size])
            for program, size in zip(programs, sizes, strict=True)
        ]
        return (input_ids, labels), texts

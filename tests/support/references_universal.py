"""Random programs as blocks within blocks, run as they are drawn: what ours are compared with, and timed against."""

import random
from collections.abc import Callable


class Done(Exception):
    """A program has printed enough, run for long enough, or come to its end."""


def tree_output(draw: Callable[[str], str], alphabet_size: int, memory_size: int, steps: int, length: int) -> list[int]:
    """What a program prints whose next instruction is ``draw(text so far)``, drawn when it is evaluated.

    A block is a list of instructions and of blocks, which grows at its end until a ``]`` is drawn. An empty draw is the
    end of the program.
    """
    memory, output, text = [0] * memory_size, [], []
    place = taken = 0

    def step():
        nonlocal taken
        if taken == steps or len(output) == length:
            raise Done
        taken += 1

    def run(block, is_body):
        nonlocal place
        index = 0
        while True:
            if index == len(block):
                if taken == steps or len(output) == length:
                    raise Done
                drawn = draw("".join(text))
                if not drawn:
                    raise Done
                if drawn in "[{":
                    drawn = "[" if memory[place] else "{"
                text.append(drawn)
                block.append([] if drawn in "[{" else drawn)
            instruction = block[index]
            index += 1
            step()
            if isinstance(instruction, list):
                while memory[place]:
                    run(instruction, True)
                    step()  # the bracket again
            elif instruction == "]" and is_body:
                return
            elif instruction == ".":
                output.append(memory[place])
            elif instruction in "+-":
                memory[place] = (memory[place] + (1 if instruction == "+" else -1)) % alphabet_size
            elif instruction in "<>":
                place = (place + (1 if instruction == ">" else -1)) % memory_size

    try:
        run([], False)
    except Done:
        return output


def universal_row(rng: random.Random, alphabet_size=17, memory_size=10, steps=1000, length=256, least=2) -> list[int]:
    """The output of a program of uniform instructions that prints so many symbols."""
    output = []
    while len(output) < least:
        output = tree_output(lambda text: rng.choice("+-><[]."), alphabet_size, memory_size, steps, length)
    return output

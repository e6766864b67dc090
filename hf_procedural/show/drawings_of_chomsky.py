"""How the tasks of the Chomsky hierarchy are drawn and explained: ids as the symbols that they stand for."""

from ..tasks import chomsky
from .drawing import ANSWER, in_columns, legend, lines

_PROMPT = {  # what the ids of prompts stand for, where that is not their number
    "cycle_navigation": ("left", "stay", "right"),
    "modular_arithmetic": chomsky.PLAIN,
    "modular_arithmetic_brackets": chomsky.BRACKETS,
    "solve_equation": chomsky.EQUATION,
    "stack_manipulation": ("0", "1", "pop", "push0", "push1"),
    "missing_duplicate_string": ("0", "1", "?", "_"),
    "binary_addition": "01+",
    "binary_multiplication": "01*",
}
_EXPLAINED = {
    "parity_check": "the answer is 1 if the number of 1s is odd",
    "even_pairs": "the answer is 1 if the number of neighbours that differ is odd",
    "cycle_navigation": "steps on a cycle of five places from place 0; the answer is where they end",
    "modular_arithmetic": "the answer is the value modulo 5",
    "modular_arithmetic_brackets": "the answer is the value modulo 5",
    "reverse_string": "the answer is the string backwards",
    "solve_equation": "the answer is the digit that x stands for, modulo 5",
    "stack_manipulation": "a stack from its bottom, and what is done with it; the answer is it from its top, end, 0s",
    "missing_duplicate_string": "a string twice, with one symbol taken out (?), which is the answer; _ is nothing",
    "duplicate_string": "the answer is the string twice",
    "odds_first": "the answer is every second symbol from the second on, then those from the first on",
    "bucket_sort": "the answer is the digits in order",
    "binary_addition": "numbers with their lowest bit first; the answer is the sum, end, 0s",
    "binary_multiplication": "numbers with their lowest bit first; the answer is the product, end, 0s",
    "compute_sqrt": "a number with its highest bit first; the answer is its square root, rounded down",
}


@legend.register
def _(task: chomsky.Chomsky):
    hidden = "<sep>" if not task.blanks else "the blanks at which the answer is predicted"
    return [_EXPLAINED[task.task], f"{hidden} and <eos> are not drawn"]


@lines.register
def _(task: chomsky.Chomsky, row, width):
    names = _PROMPT.get(task.task)
    prompt = [names[int(word)] if names else word for word in row.prompt if word.isdigit()]
    ended = task.kind.output_size == 3  # by 2
    answer = [word for word in row.targets if word] if row.stands_apart else row.answer
    answer = ["end" if ended and word == "2" else word for word in answer if word != "<eos>"]
    yield from in_columns("prompt", prompt, width)
    yield from in_columns("answer", answer, width, ANSWER)

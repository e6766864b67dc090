"""Text of --help in lines that fit: prose, commands with their comments, tables of names and what they mean."""

import itertools
import re
import shutil
import textwrap

_NARROWEST = 40
_COMMENT = re.compile(r"(.*\S)\s+(# .*)")
_HELD, _BREAK = "\0", "\1"  # in place of a space that stays one, and of a backslash behind which a command goes on
_FLAG, _QUOTED = re.compile(r"( -\S+) (?=[^-])"), re.compile(r"'[^']*'|\"[^\"]*\"")
_TABLE = re.compile(r" +\S+ {2,}(?=[^ #\1])")  # of a line of a table, what stands before its second column


def laid_out(text: str, width: int | None = None) -> str:
    r"""A text in lines of at most so many columns, those of the terminal unless given, where words allow that.

    Paragraphs are filled. What is indented keeps its lines where they fit: else a command has its comment above it and
    goes on behind a backslash, and a line of a table goes on in its second column.

    >>> print(laid_out("Words that\nare prose.\n\n    run --with some --very_long words --and more  # so", 42))
    Words that are prose.
    <BLANKLINE>
        # so
        run --with some --very_long words \
            --and more
    """
    width = max(width or shutil.get_terminal_size().columns - 2, _NARROWEST)  # 2 less, as argparse
    laid = []
    whole = re.sub(r"\\\n *", _BREAK, text.strip("\n"))  # a command in one line
    for is_indented, lines in itertools.groupby(whole.split("\n"), key=lambda line: line[:1] in ("", " ")):
        if is_indented:
            laid += [_indented(line, width) for line in lines]
        else:
            laid.append(_filled(" ".join(lines), width))
    return "\n".join(laid)


def _filled(words: str, width: int, first: str = "", others: str = "") -> str:
    wrapper = textwrap.TextWrapper(width, initial_indent=first, subsequent_indent=others)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return wrapper.fill(words)


def _indented(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    written = line.replace(_BREAK, f"\\\n{indent}    ")
    if all(len(each) <= width for each in written.split("\n")):
        return written
    if table := _TABLE.match(line):
        return _filled(line[table.end() :], width, table[0], " " * table.end())
    commented = _COMMENT.fullmatch(line)
    command, comment = commented.groups() if commented else (line, "")
    lines = [_filled(comment, width, indent, f"{indent}# ")] if comment else []
    held = _QUOTED.sub(lambda quoted: quoted[0].replace(" ", _HELD), command.replace(_BREAK, " "))
    words = _FLAG.sub(rf"\1{_HELD}", " ".join(held.split()))
    broken = _filled(words, width - 2, indent, f"{indent}    ").replace(_HELD, " ")
    return "\n".join([*lines, broken.replace("\n", " \\\n")])

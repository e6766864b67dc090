"""Text of the code as Markdown: docstrings, tables, addresses."""

import inspect
import re

_CODE = re.compile(r"(`+[^`]+`+)")
_EDGES = re.compile(r"(?<![A-Za-z0-9_])_+|_+(?![A-Za-z0-9_])")  # within a word, _ means nothing to Markdown
_PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_COMMIT = re.compile(r"\b([\w.-]+/[\w.-]+)( at |: at )([0-9a-f]{7})\b")


def plain(text: str) -> str:
    """Text whose signs mean nothing to Markdown, but for `code`; papers and commits become links."""
    pieces = _CODE.split(text)
    for place in range(0, len(pieces), 2):
        escaped = pieces[place].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        escaped = re.sub(r"[*|\[\]]", r"\\\g<0>", escaped)
        escaped = _EDGES.sub(lambda match: match.group().replace("_", "\\_"), escaped)
        escaped = _PAPER.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", escaped)
        pieces[place] = _COMMIT.sub(_commit, escaped)
    return "".join(pieces)


def _commit(match: re.Match) -> str:
    repository, between, commit = match.groups()
    address = f"https://github.com/{repository}".replace("\\", "")
    return f"[{repository}]({address}){between}[{commit}]({address}/tree/{commit})"


def sentence(text: str) -> str:
    """A summary, such as the registry has, with a capital and a full stop."""
    return plain(text[0].upper() + text[1:]) + "."


def cell(text: str) -> str:
    """A cell of a table: a bar within code would end it."""
    return re.sub(r"(?<!\\)\|", r"\\|", plain(text))


def code(text) -> str:
    """A value as code in a cell of a table."""
    text = str(text).replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown; a head that ends in a colon is of numbers, on the right."""
    rule = ["--:" if word.endswith(":") else "---" for word in head]
    lines = [[word.removesuffix(":") for word in head], rule, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def prose(docstring: str) -> str:
    """A docstring as Markdown: paragraphs, lists, and what is indented as code."""
    blocks = []
    for paragraph in re.split(r"\n[ ]*\n", inspect.cleandoc(docstring)):
        lines = paragraph.split("\n")
        indented = [place for place, line in enumerate(lines) if line.startswith("    ")]
        bullets = [place for place, line in enumerate(lines) if line.startswith("- ")]
        if len(indented) == len(lines):
            blocks.append("```text\n" + inspect.cleandoc("\n" + paragraph) + "\n```")
        elif bullets:
            blocks.append("\n".join(plain(line) for line in lines[: bullets[0]]))
            blocks.append("\n".join(plain(line) for line in lines[bullets[0] :]))
        else:
            blocks.append(plain(paragraph))
    return "\n\n".join(block for block in blocks if block)

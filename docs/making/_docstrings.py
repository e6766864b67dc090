"""How docstrings become Markdown in the Python reference: an extension of griffe, named in mkdocs.yml.

Ours are plain text with `code`: what stands in angles is a token and no HTML, and an example is code where it stands.
"""

import re

import griffe

_CODE = re.compile(r"(`+[^`]+`+)")


def as_markdown(docstring: str) -> str:
    """A docstring whose examples are blocks of code, and whose tokens, such as <sep>, are not taken for HTML."""
    lines = []
    last_indent = ""
    within = False
    for line in docstring.split("\n"):
        begins = line.lstrip().startswith(">>>")
        indent = line[: len(line) - len(line.lstrip())]
        if begins and not within:
            lines.append(f"{indent}```pycon")
            within = True
        elif within and not line.strip():
            lines.append(f"{last_indent}```")
            within = False
        last_indent = indent
        lines.append(line if within else _escaped(line))
    return "\n".join([*lines, f"{last_indent}```"] if within else lines)


def _escaped(line: str) -> str:
    pieces = _CODE.split(line)
    for place in range(0, len(pieces), 2):
        pieces[place] = re.sub(r"<(?=[\w/|])", "&lt;", pieces[place])
    return "".join(pieces)


class Docstrings(griffe.Extension):
    """Applies it to everything that is read."""

    def on_object(self, *, obj, **_):
        """Called by griffe for each object, after its members."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)

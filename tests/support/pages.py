"""What the documentation shows: its pages, and the code and commands in them."""

import re
import shlex

from support.running import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(page for page in DOCS.rglob("*.md") if "making" not in page.parts)]
_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def name_of(page) -> str:
    return str(page.relative_to(ROOT))


def blocks_of(page, *kinds) -> list[str]:
    """The blocks of code of some kinds, such as python, in their order."""
    blocks = []
    for indent, kind, text in _FENCE.findall(page.read_text()):
        if kind in kinds:
            blocks.append(re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
    return blocks


def commands_of(page) -> list[list[str]]:
    """The words of each command in the blocks for a shell; of loops with first values, and no redirections."""
    commands = []
    for block in blocks_of(page, "sh"):
        values = {}
        for line in block.replace("\\\n", " ").splitlines():
            command = []
            for word in [*shlex.split(line, comments=True), "&&"]:
                if word not in ("&&", "||", "|"):
                    command.append(word.removesuffix(";"))
                if word in ("&&", "||", "|") or word.endswith(";"):
                    commands.append(_bare(command, values))
                    command = []
    return [command for command in commands if command]


def _bare(command: list[str], values: dict[str, str]) -> list[str]:
    """A command without `do` and variables before it, with the values of a loop, which are set where one begins."""
    while command and (command[0] in ("do", "time") or re.fullmatch(r"\w+=.*", command[0])):
        command = command[1:]
    if command and command[0] in ("for", "done"):
        values.update({command[1]: command[3]} if command[0] == "for" else {})
        return []
    command = command[: command.index(">")] if ">" in command else command
    return [re.sub(r"\$\{?(\w+)(?:[^}]*\})?", lambda name: values.get(name[1], name[0]), word) for word in command]

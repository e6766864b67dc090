"""A page for each family of tasks, and the one that lists them."""

import dataclasses
import inspect
import json
from pathlib import Path

from hf_procedural.show.drawing import has_answers
from hf_procedural.show.rows import legend
from hf_procedural.tasks import PRESETS, task_class

from . import _papers, _rows
from ._families import FAMILIES, docstring_of, title_of
from ._words import cell, code, plain, prose, sentence, table

_INTRODUCTIONS = Path(__file__).parent / "introductions"
_WIDTH = 72  # characters in a line of a drawing


def pages() -> dict:
    """The pages of docs/tasks."""
    made = {f"tasks/{family}.md": _page(family, names) for family, names in FAMILIES.items()}
    return made | {"tasks/index.md": _index()}


def _index() -> str:
    text = """# Tasks

The number (or word) in a name is the task's headline size: any number works, not only the published ones, and every
other parameter is a keyword of `load_dataset("procedural", ...)`, a flag of `hf-procedural show`, and a key of
`task_parameters` in a recipe. With pictures and figures: [the gallery](../gallery/index.md). What a paper trained on,
by one name: presets, at the end of each page, and `hf-procedural list --presets`.
"""
    for family, names in FAMILIES.items():
        lines = []
        for name in names:
            cls = task_class(name)
            lines.append([f"[`{name}-{cls.sizes[-1]}`]({family}.md#{name})", code(cls.headline), cell(cls.summary)])
        text += f"\n## [{title_of(family)}]({family}.md)\n\n{table(['name', 'the number', 'what is learned'], lines)}\n"
    return text


def _page(family: str, names: list[str]) -> str:
    file = _INTRODUCTIONS / f"{family}.md"
    introduction = file.read_text(encoding="utf-8").strip() + "\n" if file.is_file() else ""
    text = f"# {title_of(family)}\n\n{introduction}"
    text += "\n".join(_task(name) for name in names)
    presets = [preset for preset in PRESETS if _papers.tasks_of(preset) & set(names)]
    if presets:
        text += "\n## Presets {#presets}\n\nA paper's setting by name: "
        text += f'`load_dataset("procedural", "{presets[0]}")`.\n'
        text += f"\n{_presets(presets)}\n"
    text += f"\n## Sources and deviations {{#sources}}\n\n{prose(docstring_of(family))}\n"
    return text


def _task(name: str) -> str:
    cls = task_class(name)
    config = _rows.published(name).config_name
    return f"""
## `{name}` {{#{name}}}

{sentence(cls.summary)}

`load_dataset("procedural", "{config}")`

{_drawn(name)}

{_layout(cls)}

{_parameters(cls)}

Published sizes of `{cls.headline}`: {", ".join(code(size) for size in cls.sizes)}. Paper: {plain(cls.paper)}.
[Picture, figures and speed](../gallery/index.md#{name}).
"""


def _layout(cls) -> str:
    docstring = inspect.cleandoc(cls.__doc__ or "")
    return "" if docstring.startswith(f"{cls.__name__}(") else prose(docstring)


def _drawn(name: str) -> str:
    """Three rows as `hf-procedural show` draws them, and what one has to know to read them."""
    task = _rows.small(name)
    blocks = []
    for painter, row in _rows.read(task):
        note = f'<span class="d-label">{len(row.words)} tokens; loss on {row.loss}</span>'
        blocks.append(f"{note}\n{_rows.as_html(_rows.drawn(painter, row, _WIDTH, 24))}")
    known = [str(line) for line in legend(task)]
    settings = {task.headline: getattr(task, task.headline), **_rows.SMALL.get(name, ("", {}))[1]}
    given = ", ".join(f"{key}={value}" for key, value in settings.items())
    said = "the answer in green" if has_answers(task) else "as they are drawn"
    head = f"Three rows of `{task.config_name}` ({given}), {said}:"
    rows = "\n\n".join(blocks)
    return f'{head}\n\n<pre class="drawing">{rows}</pre>\n\n{_legend(known)}'


def _legend(lines: list[str]) -> str:
    texts = []
    for line in lines:
        if "█" in line or line.startswith(" "):
            texts.append(f"    {line}")  # columns, as of an automaton's rule
        else:
            texts.append(plain(line))
    if any(text.startswith("    ") for text in texts):
        return "```text\n" + "\n".join(lines) + "\n```"
    return "Read: " + "; ".join(texts) + "."


def _parameters(cls) -> str:
    lines = []
    for field in dataclasses.fields(cls):
        named = f"{code(field.name)}, the number in the name" if field.name == cls.headline else code(field.name)
        default = "none" if field.default is None else json.dumps(field.default).strip('"')
        accepted = field.metadata.get("accepted", "")
        lines.append([named, code(default), cell(accepted), cell(field.metadata.get("help", ""))])
    return table(["parameter", "default", "accepted", "what it is"], lines)


def _presets(names: list[str]) -> str:
    lines = []
    for name in names:
        preset = PRESETS[name]
        given = ", ".join(f"{key}={json.dumps(value)}" for key, value in preset.parameters.items())
        made = code(preset.task.replace("+", " + ")) + (f"<br>{code(given)}" if given else "")
        lines.append([code(name), made, cell(preset.source), cell(preset.note)])
    return table(["preset", "is", "of", "used for"], lines)

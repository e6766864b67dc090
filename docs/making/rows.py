"""The form of rows, in general and by family, from the classes' own words and a row of each."""

import inspect

from hf_procedural.tasks import IGNORE, task_class

from . import _rows
from ._families import FAMILIES, title_of
from ._words import code, plain

_HEAD = """# Rows

Every row has `input_ids` and `labels`, int32, equally long, padded on the right. A label is the token that is to be
predicted in its place from the tokens before it; -100 where the loss does not count. Labels are not shifted: the model
does that, as everywhere in transformers. There is no `attention_mask`.

One row of `sort-4` with `vocab_size=10`:

{example}

Four kinds of rows:

- **prompt and answer**: a loss on the answer alone. `task.solve(prompt_ids)` gives the answer.
- **language**: a loss on every token but the first. `task.accepts(token_ids)` says whether a row is one.
- **asked at many places**: a row that is asked here and there, as `flip_flop`.
- **apart**: what is to be predicted need not stand in the row, as in `mqar`; an arrow shows it below.

In another [view](../guides/any-trainer.md) the same rows are text, prompt and completion, or messages; in the files of
[frameworks](../guides/any-framework.md) they are ids, with a mask of the loss where a format can hold one.

Below, in short, what a row of each task looks like: its layout in the words of its class, and a row of the small size
that the [gallery](../gallery/index.md) shows, tokens with a loss in **bold**.
"""


def pages() -> dict:
    """The page."""
    text = _HEAD.format(example=_example())
    for family, names in FAMILIES.items():
        text += f"\n## [{title_of(family)}](../tasks/{family}.md) {{#{family}}}\n"
        for name in names:
            text += _task(name)
    return {"reference/rows.md": text}


def _example() -> str:
    import hf_procedural

    task = hf_procedural.task("sort-4", vocab_size=10)
    input_ids, labels = task.example([7, 3, 9, 3])
    words = [task.vocabulary[token] for token in input_ids]
    width = max(map(len, words)) + 1
    lines = {"tokens": words, "input_ids": input_ids.tolist(), "labels": labels.tolist()}
    drawn = [f"{label:<11}" + "".join(f"{value!s:>{width}}" for value in values) for label, values in lines.items()]
    assert IGNORE in labels
    return "```text\n" + "\n".join(drawn) + "\n```"


def _task(name: str) -> str:
    cls = task_class(name)
    task = _rows.small(name)
    docstring = inspect.cleandoc(cls.__doc__ or "")
    layout = "" if docstring.startswith(f"{cls.__name__}(") else plain(docstring.partition("\n\n")[0]) + "\n\n"
    _, row = _rows.read(task)[0]
    return (
        f"\n### `{name}` {{#{name}}}\n\n{layout}{code(task.config_name)}, loss on {plain(row.loss)}:\n\n"
        f'<pre class="row">{_rows.words_as_html(row, 40)}</pre>\n'
    )

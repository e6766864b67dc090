"""The app: three tabs of controls, whose questions `worker.Workers` answer."""

import html
from typing import Any

import gradio as gr

from ..tasks import list_tasks, task_class
from ..tasks.coding import KINDS
from ..tasks.splits import SIZES
from . import fields, runs
from .limits import ROWS, WORDS, Place
from .style import FONTS, STYLE, WIDTH
from .worker import Overtaken, Refused, Workers

TITLE = "Procedural explorer"
_HEAD = f"# {TITLE}\nData without meaning that language models learn from, and what they learned: look at it, try it."
_FIRST = "sort"
_SECRET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}  # of every event
# Of a look; many wait for a process at the same time, of whom a newer look of the same visitor takes the place.
_LOOK: dict[str, Any] = {"trigger_mode": "always_last", "concurrency_limit": 16, **_SECRET}
_LOADS: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}


def page(workers: Workers, place: Place) -> gr.Blocks:
    """The page. What people type is asked of `workers`, and names of folders are looked up in `place`."""
    with gr.Blocks(analytics_enabled=False, title=TITLE) as app:
        gr.Markdown(_HEAD)
        with gr.Tab("Tasks"):
            _tasks(app, workers, place)
        with gr.Tab("A run"):
            _run(workers, place)
        with gr.Tab("Arms of a study"):
            _study(workers, place)
        if place.is_public:
            gr.Markdown(
                f"Accepted here: {WORDS}. No file of this server is read. `hf-procedural space` opens it at home."
            )
    app.queue(max_size=64, default_concurrency_limit=2, api_open=False)
    return app


def look_of_page() -> dict:
    """What `launch` is told of the page's look."""
    theme = gr.themes.Default(primary_hue="blue", font=FONTS["font"], font_mono=FONTS["font_mono"])
    return {"theme": theme, "css": STYLE}


def _error(error: Exception) -> str:
    return f'<p class="error" role="alert">{html.escape(str(error))}</p>'


# ---------------------------------------------------------------- tasks


def _tasks(app: gr.Blocks, workers: Workers, place: Place) -> None:
    chosen = gr.State(None)
    width = gr.Number(80, visible=False)
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            name = gr.Dropdown(list_tasks(), value=_FIRST, label="Task", elem_id="task")
            controls = gr.Column(elem_id="parameters")
        with gr.Column(scale=2, min_width=300):
            with gr.Row():
                split = gr.Dropdown(list(SIZES), value="train", label="Split", min_width=100)
                seed = gr.Number(0, label="Seed", min_width=80)
                row = gr.Number(1, label="Row", minimum=1, maximum=ROWS, min_width=80, elem_id="row")
            with gr.Row():
                before = gr.Button("Row before", size="sm", min_width=80)
                after = gr.Button("Next row", size="sm", min_width=80, elem_id="next")
            drawing = gr.HTML(elem_id="rows")
            with gr.Accordion("How to read it", open=True):
                explained = gr.HTML()
    with gr.Tabs():
        with gr.Tab("Check an answer"):
            checking = _check(workers, chosen)
        with gr.Tab("Watch it move"):
            moving = gr.HTML("", elem_id="moving")
        with gr.Tab("In your tokenizer"):
            _tokenizer(workers, place, chosen)
        with gr.Tab("Take it along"):
            taken = [
                gr.Code(language=language, label=label, interactive=False, lines=3, wrap_lines=True, elem_id=identity)
                for language, label, identity in (
                    ("python", "Python", "python"),
                    ("yaml", "YAML of hf-procedural pretrain", "yaml"),
                    ("shell", "Commands", "command"),
                )
            ]
    outputs = [chosen, drawing, explained, *checking, *taken]

    def look(request: gr.Request, name, split, seed, row, width, *values):
        names = [field.name for field in fields.fields_of(task_class(name))] if name in list_tasks() else []
        given = dict(zip(names, values, strict=False))
        try:
            seen = workers.ask("look", name, given, split, seed, row, width, visitor=request.session_hash)
        except Overtaken:
            return gr.skip()
        except Refused as error:
            return [None, _error(error), "", *_nothing_to_check(), "", "", ""]
        texts = [seen[text] for text in ("python", "yaml", "command")]
        return [seen["chosen"], seen["rows"], seen["explained"], *_to_check(seen), *texts]

    def move(seen):
        if seen is None or not seen["moves"]:
            return _STILL
        try:
            picture = workers.ask("moving", seen)
        except Refused as error:
            return _error(error)
        about = f"Row {seen['row']} of {html.escape(seen['name'])}, a state after the other"
        return f'<img class="moving" alt="{about}" src="data:image/gif;base64,{picture}"><p>{about}.</p>'

    shared = [name, split, seed, row, width]
    with controls:

        @gr.render(inputs=name)
        def _(task_name):
            made = [_control(field) for field in fields.fields_of(task_class(task_name))]
            # a textbox tells of what is pasted in change alone
            changed = [each.change if isinstance(each, gr.Textbox) else each.input for each in made]
            changed += [split.input, seed.input, row.change]
            gr.on(changed, look, [*shared, *made], outputs, **_LOOK)

    name.input(look, shared, outputs, **_LOOK)
    before.click(lambda number: max(int(number or 1) - 1, 1), row, row, **_SECRET)
    after.click(lambda number: min(int(number or 1) + 1, ROWS), row, row, **_SECRET)
    chosen.change(move, chosen, moving, trigger_mode="always_last", **_SECRET)
    # one look at the start, and not before the width is known: a second one could end late, over a newer look
    app.load(None, None, width, js=WIDTH, **_SECRET).then(look, shared, outputs, **_LOOK)


_STILL = '<p class="note">Only automata move: choose eca or nca.</p>'


def _control(field: fields.Field):
    words: dict[str, Any] = {"label": field.name, "info": field.help, "interactive": True}
    if field.kind == fields.FLAG:
        return gr.Checkbox(fields.shown(field), **words)
    if field.kind == fields.CHOICE:
        return gr.Dropdown(list(field.options), value=fields.shown(field), **words)
    if field.kind == fields.NUMBER:
        return gr.Number(fields.shown(field), step=1 if field.whole else 0.1, **words)
    return gr.Textbox(fields.shown(field), max_length=2_000, **words)


def _check(workers: Workers, chosen: gr.State) -> list:
    """The controls of an answer that is checked; gives the outputs of `_to_check`."""
    prompt = gr.Textbox(label="Prompt", lines=2, max_lines=8, elem_id="prompt")
    answer = gr.Textbox(label="Your answer", lines=2, max_lines=8, elem_id="answer")
    verdict = gr.HTML(elem_id="verdict")
    shown = gr.Button("Show the answer", size="sm", elem_id="reveal")

    def check(seen, prompt, typed):
        if seen is None:
            return ""
        try:
            return workers.ask("check", seen, prompt or "", typed or "")
        except Refused as error:
            return _error(error)

    def reveal(seen, prompt):
        try:
            right = workers.ask("reveal", seen, prompt or "") if seen else ""
        except Refused as error:
            return gr.skip(), _error(error)
        return right, check(seen, prompt, right)

    both = [chosen, prompt, answer]
    gr.on([prompt.change, answer.change], check, both, verdict, trigger_mode="always_last", **_SECRET)
    shown.click(reveal, [chosen, prompt], [answer, verdict], **_SECRET)
    return [prompt, answer, verdict, shown]


def _to_check(seen: dict) -> list:
    """Updates of the controls of `_check` for what was looked at."""
    kind, question = seen["checked"], seen["question"]
    if kind == "answer":
        about = '<p class="note">Type the answer: it is checked as you type.</p>'
        return [gr.Textbox(question, visible=True), gr.Textbox("", label="Your answer"), about, gr.Button(visible=True)]
    if kind == "word":
        about = '<p class="note">A language has no one answer: change this row, and see whether it is still one.</p>'
        return [gr.Textbox("", visible=False), gr.Textbox(question, label="A row"), about, gr.Button(visible=False)]
    return [*_nothing_to_check()[:2], '<p class="note">Shuffled rows have no answer.</p>', gr.Button(visible=False)]


def _nothing_to_check() -> list:
    return [gr.Textbox("", visible=False), gr.Textbox("", label="Your answer"), "", gr.Button(visible=False)]


def _tokenizer(workers: Workers, place: Place, chosen: gr.State) -> None:
    kinds = "" if place.is_public else ", or a folder"
    with gr.Row():
        name = gr.Textbox(
            label=f"Tokenizer: the id of a repo of the Hub{kinds}", placeholder="gpt2", elem_id="tokenizer"
        )
        kind = gr.Dropdown(list(KINDS), value="symbols", label="Coding", min_width=100)
    shown = gr.Button("Show the first row in it", size="sm", variant="primary", elem_id="encode")
    pieces = gr.HTML(elem_id="pieces")
    line = gr.Code(
        language="python", label="Python", interactive=False, lines=3, wrap_lines=True, elem_id="coded-python"
    )

    def encode(seen, name, kind):
        if seen is None:
            return _error(ValueError("choose a task first")), ""
        try:
            coded = workers.ask("coded", seen, name or "", kind, place.folder)
        except Refused as error:
            return _error(error), ""
        return coded["html"], coded["python"]

    gr.on([shown.click, name.submit], encode, [chosen, name, kind], [pieces, line], **_LOADS)


# ---------------------------------------------------------------- runs and studies


def _names(place: Place, choices: list[str], label: str, identity: str):
    """Where the name of a run is typed, or chosen of those that are there."""
    if place.is_public:
        return gr.Textbox(label="The id of a model repo of the Hub", placeholder="me/gpt2-sort", elem_id=identity)
    first = choices[0] if choices else None
    return gr.Dropdown(choices, value=first, label=label, allow_custom_value=True, elem_id=identity)


def _run(workers: Workers, place: Place) -> None:
    listed, _ = runs.listed(place.folder) if place.folder else ([], [])
    name = _names(place, listed, f"A run below {place.folder}, or a model of the Hub", "run")
    shown = gr.Button("Look at it", size="sm", variant="primary", elem_id="look-at-run")
    title, curves = gr.HTML(elem_id="run-title"), gr.HTML(elem_id="curves")
    with gr.Accordion("Arguments", open=False):
        arguments = gr.Code(language="yaml", label="recipe.yaml", interactive=False, wrap_lines=True)
    card = gr.HTML(elem_classes="card", elem_id="card")

    def look(name):
        try:
            run = workers.ask("run", name or "", place.folder)
        except Refused as error:
            return _error(error), "", "", ""
        return [run[part] for part in ("title", "curves", "arguments", "card")]

    triggers = [shown.click] + ([name.submit] if place.is_public else [])
    gr.on(triggers, look, name, [title, curves, arguments, card], **_LOADS)


def _study(workers: Workers, place: Place) -> None:
    _, listed = runs.listed(place.folder) if place.folder else ([], [])
    if place.is_public:
        label = "The ids of model repos of the Hub, one a line: runs of our recipes"
    else:
        label = f"The folder of a study or of several runs below {place.folder}, or more of them, one a line"
    names = gr.Textbox(listed[0] if listed else "", label=label, lines=2, max_lines=8, elem_id="study")
    with gr.Row():
        metric = gr.Textbox(label="Metric", info="Empty: answer accuracy, else loss", elem_id="metric")
        threshold = gr.Number(0.9, label="Threshold", info="Whose first step is shown", step=0.1)
    shown = gr.Button("Compare", size="sm", variant="primary", elem_id="compare")
    report = gr.HTML(elem_classes="card", elem_id="report")

    def compare(names, metric, threshold):
        try:
            return workers.ask("compare", names or "", metric or "", threshold, place.folder)
        except Refused as error:
            return _error(error)

    shown.click(compare, [names, metric, threshold], report, **_LOADS)

"""Markdown and figures as one page of HTML, which a browser opens without a server or a network.

Figures stand in the page itself, so that it can be sent as it is. Nothing in a name or a text is taken as HTML or as a
link that runs anything, and the page's own policy lets it load nothing.
"""

import base64
import html
import string
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt

from ..files import read_text

_TEMPLATE = Path(__file__).with_name("page.html")


def render(parts: Iterable[tuple[str, Path]]) -> str:
    """The page of Markdown texts, one behind the other, each with the folder that its figures are in.

    Its title is the first heading. A figure that is not there is left out, and so is one outside of its folder.
    """
    markdown, bodies, sections = _renderer(), [], []
    for text, folder in parts:
        env = {"folder": folder.resolve()}
        tokens = markdown.parse(text, env)
        for token, inline in zip(tokens, tokens[1:], strict=False):
            if token.type == "heading_open" and token.tag in ("h1", "h2"):
                token.attrSet("id", f"section-{len(sections)}")
                sections.append("".join(child.content for child in inline.children or () if child.type != "image"))
        bodies.append(markdown.renderer.render(tokens, markdown.options, env))
    links = [f'<a href="#section-{number}">{html.escape(name)}</a>' for number, name in enumerate(sections)]
    title = html.escape(sections[0] if sections else "report")
    template = string.Template(read_text(_TEMPLATE))
    return template.substitute(title=title, links="\n".join(links[1:]), body="\n<hr>\n".join(bodies))


def body(text: str, folder: Path) -> str:
    """A Markdown text as the inside of a page, without links to its sections; its figures are in `folder`."""
    return _renderer().render(text, {"folder": folder.resolve()})


def _renderer() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("image", _image)
    markdown.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>\n')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return markdown


def _image(_, tokens, index: int, options, env: dict) -> str:
    token = tokens[index]
    folder, file = env["folder"], (env["folder"] / unquote(str(token.attrs["src"]))).resolve()
    if file.suffix != ".png" or not file.is_relative_to(folder) or not file.is_file():
        return ""
    alternative = html.escape(token.content)
    return f'<img alt="{alternative}" src="data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}">'

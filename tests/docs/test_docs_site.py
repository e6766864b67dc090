"""The built site: it builds without a warning, its links and anchors lead somewhere, and it is seen in a browser."""

import functools
import html.parser
import http.server
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from support.running import ROOT, in_folder, made_once

CHROMIUM = Path("/usr/bin/chromium")
NARROW = 380  # pixels


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site, built as .ci/run does."""
    pytest.importorskip("mkdocs")

    def build(folder):
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
        here = in_folder(ROOT)
        here["env"] |= {"NO_MKDOCS_2_WARNING": "1"}
        done = subprocess.run(command, **here)
        assert done.returncode == 0, done.stderr[-3000:]

    return made_once(tmp_path_factory, "site", build)


class _Page(html.parser.HTMLParser):
    """What a page links to, what can be linked to, and its pictures."""

    def __init__(self, file: Path):
        super().__init__()
        self.links, self.anchors, self.without_alt = [], set(), []
        self.feed(file.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs[key] for key in ("id", "name") if attrs.get(key)}
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag in ("img", "script") and attrs.get("src"):
            self.links.append(attrs["src"])
        if tag == "img" and not attrs.get("alt"):
            self.without_alt.append(attrs.get("src"))


@pytest.fixture(scope="session")
def pages(site):
    return {file: _Page(file) for file in sorted(site.rglob("*.html")) if file.name != "404.html"}


def test_every_link_and_anchor_leads_somewhere(pages):
    broken = []
    for file, page in pages.items():
        for link in page.links:
            split = urlsplit(link)
            if split.scheme or split.netloc:
                continue
            target = (file.parent / unquote(split.path)).resolve() if split.path else file
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(split.fragment)
            if not target.is_file() or (anchor and target in pages and anchor not in pages[target].anchors):
                broken.append((file.parent.name, link))
    assert len(pages) > 40
    assert broken == []


def test_every_picture_has_a_text(pages):
    assert {file: page.without_alt for file, page in pages.items() if page.without_alt} == {}


@pytest.fixture(scope="session")
def address(site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture
def browser():
    if not CHROMIUM.is_file():
        pytest.skip(f"no {CHROMIUM}")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


def test_no_page_scrolls_sideways_or_asks_another_host(browser, address, pages, site):
    tab = browser.new_page(viewport={"width": NARROW, "height": 800})
    asked, wide, errors = set(), {}, []
    tab.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    for file in pages:
        tab.goto(f"{address}/{file.parent.relative_to(site)}/", wait_until="load", timeout=120_000)
        width = tab.evaluate("document.documentElement.scrollWidth")
        if width > NARROW:
            wide[str(file.parent.relative_to(site))] = width
    assert (wide, errors) == ({}, [])
    assert asked == {urlsplit(address).netloc}

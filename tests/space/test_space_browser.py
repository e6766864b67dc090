"""The page in a real browser: every tab, mistakes, a million symbols, keys alone, a narrow screen, strangers."""

import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support.hub_server import File, Hub, Repo, environment, strays
from support.running import ROOT
from support.vocabularies import large_tokenizer

from hf_procedural.space import publish

CHROMIUM = Path("/usr/bin/chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright opens the page")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}, which opens the page"),
    pytest.mark.xdist_group("space_browser"),
]
STUDY = ROOT / "studies" / "results"
NAME = "jiang2026_haystack"
RUN = f"{NAME}/brackets/dyck-8/seed_0"
PATIENCE = 120_000  # milliseconds: the first look at a task compiles its loops, beside other tests
CARD = """---
license: mit
---
# A card <img src=x onerror="document.title='obeyed'"> ${document.title='obeyed'} {{7*7}}

[out](javascript:alert(1)) ![far](https://example.com/far.png)
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A Hub with a run whose card would do harm, and a tokenizer."""
    run = {file.name: File(file.read_bytes()) for file in (STUDY / RUN).iterdir() if file.suffix in (".json", ".yaml")}
    run["README.md"] = File(CARD.encode())
    folder = tmp_path_factory.mktemp("tokenizer")
    large_tokenizer().save_pretrained(folder)
    tokenizer = {file.name: File(file.read_bytes()) for file in folder.iterdir()}
    with Hub() as hub:
        hub.repos["models", "bob/run"] = Repo("models", "bob/run", False, "bob", run)
        hub.repos["models", "bob/words"] = Repo("models", "bob/words", False, "bob", tokenizer)
        hub.repos["models", "bob/hidden"] = Repo("models", "bob/hidden", True, "bob", run)
        yield hub


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def opened(command: list[str], home: Path, hub: Hub, **more):
    """A server that a command starts, and the address that it tells."""
    settings = environment(hub, home, "hf_bob") | more | {"PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    server = subprocess.Popen([sys.executable, *command], cwd=home, env=settings, **pipes)
    assert server.stdout is not None
    said = ""
    for line in server.stdout:
        said += line
        if address := re.match(r"(http://127\.0\.0\.1:\d+/) shows it", line):
            return server, address[1]
    raise AssertionError(said)


@pytest.fixture(scope="module")
def own(tmp_path_factory, hub):
    """The page that `hf-procedural space` opens; gives its address and home."""
    home = tmp_path_factory.mktemp("own")
    words = ["space", "--runs", str(STUDY), "--port", str(free_port())]
    server, address = opened(["-m", "hf_procedural.cli", *words], home, hub)
    yield address, home
    server.terminate()
    server.communicate()


@pytest.fixture(scope="module")
def public(tmp_path_factory, hub):
    """The page that a Space runs: its app.py."""
    home = tmp_path_factory.mktemp("public")
    publish.write(home / "space")
    (home / "secret.txt").write_text("secret")
    server, address = opened(["space/app.py"], home, hub, GRADIO_SERVER_PORT=str(free_port()))
    yield address, home
    server.terminate()
    server.communicate()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens a page, as wide as is asked; at the end nothing was asked of others, and no script had failed."""
    pages = []

    def visit(address: str, width: int = 1280):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.mistakes, page.others = [], []
        page.on("pageerror", lambda error: page.mistakes.append(str(error)))
        page.on("request", lambda request: page.others.append(request.url) if _is_out(request.url, address) else None)
        page.goto(address)
        page.wait_for_selector("#rows .procedural-row")
        page.wait_for_selector("#parameters input")
        pages.append(page)
        return page

    yield visit
    for page in pages:
        assert page.mistakes == [] and page.others == []
        page.close()


def _is_out(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))


def choose(page, name: str, sign: str) -> None:
    """Chooses a task, and waits until its explanation has a sign."""
    page.locator("#task input").fill(name)
    page.keyboard.press("Enter")
    page.get_by_text(sign).first.wait_for()


def tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def see(page, place: str, text: str) -> str:
    """Waits until a place has a text; gives all of it."""
    page.locator(place).filter(has_text=text).first.wait_for()
    return page.inner_text(place)


def test_a_task_is_looked_at_and_taken_along(own, visit):
    page = visit(own[0])
    assert "row 1 (33 tokens; loss on the whole answer)" in page.inner_text("#rows")
    page.click("#next")
    assert "row 4" in see(page, "#rows", "row 4")
    page.get_by_label("vocab_size").fill("7")
    page.get_by_label("Seed").fill("5")
    tab(page, "Take it along")
    see(page, "#python", "vocab_size=7, seed=5")
    assert "print(rows[1])" in page.inner_text("#python")
    assert "task_parameters: {vocab_size: 7}" in page.inner_text("#yaml")
    assert "hf-procedural show sort-16 --vocab_size 7 --seed 5" in page.inner_text("#command")
    choose(page, "eca", "eca-110")
    tab(page, "Watch it move")
    moving = page.wait_for_selector("#moving img")
    assert moving.get_attribute("src").startswith("data:image/gif;base64,") and "eca-110" in moving.get_attribute("alt")
    assert moving.evaluate("image => image.naturalWidth") > 1


def test_a_mistake_is_one_line_and_the_next_look_is_as_good_as_ever(own, visit):
    page = visit(own[0])
    before = page.inner_text("#rows")
    page.get_by_label("vocab_size").fill("1")
    wanted = "sort: vocab_size must be an integer in 2..1048576, got 1"
    assert see(page, "#rows [role=alert]", wanted) == wanted
    page.get_by_label("vocab_size").fill("")
    see(page, "#rows [role=alert]", "got None")
    page.get_by_label("vocab_size").fill("100")
    page.wait_for_selector("#rows .procedural-row")
    assert page.inner_text("#rows") == before


def test_a_million_symbols(own, visit):
    page = visit(own[0])
    page.get_by_label("vocab_size").fill("1000000")
    page.wait_for_function(r"/\d{6}/.test(document.querySelector('#rows').innerText)")
    assert len(page.inner_text("#rows")) < 5_000
    page.locator("#answer textarea").fill("1")
    see(page, "#verdict", "Token 1 is the first mistake")
    choose(page, "capo", "capo-")
    assert "tokens" in see(page, "#rows", "row 1")


def test_an_answer_is_checked_as_it_is_typed(own, visit):
    page = visit(own[0])
    prompt = page.locator("#prompt textarea").input_value()
    first, *rest = sorted(map(int, prompt.split()[:-1]))
    page.locator("#answer textarea").press_sequentially(str(first))
    see(page, "#verdict", "Right so far: 1 of 16 tokens")
    page.locator("#answer textarea").press_sequentially(" 100 5")
    see(page, "#verdict", "Token 2 is the first mistake" if 100 in rest else "Token 2 is")
    page.click("#reveal")
    see(page, "#verdict", "Right.")
    assert page.locator("#answer textarea").input_value() == " ".join(map(str, [first, *rest]))
    choose(page, "dyck", "dyck-8")
    page.get_by_label("A row").focus()
    see(page, "#verdict", "A row of this language (2,048 tokens)")
    page.keyboard.press("Control+End")
    page.keyboard.type(" (0")
    see(page, "#verdict [role=alert]", "the text has 2049 words, a row 2048 tokens")


def test_a_row_in_a_tokenizer_of_the_hub(public, visit):
    page = visit(public[0])
    tab(page, "In your tokenizer")
    page.locator("#tokenizer input, #tokenizer textarea").fill("bob/words")
    page.click("#encode")
    see(page, "#pieces", "33 tokens of sort-16 are 33 of bob/words")
    assert "tokenizer='bob/words', coding='symbols'" in see(page, "#coded-python", "bob/words")
    for name, message in (
        ("bob/none", "there is no bob/none on the Hub"),
        ("/etc", "is not the id of a repo"),
        ("", "is empty"),
    ):
        page.locator("#tokenizer input, #tokenizer textarea").fill(name)
        page.click("#encode")
        see(page, "#pieces [role=alert]", message)


def test_a_run_and_a_study_of_a_folder(own, visit):
    page = visit(own[0])
    tab(page, "A run")
    page.locator("#run input").fill(RUN)
    page.keyboard.press("Enter")
    page.click("#look-at-run")
    assert "10,000 steps" in see(page, "#run-title", RUN)
    assert page.wait_for_selector("#curves img").evaluate("image => image.naturalWidth") > 500
    see(page, "#card", "How it was trained")
    tab(page, "Arms of a study")
    page.locator("#study textarea").fill(NAME)
    page.click("#compare")
    see(page, "#report", "report of a study")
    assert page.locator("#report img").count() >= 2 and page.locator("#report table").count() >= 3
    page.locator("#study textarea").fill("../..")
    page.click("#compare")
    see(page, "#report [role=alert]", "is not below")


def test_a_model_of_the_hub_says_and_nothing_of_it_is_done(public, visit):
    page = visit(public[0])
    tab(page, "A run")
    page.locator("#run input, #run textarea").fill("bob/run")
    page.click("#look-at-run")
    card = see(page, "#card", "A card")
    assert "<img src=x" in card and "${document.title" in card and "{{7*7}}" in card
    assert page.title() == "Procedural explorer" and page.locator("#card img, #card a").count() == 0
    for name, message in (("bob/hidden", "there is no bob/hidden on the Hub"), ("../..", "is not the id")):
        page.locator("#run input, #run textarea").fill(name)
        page.click("#look-at-run")
        see(page, "#run-title [role=alert]", message)
    tab(page, "Arms of a study")
    page.locator("#study textarea").fill("bob/run")
    page.click("#compare")
    see(page, "#report", "dyck-8")


def test_the_keyboard_alone(own, visit):
    page = visit(own[0])
    focused = "document.activeElement.closest('[id]')?.id || document.activeElement.ariaLabel || ''"
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(focused))
        if page.evaluate("!!document.activeElement.closest('#task')"):
            break
    assert page.evaluate("!!document.activeElement.closest('#task')"), seen
    page.keyboard.press("Control+a")
    page.keyboard.type("reverse")
    page.keyboard.press("Enter")
    page.get_by_text("write the symbols backwards").first.wait_for()
    page.wait_for_selector("#parameters input")
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.closest('#parameters')"):
            break
    page.keyboard.press("Control+a")
    page.keyboard.type("3")
    assert "7 tokens" in see(page, "#rows", "7 tokens")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "next" or page.evaluate(
            "!!document.activeElement.closest('#next')"
        ):
            break
    page.keyboard.press("Enter")
    see(page, "#rows", "row 4")


def test_a_narrow_screen_is_not_scrolled_sideways(own, visit):
    page = visit(own[0], 380)

    def fits(what: str) -> None:
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 380, f"{what} is {width} wide"

    page.wait_for_function("document.querySelector('#rows .procedural-row').scrollWidth <= 380")
    for name in ("Watch it move", "In your tokenizer", "Take it along", "Check an answer"):
        tab(page, name)
        fits(name)
    choose(page, "nca", "nca-10")
    fits("nca")
    tab(page, "A run")
    page.locator("#run input").fill(RUN)
    page.keyboard.press("Enter")
    page.click("#look-at-run")
    see(page, "#card", "How it was trained")
    fits("A run")
    tab(page, "Arms of a study")
    page.locator("#study textarea").fill(NAME)
    page.click("#compare")
    see(page, "#report", "report of a study")
    fits("Arms of a study")


@pytest.mark.parametrize("path", ["/etc/passwd", "secret.txt", "space/app.py", "../../etc/passwd"])
def test_no_file_of_the_server_is_read(public, path):
    address, home = public
    for name in (path, str(home / path)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}gradio_api/file={name}", timeout=60)
        assert refused.value.code in (403, 404)


def test_nothing_leaves_the_machine(own, public):
    for address, home in (own, public):
        policy = urllib.request.urlopen(address, timeout=60).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert strays(home) == [] and os.listdir(home)

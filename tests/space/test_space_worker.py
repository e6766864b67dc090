"""Processes that answer: one that is too slow or too large ends alone, and strangers get no token."""

import io
import json
import os
import threading
import time
import types
from pathlib import Path

import pytest

from hf_procedural import cli, machine
from hf_procedural.space import app, hub, limits, worker
from hf_procedural.space.limits import Place
from hf_procedural.space.worker import Overtaken, Refused, Workers

ENDLESS = {"grid": 64, "length": 2048, "burn_in": 10**9}  # of nca


@pytest.fixture
def workers():
    made = Workers(number=1)
    yield made
    made.close()


def test_answers_come_from_another_process_which_stays(workers):
    first = workers.ask("look", "sort", {}, "train", 0, 1, 80)
    (process,) = workers._started
    assert "sort-16" in first["explained"] and process.pid != os.getpid()
    with pytest.raises(Refused, match="vocab_size must be an integer in 2..1048576, got 1"):
        workers.ask("look", "sort", {"vocab_size": 1}, "train", 0, 1, 80)
    assert workers.ask("look", "sort", {}, "train", 0, 1, 80) == first
    assert workers._started == {process} and process.poll() is None


def test_what_takes_too_long_is_stopped_and_the_next_question_is_answered(workers):
    workers.ask("look", "sort", {}, "train", 0, 1, 80)
    workers.seconds = workers.first = 0.5
    with pytest.raises(Refused, match="takes more than 0.5 s, and was stopped"):
        workers.ask("look", "nca", ENDLESS, "train", 0, 1, 80)
    assert not workers._started
    workers.seconds = workers.first = 100
    assert "sort-16" in workers.ask("look", "sort", {}, "train", 0, 1, 80)["explained"]


def test_a_process_that_has_died_is_replaced(workers):
    workers.ask("look", "sort", {}, "train", 0, 1, 80)
    (process,) = workers._started
    process.kill()
    process.wait()
    assert "sort-16" in workers.ask("look", "sort", {}, "train", 0, 1, 80)["explained"]


def test_what_fails_is_one_line(monkeypatch):
    def told(error):
        def fails(*_):
            raise error

        monkeypatch.setattr("hf_procedural.space.rows.look", fails)
        answered = io.StringIO()
        worker.serve(io.StringIO(json.dumps(["look"]) + "\n"), answered)
        return json.loads(answered.getvalue())["refused"]

    assert told(ValueError("two\nlines")) == "two lines"
    assert told(MemoryError()).startswith("that takes more memory than there is here")
    assert told(KeyError("x")).startswith("that went wrong: KeyError")


def test_strangers_use_no_token_and_leave_nothing(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    public, own = Workers(), Workers(is_public=False)
    assert "secret" not in public.environment.values() and public.environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"
    assert own.environment["HF_TOKEN"] == "secret"
    cache = Path(public.environment["HF_HUB_CACHE"])
    assert (cache / limits.PASSING).is_file()
    (cache / "models--a--b" / "blobs").mkdir(parents=True)
    (cache / "models--a--b" / "blobs" / "x").write_bytes(b"12345")
    hub._make_room(cache)
    assert (cache / "models--a--b").is_dir()
    monkeypatch.setattr(hub, "CACHE", 4)
    hub._make_room(cache)
    assert not (cache / "models--a--b").exists()
    public.close()
    assert not cache.exists()


def test_one_look_of_a_visitor_holds_up_neither_answers_nor_the_next_look(workers):
    chosen = workers.ask("look", "sort", {}, "train", 0, 1, 80)["chosen"]
    ended = []

    def look():
        try:
            workers.ask("look", "nca", ENDLESS, "train", 0, 1, 80, visitor="a")
        except Overtaken as error:
            ended.append(error)

    looking = threading.Thread(target=look)
    looking.start()
    while not (workers._newest.get("a") and workers._newest["a"].process):
        time.sleep(0.01)
    assert workers.ask("check", chosen, "7 3 3 29 <sep>", "") and looking.is_alive()
    assert "sort-16" in workers.ask("look", "sort", {}, "train", 0, 1, 80, visitor="a")["explained"]
    looking.join()
    assert len(ended) == 1 and not workers._newest


def test_a_newer_look_takes_the_place_of_one_that_waits():
    workers = Workers(number=1, is_public=False)
    ended = []

    def look(visitor, *task):
        try:
            ended.append(
                (visitor, "sort-16" in workers.ask("look", *task, "train", 0, 1, 80, visitor=visitor)["explained"])
            )
        except Overtaken:
            ended.append((visitor, "overtaken"))

    def begin(visitor, *task):
        looking = threading.Thread(target=look, args=[visitor, *task])
        looking.start()
        return looking

    try:
        looking = [begin("b", "nca", ENDLESS)]
        while not (workers._newest.get("b") and workers._newest["b"].process):
            time.sleep(0.01)
        looking.append(begin("a", "nca", ENDLESS))
        while "a" not in workers._newest:
            time.sleep(0.01)
        older = workers._newest["a"]
        looking.append(begin("a", "sort", {}))
        while workers._newest["a"] is older:
            time.sleep(0.01)
        looking.append(begin("b", "set", {}))  # which frees the process
        for each in looking:
            each.join()
        assert sorted(ended, key=str) == [("a", "overtaken"), ("a", True), ("b", "overtaken"), ("b", False)]
        assert not workers._newest and len(workers._started) == 1
    finally:
        workers.close()


def test_a_look_that_waits_until_a_newer_one_is_over_is_overtaken():
    workers = Workers(number=1, is_public=False)
    place, ended = workers._idle.get(), []

    def look():
        try:
            workers.ask("look", "sort", {}, "train", 0, 1, 80, visitor="a")
        except Overtaken as error:
            ended.append(error)

    try:
        looking = threading.Thread(target=look)
        looking.start()
        while "a" not in workers._newest:
            time.sleep(0.01)
        workers._newest.pop("a")  # the newer one had another process
        workers._idle.put(place)
        looking.join()
        assert len(ended) == 1 and not workers._newest
    finally:
        workers.close()


def test_a_process_that_is_ended_behind_its_answer_is_not_asked_again(monkeypatch):
    workers = Workers(number=1, is_public=False)
    ends = workers._ends

    def overtaken(asker, turn):
        workers._newest.pop(asker)  # as a newer question that is over by now
        turn.process.kill()
        return ends(asker, turn)

    try:
        monkeypatch.setattr(workers, "_ends", overtaken)
        with pytest.raises(Overtaken):
            workers.ask("look", "sort", {}, "train", 0, 1, 80, visitor="a")
        monkeypatch.setattr(workers, "_ends", ends)
        assert not workers._started
        assert "sort-16" in workers.ask("look", "sort", {}, "train", 0, 1, 80, visitor="a")["explained"]
    finally:
        workers.close()


def test_strangers_wait_less_but_for_the_first_look_at_a_task():
    strangers = Workers(number=1)
    try:
        assert (strangers.seconds, strangers.first) == (limits.SECONDS_PUBLIC, limits.SECONDS) == (20, 120)
        strangers.seconds, strangers.first = 0.5, 2
        for seconds in ("2", "0.5"):
            with pytest.raises(Refused, match=f"takes more than {seconds} s"):
                strangers.ask("look", "nca", ENDLESS, "train", 0, 1, 80)
    finally:
        strangers.close()


def test_processes_of_strangers_fit_into_the_machine(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    (tmp_path / "max").write_text(str(8 * 2**30))
    monkeypatch.setattr(machine, "_LIMITS", (str(tmp_path / "max"),))
    strangers = Workers(number=2)
    try:
        strangers.ask("look", "sort", {}, "train", 0, 1, 80)
        (process,) = strangers._started
        assert resource.prlimit(process.pid, resource.RLIMIT_AS)[0] == 2 * 2**30  # of three, and the page itself
    finally:
        strangers.close()
    assert Workers(is_public=False).memory == limits.MEMORY


@pytest.mark.parametrize(
    ("words", "folder", "host", "is_public"),
    [
        ([], ".", "127.0.0.1", False),
        (["--runs", "."], ".", "127.0.0.1", False),
        (["--host", "localhost"], ".", "localhost", False),
        (["--host", "[::1]"], ".", "::1", False),
        (["--host", "0.0.0.0"], None, "0.0.0.0", True),
        (["--host", "0.0.0.0", "--runs", "."], ".", "0.0.0.0", True),
    ],
)
def test_who_reaches_the_page_is_told_by_the_address_alone(words, folder, host, is_public, monkeypatch):
    served, made = [], []
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setattr(app, "serve", lambda *given: served.append(given))
    args = cli.parse(["space", *words])
    args.run(args)
    assert served == [(folder, host, None)]

    def fails(**given):
        made.append(given)
        raise RuntimeError("seen")

    monkeypatch.setattr(worker, "Workers", fails)
    with pytest.raises(RuntimeError, match="seen"):
        app.open_page(*served[0])
    assert made == [{"is_public": is_public}]


def test_a_look_is_asked_for_its_visitor():
    from hf_procedural.space.page import page

    visitors = []

    class Busy:
        def ask(self, *_, visitor):
            visitors.append(visitor)
            raise Overtaken("something newer was asked")

    looks = [function.fn for function in page(Busy(), Place()).fns.values() if function.name == "look"]
    looks[0](types.SimpleNamespace(session_hash="a"), "sort", "train", 0, 1, 80)
    assert visitors == ["a"]


def test_folders_are_read_below_one_alone(tmp_path):
    inside, outside = tmp_path / "runs", tmp_path / "secret"
    (inside / "sort").mkdir(parents=True)
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    place = Place(str(inside))
    assert place.local("sort") == inside / "sort" and place.local("gpt2") is None and place.local("me/x") is None
    for name in ("../secret", str(outside), "link"):
        with pytest.raises(ValueError, match="is not below"):
            place.local(name)
    for name in ("~nobody/x", "a/b/c", "../gone", "", "a b", "-x", "x" * 401):
        with pytest.raises(ValueError):
            place.local(name)
    public = Place()
    for name in (str(outside), "../secret", ".", "a/b/c"):
        with pytest.raises(ValueError, match="is not the id of a repo of the Hub"):
            public.local(name)
    assert public.local("me/gpt2-sort") is None

"""Processes that answer: one that is too slow or too large ends alone, and strangers get no token."""

import io
import json
import os
from pathlib import Path

import pytest

from hf_procedural.space import hub, limits, worker
from hf_procedural.space.limits import Place
from hf_procedural.space.worker import Refused, Workers


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
    workers.seconds = 0.5
    with pytest.raises(Refused, match="takes more than 0.5 s, and was stopped"):
        workers.ask("look", "nca", {"grid": 64, "length": 2048, "burn_in": 10**9}, "train", 0, 1, 80)
    assert not workers._started
    workers.seconds = 100
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

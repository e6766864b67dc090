"""What all tests share: an offline, throw-away cache, specimens of every task."""

import json
import multiprocessing
import os
import random
import sys
import tempfile

_HOME = tempfile.TemporaryDirectory(prefix="hf_procedural-tests-")  # removed when the session ends
os.environ.update(  # before datasets is imported, which reads them once
    HF_HOME=_HOME.name,
    HF_DATASETS_CACHE=os.path.join(_HOME.name, "datasets"),
    HF_MODULES_CACHE=os.path.join(_HOME.name, "modules"),
    HF_METRICS_CACHE=os.path.join(_HOME.name, "metrics"),
    HF_HUB_OFFLINE="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
    TOKENIZERS_PARALLELISM="false",
    OMP_NUM_THREADS="1",  # the last bits of a sum depend on the number of threads
)

import hypothesis  # noqa: E402
import pytest  # noqa: E402
from support import warm_server  # noqa: E402
from support.running import SHARED  # noqa: E402
from support.specimens import SPECIMENS, specimen_id  # noqa: E402

import hf_procedural as hp  # noqa: E402
from hf_procedural.tasks.registry import CHECKED, REGISTRY  # noqa: E402

# Where the package spawns a process, one is forked from a server that has imported what ours leans on
_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(warm_server.MODULES)
multiprocessing.context._concrete_contexts["spawn"] = _forkserver

hypothesis.settings.register_profile("replayable", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("replayable")


@pytest.fixture(params=SPECIMENS, ids=specimen_id)
def specimen(request):
    """A name and parameters, as `hp.task` and `load_dataset` take them."""
    return request.param


@pytest.fixture
def task(specimen):
    name, parameters = specimen
    return hp.task(name, **parameters)


@pytest.fixture(params=["made", "shared"])
def web_file(request, tmp_path_factory):
    """A JSONL of 1000 web documents with scores of 1 to 5: made here, and true ones where a checkout has them."""
    if request.param == "shared":
        file = SHARED / "data" / "web" / "refinedweb_low_score_1000.jsonl"
        if not file.is_file():
            pytest.skip(f"no {file}")
        return file
    file = tmp_path_factory.mktemp("web") / "web.jsonl"
    rng = random.Random(0)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(1, 9))) for _ in range(2000)]
    rows = []
    for _ in range(1000):
        score = rng.randint(1, 5)  # the higher, the more of the second half of the words
        weights = [6 - score] * 1000 + [score] * 1000
        text = " ".join(rng.choices(words, weights, k=rng.randint(60, 400)))
        rows.append({"text": f"Größe {text}.\n\n{text[:100]}", "dataman_score": score})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def own_registry(monkeypatch):
    """Tasks that a test registers end with it, and so do the files, `my_...`, that it loads, and its path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    known, checked, modules = dict(REGISTRY), set(CHECKED), set(sys.modules)
    yield REGISTRY
    for name in sys.modules.keys() - modules:
        if name.startswith("my_"):
            del sys.modules[name]
    REGISTRY.clear()
    REGISTRY.update(known)
    CHECKED.clear()
    CHECKED.update(checked)


@pytest.fixture(params=[True, False], ids=["padded", "variable"])
def padded(request):
    """Rows of an export with and without padding."""
    return request.param


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of few documents, so that small streams have several."""
    from hf_procedural.text import batches

    monkeypatch.setattr(batches, "BATCH", 200)
    monkeypatch.setattr(batches, "BATCH_DOCUMENTS", 3)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Tests that share a folder which takes long to make stay in one process; all others go to whichever is free."""
    for item in items:
        if "home" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))

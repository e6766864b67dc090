"""A recipe's start: what is done while it imports, and that nothing of it is left behind."""

import gc
from pathlib import Path

import pytest
import transformers
from transformers.utils import import_utils

from hf_procedural import compiled
from hf_procedural.models import kernels
from hf_procedural.training import ahead
from hf_procedural.training.arguments import InitArguments, ModelArguments, RowArguments


@pytest.mark.parametrize(
    ("model", "source", "variants"),
    [
        ({"size": "2_4_64", "dropout": 0}, None, [[16, False]]),
        ({"size": "2_4_64"}, None, [[16, False], [16, True]]),  # GPT-2 has dropout, evaluations have not
        ({"size": "2_4_64", "model_type": "llama"}, None, [[16, False]]),
        ({"dropout": 0.1}, None, [[4, False], [4, True]]),
        ({}, "runs/sort", None),  # whose size is not read yet
        ({"size": "12_12_768"}, None, None),
        ({"size": "2_4_64", "attn_implementation": "sdpa"}, None, None),
        ({"config_name": "openai-community/gpt2"}, None, None),
    ],
)
def test_what_is_compiled_ahead(model, source, variants, monkeypatch):
    asked = []
    monkeypatch.setattr(compiled, "compile_ahead", lambda *call: asked.append(call))
    ahead.compile_loops([RowArguments(task="sort-4"), InitArguments(init_from=source), ModelArguments(**model)])
    if variants is None:
        assert not asked
        return
    ((module, calls, rows_of),) = asked
    assert rows_of == ["sort-4", {}]
    assert module == kernels.__name__ and all(hasattr(kernels, name) for name in calls)
    of_mlp = {"mlp_forward": [[16]], "mlp_backward": [[16]]}
    if model.get("size") == "2_4_64":
        of_mlp = {"gelu_forward": [[]], "gelu_backward": [[]]}
    if "model_type" in model:
        of_mlp = {}
    assert calls == {"attention_forward": variants, "attention_backward": variants} | of_mlp


def test_what_is_imported_is_not_searched_for_garbage(monkeypatch):
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(gc.isenabled()))
    with ahead.without_garbage():
        assert not gc.isenabled()
    assert gc.isenabled() and frozen == [False]
    with pytest.raises(ImportError), ahead.without_garbage():
        raise ImportError
    assert gc.isenabled() and frozen == [False]


def test_transformers_reads_its_models_once_and_is_left_as_it_was():
    models = Path(transformers.__file__).parent / "models"
    structure = import_utils.define_import_structure.__wrapped__  # without the cache of its results
    scan = import_utils.create_import_structure_from_path
    before = structure(str(models / "__init__.py"))
    with ahead.one_scan():
        read = scan.cache_info().misses
        assert structure(str(models / "__init__.py")) == before
        assert scan.cache_info().misses == read
        assert structure(str(models / "gpt2" / "__init__.py"))  # others are read
    assert import_utils.create_import_structure_from_path is scan

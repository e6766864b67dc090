"""New models: of published configurations, of another's size, and what is refused before anything is written."""

import ast
import json
import logging
from types import SimpleNamespace

import pytest
import torch
from support.published import CONFIGS, FULL, LLAMA3, SLIDING, layers
from support.running import ROOT
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

import hf_procedural
from hf_procedural import machine
from hf_procedural.data.tokenization import load_tokenizer
from hf_procedural.models import build, fields, saving
from hf_procedural.text.tokenizers import train_tokenizer
from hf_procedural.training import finish
from hf_procedural.training.arguments import InitArguments, ModelArguments

TOKENIZER = hf_procedural.tokenizer("set-8", vocab_size=20)
ROW = 18
CODE = {"AutoConfig": "configuration_x.XConfig", "AutoModelForCausalLM": "modeling_x.XForCausalLM"}


def write(folder, config: dict, name: str = "config.json") -> str:
    (folder / name).write_text(json.dumps(config))
    return str(folder)


def made(folder, like=None, **arguments):
    return ModelArguments(**arguments).build(TOKENIZER, ROW, like)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_published_configuration_makes_a_model_of_two_layers_that_is_saved_and_loaded(name, tmp_path):
    folder = write(tmp_path, CONFIGS[name])
    model = made(tmp_path, config_name=folder, model_overrides={"num_hidden_layers": 2})
    saving.prove_saving(model, TOKENIZER)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    config = model.config
    assert config.num_hidden_layers == 2 and config.vocab_size == len(TOKENIZER)
    saved = json.loads(config.to_json_string())
    assert saved["dtype"] == "float32"
    assert not {"torch_dtype", "auto_map", "quantization_config", "task_specific_params", "use_cache"} & {
        name for name, value in saved.items() if value is not True
    }
    assert {saved.get(f"{role}_token_id") for role in ("bos", "unk")} == {None}
    assert saved["pad_token_id"] == saved["eos_token_id"] == TOKENIZER.pad_token_id  # sort has no <eos>
    for name in ("layer_types", "no_rope_layers", "activation_sparsity_pattern", "attention_layers"):
        assert len(saved.get(name) or [0, 0]) == 2


def test_what_has_an_entry_for_each_layer_follows_their_number(tmp_path):
    def config_of(name, **overrides):
        return made(tmp_path, config_name=write(tmp_path, CONFIGS[name]), model_overrides=overrides).config

    gemma2, gemma3 = "google/gemma-2-2b", "google/gemma-3-270m"
    assert config_of(gemma2, num_hidden_layers=3).layer_types == [SLIDING, FULL, SLIDING]
    assert config_of(gemma3, num_hidden_layers=20).layer_types == layers([SLIDING] * 5 + [FULL], 20)
    assert config_of("Qwen/Qwen3-0.6B", num_hidden_layers=2).max_window_layers == 2
    neo = config_of("EleutherAI/gpt-neo-125m", num_layers=3)
    assert neo.attention_types == [[["global", "local", "global"], 1]] and neo.num_hidden_layers == 3
    shared = {number: config_of("google/gemma-3n-E2B", num_hidden_layers=number) for number in (3, 5, 15)}
    # a third of 15 is 5; of 5 layers the only full one must not be among those that share
    assert {number: config.num_kv_shared_layers for number, config in shared.items()} == {3: 1, 5: 0, 15: 5}
    with pytest.raises(ValueError, match="activation_sparsity_pattern has an entry for each of 30 layers, without"):
        config_of("google/gemma-3n-E2B", num_hidden_layers=31)
    heads = config_of("meta-llama/Llama-3.2-1B", num_attention_heads=8)
    assert (heads.num_key_value_heads, heads.head_dim) == (2, 32)
    assert config_of("Qwen/Qwen3-0.6B", num_attention_heads=4).head_dim == 16  # which was not 128 / 16


@pytest.mark.parametrize("model_type", ["gpt_neo", "gptj", "gemma3", "codegen", "gemma2"])
def test_an_architecture_follows_the_papers_size(model_type, tmp_path):
    model = made(tmp_path, model_type=model_type, size="2_4_16")
    saving.prove_saving(model, TOKENIZER)
    assert model.num_parameters() < 1_000_000


def test_a_stretch_of_rotary_positions_is_for_longer_rows_and_for_weights_that_were_trained_so(tmp_path, caplog):
    folder = write(tmp_path, CONFIGS["meta-llama/Llama-3.2-1B"])
    small = {"model_overrides": {"num_hidden_layers": 1}}
    plain = made(tmp_path, config_name=folder, **small).config
    assert plain.rope_parameters == {"rope_type": "default", "rope_theta": 500_000.0}
    assert "its rope is stretched, which 18 positions do not need: taken unstretched" in caplog.text
    longer = made(tmp_path, config_name=folder, context_length=10_000, **small).config
    weights = made(tmp_path, like=folder, num_hidden_layers=1).config
    for config in (longer, weights):
        assert config.rope_parameters == LLAMA3 | {"rope_theta": 500_000.0}


@pytest.mark.parametrize("dtype", [None, "float32", "bfloat16", "float16"])
def test_weights_are_float32_unless_dtype_says_otherwise(dtype, tmp_path):
    folder = write(tmp_path, LlamaConfig(hidden_size=8, num_attention_heads=2, dtype="bfloat16").to_dict())
    ways = [{"config_name": folder}, {"like": folder}, {"like": folder, "size": "1_2_8"}, {"size": "1_2_8"}]
    for way in ways:
        overrides = {} if "size" in way else {"model_overrides": {"num_hidden_layers": 1}}
        model = made(tmp_path, dtype=dtype, **way, **overrides)
        assert model.dtype == model.config.dtype == getattr(torch, dtype or "float32")
    with pytest.raises(ValueError, match="dtype must be one of float32, bfloat16, float16, got 'fp8'"):
        ModelArguments(dtype="fp8")


def test_nothing_of_a_checkpoint_is_taken_also_of_a_nested_configuration(tmp_path):
    text = CONFIGS["google/gemma-3-4b-pt"]["text_config"] | {
        "quantization_config": {"quant_method": "gptq", "bits": 4},
        "auto_map": CODE,
        "_attn_implementation": "flash_attention_2",
        "output_hidden_states": True,
        "return_dict": False,
        "eos_token_id": [1, 106],
        "num_hidden_layers": 1,
    }
    folder = write(tmp_path, CONFIGS["google/gemma-3-4b-pt"] | {"text_config": text, "auto_map": CODE})
    model = made(tmp_path, config_name=folder)
    saved = model.config.to_dict()
    assert saved["model_type"] == "gemma3_text" and "vision_config" not in saved
    assert not {"quantization_config", "auto_map"} & saved.keys()
    assert saved["output_hidden_states"] is False and saved["eos_token_id"] == TOKENIZER.eos_token_id
    assert model(input_ids=torch.zeros(1, 3, dtype=torch.long), return_dict=None).logits.dtype == torch.float32


def test_a_part_of_the_size_changes_the_source_and_a_whole_size_takes_its_architecture(tmp_path):
    sizes = {"hidden_size": 24, "num_attention_heads": 3, "num_key_value_heads": 1, "intermediate_size": 40}
    folder = write(tmp_path, LlamaConfig(num_hidden_layers=2, **sizes).to_dict())
    deeper = made(tmp_path, like=folder, num_hidden_layers=4).config
    assert deeper.model_type == "llama" and deeper.num_hidden_layers == 4
    assert {name: getattr(deeper, name) for name in sizes} == sizes
    whole = made(tmp_path, like=folder, size="1_2_8").config
    assert (whole.model_type, whole.hidden_size, whole.intermediate_size) == ("llama", 8, 32)
    assert made(tmp_path, like=folder, size="1_2_8", model_type="gpt2").config.model_type == "gpt2"
    assert made(tmp_path, num_hidden_layers=4).config.model_type == "gpt2"


REFUSED = [
    (
        {"model_type": "bert"},
        "must be a causal language model of transformers, got 'bert', an encoder or with one",
    ),
    ({"model_type": "marian"}, "got 'marian', an encoder or with one"),
    ({"model_type": "cpmant", "size": "2_4_16"}, "what it predicts depends on later tokens"),
    ({"model_overrides": {"n_layer": 0}}, "model_overrides n_layer must be at least 1, got 0"),
    ({"model_overrides": {"num_hidden_layers": -1}}, "model_overrides num_hidden_layers must be at least 1, got -1"),
    ({"model_overrides": {"n_head": 0}}, "model_overrides n_head must be at least 1, got 0"),
    ({"model_overrides": {"vocab_size": 21}}, "model_overrides vocab_size must be at least 22, got 21"),
    ({"model_overrides": {"n_positions": 17}}, "model_overrides n_positions must be at least 18, got 17"),
    ({"model_overrides": {"activation_function": "gelv"}}, "a gpt2 of this size cannot be built: .*gelv"),
    ({"model_overrides": {"n_head": "four"}}, "model_type gpt2 cannot be made with .*n_head"),
    ({"model_overrides": {"dtype": "bfloat16"}}, "model_overrides dtype 'bfloat16': give --dtype"),
    ({"model_overrides": {"n_layer": 3, "num_hidden_layers": 2}}, "the same under another name"),
    (
        {"num_hidden_layers": 4, "model_overrides": {"n_layer": 2}},
        "num_hidden_layers is 4 by its flag or --size, and",
    ),
    ({"size": "2_4_16", "model_overrides": {"hidden_size": 32}}, "hidden_size is 16 by its flag or --size, and 32 by"),
    (
        {"size": "1000000000_4_16"},
        r"a model of 1,000,000,000 layers and 3,[\d,]{15} parameters takes 13\.1 TB in float32",
    ),
    (
        {"size": "4_4_400000"},
        r"a model of 4 layers and 7,[\d,]{15} parameters takes 30\.\d TB in float32, and",
    ),
    (
        {"model_overrides": {"vocab_size": 10**12}},
        r"parameters takes 64\.\d TB in float32, and this machine has [\d.]+ GB",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_is_no_model_is_refused_in_one_line(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        made(tmp_path, **arguments)


def test_memory_is_what_a_container_has(tmp_path, monkeypatch):
    whole = machine.memory()
    monkeypatch.setattr(
        machine, "_LIMITS", (write(tmp_path, {}) + "/none", str(tmp_path / "max"), str(tmp_path / "limit"))
    )
    (tmp_path / "max").write_text("max\n")
    assert machine.memory() >= whole
    (tmp_path / "limit").write_text("12345\n")
    assert machine.memory() == 12_345


def test_layers_need_a_source():
    with pytest.raises(ValueError, match="layers 0:9: there is no model to copy them from; give --init_from"):
        InitArguments(layers=["0:9"]).check()
    InitArguments(layers=["0:9"], init_from="runs/a").check()


# The proof that a model can be saved


def test_weights_are_written_or_compared_by_shape_alone(monkeypatch, tmp_path):
    model = made(tmp_path, size="1_2_8")
    before = torch.get_rng_state()
    saving.prove_saving(model, TOKENIZER)
    written = []
    monkeypatch.setattr(saving, "_WRITTEN", 0)
    monkeypatch.setattr(type(model), "save_pretrained", lambda *args, **kwargs: written.append(args))
    saving.prove_saving(model, TOKENIZER)
    assert not written and torch.equal(before, torch.get_rng_state())
    assert logging.getLogger("transformers").level != logging.ERROR


@pytest.mark.parametrize("limit", [0, 2**20])
def test_what_cannot_be_saved_or_loaded_is_told(limit, monkeypatch, tmp_path):
    monkeypatch.setattr(saving, "_WRITTEN", limit)
    model = made(tmp_path, size="1_2_8")
    model.generation_config.num_return_sequences = 3  # of which greedy decoding has but one
    with pytest.raises(ValueError, match="this gpt2 could not be saved after training: "):
        saving.prove_saving(model, TOKENIZER)
    model = made(tmp_path, size="1_2_8")
    model.transformer.h = model.transformer.h[:0]
    with pytest.raises(ValueError, match="would not be loaded as it is saved: transformer.h.0|could not be loaded"):
        saving.prove_saving(model, TOKENIZER)


def test_a_tokenizer_that_transformers_takes_for_another_is_told_and_read_right_here(caplog, tmp_path):
    for tokenizer in (train_tokenizer(["Hello world, it's 1234 o'clock in the naive cafe"] * 9, 300), TOKENIZER):
        model = ModelArguments(model_type="qwen2", size="1_2_8").build(tokenizer, ROW)
        caplog.clear()
        saving.prove_saving(model, tokenizer)
        assert "takes the tokenizer of a qwen2 for a Qwen2Tokenizer, which reads other tokens" in caplog.text
    model.save_pretrained(tmp_path)
    TOKENIZER.save_pretrained(tmp_path)
    assert load_tokenizer(str(tmp_path))("10 2 <sep>")["input_ids"] == [10, 2, 20]


# Code of a repo


@pytest.mark.parametrize("model_type", ["xyz", "llama"])
def test_no_code_of_a_repo_is_run_or_asked_for(model_type, tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    (tmp_path / "configuration_x.py").write_text("raise SystemExit('run')")
    (tmp_path / "modeling_x.py").write_text("raise SystemExit('run')")
    sizes = {
        "hidden_size": 8,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "vocab_size": 22,
        "intermediate_size": 8,
    }
    folder = write(tmp_path, {"model_type": model_type, "auto_map": CODE, **sizes})
    if model_type == "llama":  # transformers' own code is taken, and nothing of the repo's is left to look for
        model = made(tmp_path, config_name=folder)
        model.config.auto_map = CODE
        model.save_pretrained(tmp_path)
        TOKENIZER.save_pretrained(tmp_path)
        loaded, _ = build.load_pretrained(folder)
        assert not fields.CODE & {*model.config.to_dict()} - {"auto_map"} and not hasattr(loaded.config, "auto_map")
        return
    for load in (lambda: made(tmp_path, config_name=folder), lambda: build.load_pretrained(folder)):
        with pytest.raises(ValueError, match="needs code of its own, which is never run") as error:
            load()
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="needs code of its own, which is never run"):
        made(tmp_path, like=folder)


def test_code_of_a_tokenizer_is_neither_run_nor_named_again(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"auto_map": {"AutoTokenizer": ["x.X", None]}}))
    load_tokenizer(str(tmp_path)).save_pretrained(tmp_path / "again")
    assert "auto_map" not in (tmp_path / "again" / "tokenizer_config.json").read_text()


def test_every_call_that_loads_says_that_no_code_is_trusted():
    calls = 0
    for file in [*(ROOT / "hf_procedural").rglob("*.py"), *(ROOT / "recipes").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            of_peft = ast.unparse(node.func.value) == "PeftModel"  # an adapter's weights, of a model that is loaded
            if node.func.attr in ("from_pretrained", "from_config") and not of_peft:
                calls += 1
                trusted = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert trusted.get("trust_remote_code") == "False", f"{file}:{node.lineno}"
    assert calls > 10


def test_sizes_of_a_plain_model_are_those_of_transformers(tmp_path):
    ours = made(tmp_path, size="2_4_16").config
    kinds = {"n_layer": 2, "n_head": 4, "n_embd": 16, "vocab_size": 22, "n_positions": ROW}
    plain = GPT2Config(
        **kinds, bos_token_id=None, eos_token_id=21, pad_token_id=21, activation_function="gelu_pytorch_tanh"
    )
    expected = AutoModelForCausalLM.from_config(plain, dtype=torch.float32, trust_remote_code=False).config.to_dict()
    assert {name: value for name, value in ours.to_dict().items() if expected.get(name) != value} == {}


def test_mixed_precision_wants_float32_weights(tmp_path):
    model = made(tmp_path, size="1_2_8", dtype="float16")
    args = SimpleNamespace(optim="adamw_torch", fp16=True, process_index=0)
    with pytest.raises(ValueError, match="dtype float16 with fp16: mixed precision trains float32 weights"):
        finish.Prepared("pretrain", args, model, TOKENIZER, lambda: None, None, {}, "")

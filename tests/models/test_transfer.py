"""Transfer: exactly the right tensors change, the report says so, and what does not fit is refused unchanged."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

import hf_procedural as hp
from hf_procedural.models.transfer import components_of, train_only, transfer
from hf_procedural.models.words import COMPONENTS, EMBEDDINGS, parse_sources

# Which of a layer's parameters belong to what, written by hand from the architectures' own names.
ARCHITECTURES = {
    "gpt2": {"attn": ("attn.",), "mlp": ("mlp.",), "ln": ("ln_",), "embed": ("wte", "wpe", "lm_head")},
    "llama": {"attn": ("self_attn.",), "mlp": ("mlp.",), "ln": ("norm",), "embed": ("embed_tokens", "lm_head")},
    "qwen3": {"attn": ("self_attn.",), "mlp": ("mlp.",), "ln": ("norm",), "embed": ("embed_tokens", "lm_head")},
    "gpt_neox": {
        "attn": (".attention.",),
        "mlp": ("mlp.",),
        "ln": ("layernorm", "layer_norm"),
        "embed": ("embed_in", "lm_head"),
    },
    "mixtral": {"attn": ("self_attn.",), "mlp": ("mlp.",), "ln": ("norm",), "embed": ("embed_tokens", "lm_head")},
    "opt": {
        "attn": ("self_attn.",),
        "mlp": ("fc1", "fc2"),
        "ln": ("layer_norm",),
        "embed": ("embed_tokens", "embed_positions", "lm_head"),
    },
}
MODEL_TYPES = list(ARCHITECTURES)


def build(model_type="gpt2", seed=0, vocab=11, layers=2, positions=12, tied=True, width=16, heads=4):
    """A tiny model whose weights differ in every entry, norms and biases too."""
    sizes = {
        "hidden_size": width,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": width // heads,
    }
    tokens = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    config = CONFIG_MAPPING[model_type](
        **sizes | tokens,
        vocab_size=vocab,
        num_hidden_layers=layers,
        max_position_embeddings=positions,
        intermediate_size=32,
    )
    config.tie_word_embeddings = tied
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def component(model_type, name):
    """The component by hand: attention first, since it may hold norms."""
    return next(
        kind for kind in ("embed", *COMPONENTS) if any(part in name for part in ARCHITECTURES[model_type][kind])
    )


def snapshot(model):
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def assert_runs(model):
    ids = torch.zeros(1, 5, dtype=torch.long)
    assert torch.isfinite(model(ids, labels=ids).loss)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_components_are_found_by_what_modules_are(model_type):
    found = components_of(build(model_type, tied=False))
    assert found == {name: component(model_type, name) for name in found}
    assert set(found.values()) == set(COMPONENTS)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("wanted", [*COMPONENTS, "attn ln", "attn mlp ln", "all"])
@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_exactly_the_selected_tensors_are_the_sources(model_type, wanted, tied):
    source, target = build(model_type, 1, tied=tied), build(model_type, 2, tied=tied)
    theirs, before = snapshot(source), snapshot(target)
    report = transfer(source, target, wanted.split(), embeddings="retain")
    after = snapshot(target)
    for name in after:
        selected = wanted == "all" or component(model_type, name) in wanted.split()
        assert torch.equal(after[name], theirs[name] if selected else before[name]), name
        assert (name in report.names("copied")) == selected
        assert (name in report.names("skipped")) != selected
    assert [entry.name for entry in report.entries] == list(after)
    assert sum(report.totals().values()) == sum(p.numel() for p in target.parameters())
    assert (target.get_output_embeddings().weight is target.get_input_embeddings().weight) == tied
    assert all(torch.equal(tensor, source.state_dict()[name]) for name, tensor in theirs.items()), "the source changed"
    assert_runs(target)


@pytest.mark.parametrize("ties", [(True, True), (True, False), (False, True), (False, False)], ids=str)
@pytest.mark.parametrize("strategy", EMBEDDINGS)
@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_token_embeddings_by_strategy(model_type, strategy, ties):
    source, target = (build(model_type, seed, tied=tied) for seed, tied in zip((1, 2), ties, strict=True))
    if strategy != "retain":
        target = build(model_type, 2, vocab=400, tied=ties[1])
    before = snapshot(target)
    words = {"source_tokenizer": Words("abcdefghijk"), "tokenizer": Words("zbyax")}
    report = transfer(source, target, ["embed"], embeddings=strategy, **words if strategy == "by_token" else {})
    for get in ("get_input_embeddings", "get_output_embeddings"):
        rows, theirs = getattr(target, get)().weight.detach(), getattr(source, get)().weight.detach()
        if ties[1]:
            theirs = source.get_input_embeddings().weight.detach()
        mean = theirs.mean(0)
        if strategy == "average":
            expected = mean.expand_as(rows)
        elif strategy == "partial":
            expected = torch.cat([theirs, mean.expand(len(rows) - len(theirs), -1)])
        elif strategy == "retain":
            expected = theirs
        elif strategy == "by_token":  # b is 1 there and 1 here, a is 0 there and 3 here
            expected = mean.expand_as(rows).clone()
            expected[1], expected[3] = theirs[1], theirs[0]
        elif strategy == "reinit":
            names = {id(parameter): name for name, parameter in target.named_parameters()}
            expected = before[names[id(getattr(target, get)().weight)]]
        else:
            assert torch.allclose(rows.mean(0), mean, atol=5 * theirs.std().item() / len(rows) ** 0.5)
            assert (rows - mean).std().item() == pytest.approx(theirs.std(correction=0).item(), rel=0.05)
            assert len(rows.unique(dim=0)) == len(rows)
            continue
        assert torch.allclose(rows, expected, atol=1e-6)
    actions = {"average": "averaged", "resample": "resampled", "reinit": "reinitialised"}
    tokens = [name for name in report.names(actions.get(strategy, "copied")) if "wpe" not in name]
    assert len(tokens) == 2 - ties[1]
    untouched = [name for name in before if component(model_type, name) != "embed"]
    assert all(torch.equal(before[name], target.state_dict()[name]) for name in untouched)
    assert (target.get_output_embeddings().weight is target.get_input_embeddings().weight) == ties[1]
    assert_runs(target)


class Words:
    """A tokenizer as far as `by_token` needs one."""

    def __init__(self, words):
        self.words = {word: index for index, word in enumerate(words)}

    def get_vocab(self):
        return self.words


@pytest.mark.parametrize(("of", "to"), [(20, 12), (12, 12), (8, 12)])
def test_positions_are_the_first_rows_where_there_are_enough(of, to):
    source, target = build(positions=of), build(seed=1, positions=to)
    before = target.transformer.wpe.weight.detach().clone()
    report = transfer(source, target, ["embed"])
    expected = source.transformer.wpe.weight[:to] if of >= to else before
    assert torch.equal(target.transformer.wpe.weight, expected)
    entry = next(entry for entry in report.entries if "wpe" in entry.name)
    assert entry.action == ("copied" if of >= to else "reinitialised")
    assert of >= to or entry.reason == "8 source positions are fewer than 12"
    assert of <= to or "the first 12 of 20 positions" in entry.reason


@settings(max_examples=40)
@given(pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, unique_by=lambda pair: pair[1]))
@pytest.mark.parametrize("model_type", ["gpt2", "gpt_neox"])
def test_layers_go_where_they_are_sent(model_type, pairs):
    source, target = build(model_type, layers=3), build(model_type, seed=1, layers=4)
    theirs, before = snapshot(source), snapshot(target)
    words = [f"{of}:{to}" for of, to in pairs]
    report = transfer(source, target, ["attn", "ln"], layers=words)
    sent = {to: of for of, to in pairs}
    for name, tensor in snapshot(target).items():
        kind, layer = component(model_type, name), next((int(p) for p in name.split(".") if p.isdigit()), None)
        if kind not in ("attn", "ln") or (layer is not None and layer not in sent):
            assert torch.equal(tensor, before[name])
            assert name in report.names("skipped")
        else:
            other = name if layer is None else name.replace(f".{layer}.", f".{sent[layer]}.")
            assert torch.equal(tensor, theirs[other])
    assert_runs(target)


def test_layer_words():
    source = build(layers=3)
    for layers in (["0-1:2-3"], ["0:2", "1:3"], [(0, 2), (1, 3)], {0: 2, 1: 3}):
        target = build(seed=1, layers=4)
        transfer(source, target, ["mlp"], layers=layers)
        assert torch.equal(target.transformer.h[3].mlp.c_fc.weight, source.transformer.h[1].mlp.c_fc.weight)
    target = build(seed=1, layers=4)
    transfer(source, target, ["mlp"], layers=["1"])
    assert torch.equal(target.transformer.h[1].mlp.c_fc.weight, source.transformer.h[1].mlp.c_fc.weight)


def test_components_from_several_sources(tmp_path):
    one, other, target = build(seed=1), build(seed=2), build(seed=3)
    one.save_pretrained(tmp_path / "one")
    other.save_pretrained(tmp_path / "other")
    spec = f"attn+ln={tmp_path / 'one'},mlp={tmp_path / 'other'}"
    for source in (spec, {"attn+ln": one, "mlp": other}):
        target = build(seed=3)
        wte = target.transformer.wte.weight.detach().clone()
        transfer(source, target)
        for name, tensor in snapshot(target).items():
            kind = component("gpt2", name)
            expected = {"attn": one, "ln": one, "mlp": other}.get(kind)
            assert expected is None or torch.equal(tensor, expected.state_dict()[name])
        assert torch.equal(target.transformer.wte.weight, wte)


def test_weighted_average(tmp_path):
    one, other, target = build(seed=1), build(seed=2), build(seed=3)
    one.save_pretrained(tmp_path / "one")
    other.save_pretrained(tmp_path / "other")
    transfer(f"3*{tmp_path / 'one'},1*{tmp_path / 'other'}", target, embeddings="retain")
    for name, tensor in snapshot(target).items():
        expected = 0.75 * one.state_dict()[name] + 0.25 * other.state_dict()[name]
        assert torch.allclose(tensor, expected, atol=1e-6)


# ---------------------------------------------------------------- perturbations


@pytest.mark.parametrize("control", ["permuted", "statistics", "noise0.1"])
@pytest.mark.parametrize("model_type", ["gpt2", "qwen3"])
def test_controls_keep_what_they_say(model_type, control):
    source, target, again, other = (build(model_type, seed, width=64) for seed in (1, 2, 2, 2))
    before = snapshot(target)
    for model, seed in ((target, 0), (again, 0), (other, 1)):
        report = transfer(source, model, ["attn", "ln"], control=control, seed=seed)
    changed = [name for name in before if component(model_type, name) in ("attn", "ln")]
    assert report.names("copied") == changed
    assert all(control in entry.reason for entry in report.entries if entry.action == "copied")
    for name, tensor in snapshot(target).items():
        theirs = source.state_dict()[name]
        if name not in changed:
            assert torch.equal(tensor, before[name])
            continue
        assert not torch.equal(tensor, theirs)
        assert torch.equal(tensor, again.state_dict()[name]) and not torch.equal(tensor, other.state_dict()[name])
        if control == "permuted":
            assert torch.equal(tensor.flatten().sort().values, theirs.flatten().sort().values)
        elif control == "statistics":
            bound = 5 * theirs.std() / theirs.numel() ** 0.5
            assert abs(tensor.mean() - theirs.mean()) < bound and abs(tensor.std() - theirs.std()) < bound
        else:
            size = (tensor - theirs).norm() / theirs.norm()
            assert size.item() == pytest.approx(0.1, rel=5 / theirs.numel() ** 0.5)


def test_a_component_alone_is_perturbed(tmp_path):
    source, target = build(seed=1), build(seed=2)
    source.save_pretrained(tmp_path / "m")
    transfer(f"attn=permuted:{tmp_path / 'm'},mlp={tmp_path / 'm'}", target)
    mine, theirs = snapshot(target), snapshot(source)
    assert torch.equal(mine["transformer.h.0.mlp.c_fc.weight"], theirs["transformer.h.0.mlp.c_fc.weight"])
    assert not torch.equal(mine["transformer.h.0.attn.c_attn.weight"], theirs["transformer.h.0.attn.c_attn.weight"])


# ---------------------------------------------------------------- what is trained


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_the_rest_is_frozen_and_out_of_the_optimizer(model_type):
    model = build(model_type, tied=False)
    trained, frozen = train_only(model, ["attn", "ln"])
    flags = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    assert flags == {name: component(model_type, name) in ("attn", "ln") for name in flags}
    assert trained == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained + frozen == sum(p.numel() for p in model.parameters())


# ---------------------------------------------------------------- sources on disk


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "model."])
@pytest.mark.parametrize("base", [True, False], ids=["transformer.", ""])
def test_a_reference_checkpoint(prefix, base, tmp_path):
    source, target = build(seed=1), build(seed=2)
    state = {
        prefix + (name if base else name.removeprefix("transformer.")): t for name, t in source.state_dict().items()
    }
    state[f"{prefix}transformer.h.0.attn.bias"] = torch.ones(1, 1, 4, 4)  # the mask that older versions stored
    facts = {"epoch": 3, "step": 5, "val_loss": np.float64(1.5), "val_acc": 0.5, "optimizer": {"state": {}}}
    torch.save({"model": state} | facts, tmp_path / "best.pth")
    transfer(str(tmp_path / "best.pth"), target, embeddings="retain")
    assert all(torch.equal(tensor, source.state_dict()[name]) for name, tensor in snapshot(target).items())


class Malicious:
    def __reduce__(self):
        return open, ("pwned.txt", "w")


def test_a_malicious_pickle_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Malicious()}, "evil.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"model": Malicious()}))
    before = snapshot(target := build())
    for name in ("evil.pth", "plain.pth"):
        with pytest.raises(ValueError, match=f"{name} is not a checkpoint of plain tensors") as refusal:
            transfer(name, target)
        assert "\n" not in str(refusal.value)
    assert not (tmp_path / "pwned.txt").exists()
    assert all(torch.equal(tensor, before[name]) for name, tensor in snapshot(target).items())


def test_a_run_of_the_recipe_is_a_source(tmp_path):
    task = hp.task("sort-4", vocab_size=7)
    tokenizer = hp.tokenizer(task)
    source = build(seed=1, vocab=len(tokenizer))
    source.save_pretrained(tmp_path / "run")
    tokenizer.save_pretrained(tmp_path / "run")
    other = hp.tokenizer("sort-4", vocab_size=20)
    target = build(seed=2, vocab=len(other))
    report = transfer(str(tmp_path / "run"), target, ["embed"], "by_token", tokenizer=other)
    rows, theirs = target.transformer.wte.weight, source.transformer.wte.weight
    for word, index in tokenizer.get_vocab().items():
        assert torch.equal(rows[other.get_vocab()[word]], theirs[index])
    assert "9 rows by token string, 13 their mean" in str(report)


def test_report_reads_as_a_table(tmp_path):
    report = hp.transfer(build(layers=3), build(seed=1, layers=3, vocab=20, positions=14), ["attn", "embed"])
    text = str(report)
    assert "transformer.h.{0-2}.attn.c_attn.weight" in text
    assert "12 source positions are fewer than 14" in text and "every row the mean of 11" in text
    totals = ", ".join(f"{action} {size:,}" for action, size in report.totals().items())
    assert text.splitlines()[-1] == f"total: {totals}"
    assert all(len(line) < 150 for line in text.splitlines())


# ---------------------------------------------------------------- refusals


BAD = [
    ({"source": build(width=32), "components": ["attn"]}, r"has shape \[32, 96\], the target \[16, 48\]; weights go"),
    ({"source": build("llama")}, "a LlamaForCausalLM is a llama, the target a gpt2"),
    ({"source": build(layers=3)}, "has 3 layers, the target 2: name the layers to copy"),
    ({"source": build(heads=2)}, "has 2 attention heads, the target 4"),
    (
        {"components": ["attention"]},
        "components must be among attn, mlp, ln, embed and all, got 'attention': did you mean attn",
    ),
    ({"components": []}, "components: name at least one"),
    ({"embeddings": "mean"}, "embeddings must be one of average, partial"),
    ({"source": build(vocab=12), "embeddings": "retain"}, "embeddings retain: the source has 12 rows, the target 11"),
    ({"source": build(vocab=12), "embeddings": "partial"}, "embeddings partial: the target's 11 rows are fewer"),
    ({"embeddings": "by_token"}, "embeddings by_token: source_tokenizer is missing"),
    (
        {"embeddings": "by_token", "source_tokenizer": Words("ab"), "tokenizer": Words("cd")},
        "by_token: no token string is in both",
    ),
    ({"source": ""}, "source must read"),
    ({"layers": "0:5"}, "layers: target layer 5 does not exist"),
    ({"layers": ["0:5"]}, "layers: target layer 5 does not exist; the target has 2 layers"),
    ({"layers": ["7:0"]}, "layers: source layer 7 does not exist; the source has 2 layers"),
    ({"layers": ["0:1", "1:1"]}, "layers: target layer 1 is named twice"),
    ({"layers": ["0-1:0-2"]}, "layers: as many source as target layers, got '0-1:0-2'"),
    ({"layers": ["first"]}, "layers must read SOURCE:TARGET, such as 0:0 or 0-5:6-11, got 'first'"),
    (
        {"control": "shuffled"},
        "control must be permuted, statistics, or noise and its size such as noise0.1, got 'shuffled'",
    ),
    ({"control": "noise"}, "got 'noise'"),
    ({"source": "runs/no/such/thing"}, "no checkpoint runs/no/such/thing: neither a folder nor a Hub id"),
    ({"source": "nobody/nothing"}, "nobody/nothing cannot be loaded: there is no such folder, and on the Hub"),
    ({"source": "missing.pth"}, "no checkpoint missing.pth"),
    ({"source": "x*runs/set"}, r"source must read \[COMPONENTS=\]\[WEIGHT\*\]\[CONTROL:\]PATH"),
    ({"source": "0*runs/set"}, "the weight before [*] must be positive, got 0.0"),
    ({"source": "1.2.3*runs/set"}, "the weight before [*] must be a number, got '1.2.3'"),
    ({"source": "attn=a/b,c/d"}, "name the components of each source or of none"),
    ({"source": "atn=a/b"}, "got 'atn': did you mean attn"),
    ({"source": {"attn": build(), "attn+mlp": build()}}, "attn comes from more than one source without weights"),
    ({"source": [build(vocab=12), build()]}, r"sources: transformer.wte.weight has shapes \[12, 16\] and \[11, 16\]"),
]


@pytest.mark.parametrize(("settings", "message"), BAD, ids=lambda value: value[:40] if isinstance(value, str) else "")
def test_what_does_not_fit_is_refused_in_one_line_unchanged(settings, message):
    target = build(seed=5)
    before = snapshot(target)
    with pytest.raises(ValueError, match=message) as refusal:
        transfer(target=target, **{"source": build(), "components": ["all"]} | settings)
    assert "\n" not in str(refusal.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in snapshot(target).items())


def test_a_component_that_selects_nothing_is_refused():
    model = build()
    for layer in model.transformer.h:
        layer.ln_1, layer.ln_2 = torch.nn.Identity(), torch.nn.Identity()
    model.transformer.ln_f = torch.nn.Identity()
    for call in (lambda: transfer(model, model, ["ln"]), lambda: train_only(model, ["ln"])):
        with pytest.raises(
            ValueError, match="component 'ln' selects nothing in a GPT2LMHeadModel, which has attn, embed"
        ):
            call()


def test_folders_that_are_no_models(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty is not a model's folder: it has no config.json"):
        transfer(str(tmp_path / "empty"), build())
    build().save_pretrained(tmp_path / "cut")
    (tmp_path / "cut" / "model.safetensors").write_bytes(b"12345678")
    with pytest.raises(ValueError, match="cut cannot be loaded"):
        transfer(str(tmp_path / "cut"), build())
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match='has no tensors, neither at its top nor under "model"'):
        transfer(str(tmp_path / "list.pth"), build())
    torch.save({"model": {"nonsense": torch.ones(1)}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="nonsense and others are no parameters of a GPT2LMHeadModel"):
        transfer(str(tmp_path / "other.pth"), build())


def test_one_spelling_of_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "a").mkdir(parents=True)
    for word in ("runs/a", "runs/a/", "./runs/a", "permuted:./runs/a/"):
        assert parse_sources(word)[0].path == "runs/a"


def test_mixers_are_neither_attention_nor_mlp():
    config = CONFIG_MAPPING["mamba"](vocab_size=11, hidden_size=8, num_hidden_layers=1, state_size=4)
    found = components_of(AutoModelForCausalLM.from_config(config))
    assert {kind for name, kind in found.items() if ".mixer." in name} == {"other"}
    assert {kind for name, kind in found.items() if "norm" in name} == {"ln"}


def test_words_for_sources(tmp_path):
    folder = tmp_path / "a=b,c*d:e"  # a path that exists is a path
    folder.mkdir()
    assert [source.path for source in parse_sources(str(folder))] == [str(folder)]
    (source,) = parse_sources("attn+mlp=0.5*noise0.1:org/name")
    assert dataclasses.astuple(source) == ("org/name", ("attn", "mlp"), 0.5, "noise0.1")

"""Views in TRL's own trainers, without a line of glue: which tokens have a loss, and what ends an answer."""

import itertools
import subprocess

import numpy as np
import pytest
import torch
from datasets import load_dataset
from support.running import in_folder
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

import hf_procedural as hp
from hf_procedural.models.build import new_config, new_model
from hf_procedural.rl import answer_reward
from hf_procedural.tasks import IGNORE
from hf_procedural.text.tokenizers import train_tokenizer

ROWS = 16
TASKS = {"set-4": {"vocab_size": 10}, "lime-induct": {}, "dyck-2": {"length": 8}}  # padded; ended by <eos>; a language
MARKED = (
    "{% for m in messages %}{% if m.role == 'assistant' %}"
    "{% generation %}{{ ' ' + m.content + eos_token }}{% endgeneration %}"
    "{% else %}{{ m.content }}{% endif %}{% endfor %}"
)
TEMPLATE = "{% for m in messages %}{{ m.content }}{{ eos_token if m.role == 'assistant' else ' ' }}{% endfor %}"


def rows(name: str, view: str = "ids", **settings):
    sizes = {"train_size": ROWS, "validation_size": 4, "test_size": 0}
    return load_dataset("procedural", name, view=view, split="train", **sizes, **TASKS[name], **settings)


def model_for(tokenizer, positions: int, model_type: str = "llama"):
    torch.manual_seed(0)
    size = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16}
    overrides = {"initializer_range": 0.5}
    return new_model(new_config(tokenizer, positions, model_type=model_type, overrides=overrides, **size))


def sft(tmp_path, data, tokenizer, positions: int = 300, model_type: str = "llama", **settings) -> SFTTrainer:
    settings = {"per_device_train_batch_size": 4, "max_steps": ROWS // 4, **settings}
    quiet = {"report_to": "none", "use_cpu": True, "bf16": False, "save_strategy": "no", "disable_tqdm": True}
    model = model_for(tokenizer, positions, model_type)
    args = SFTConfig(str(tmp_path), **quiet, **settings)
    return SFTTrainer(model, args=args, train_dataset=data, eval_dataset=data, processing_class=tokenizer)


def trained_on(trainer: SFTTrainer) -> list[tuple[list[int], list[int]]]:
    """Ids and labels of the sequences that arrive at the model, without what TRL pads, sorted."""
    given = []
    trainer.model.register_forward_pre_hook(lambda model, args, kwargs: given.append(kwargs), with_kwargs=True)
    trainer.train()
    sequences = []
    for batch in given:
        ids, labels = batch["input_ids"], batch["labels"]
        if "position_ids" in batch:  # sequences behind each other
            starts = (batch["position_ids"][0] == 0).nonzero()[:, 0].tolist()
            borders = itertools.pairwise([*starts, ids.shape[1]])
            sequences += [(ids[0, start:stop].tolist(), labels[0, start:stop].tolist()) for start, stop in borders]
            continue
        for row, scored, size in zip(
            ids.tolist(), labels.tolist(), batch["attention_mask"].sum(1).tolist(), strict=True
        ):
            sequences.append((row[:size], scored[:size]))
    return sorted(sequences)


def expected(name: str, view: str) -> list[tuple[list[int], list[int]]]:
    """The same, from the rows: the words without padding, and an end token where they have none."""
    task, end = hp.task(name, **TASKS[name]), hp.tokenizer(name, **TASKS[name]).eos_token_id
    sequences = []
    for row in rows(name):
        ids, labels = row["input_ids"], row["labels"]
        if view != "ids":
            start = len(task.prompt_of(np.array(ids), np.array(labels))) if view == "prompt_completion" else 0
            ids = [token for token in ids if token != task.pad_id]
            ids += [end] * (ids[-1] != end)
            labels = [IGNORE] * start + ids[start:]
        sequences.append((ids, labels))
    return sorted(sequences)


# Supervised


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("name", "view"), [(name, view) for name in TASKS for view in ("ids", "text", "prompt_completion")][:-1]
)
def test_sft_trains_on_what_a_view_says(tmp_path, name, view, streaming):
    data = rows(name, view, streaming=streaming)
    trainer = sft(tmp_path, data, hp.tokenizer(name, **TASKS[name]))
    assert trained_on(trainer) == expected(name, view)


@pytest.mark.parametrize("view", ["ids", "text", "prompt_completion"])
def test_packing_cuts_no_row_and_masks_none_of_an_answer(tmp_path, view):
    """Labels are those of rows that are not packed, but for the first token of each, which nothing predicts."""
    data = rows("set-4", view, **({"fixed_size": False} if view == "ids" else {}))
    tokenizer = hp.tokenizer("set-4", **TASKS["set-4"])
    trainer = sft(tmp_path, data, tokenizer, packing=True, max_length=24, max_steps=-1, num_train_epochs=1)
    assert len(trainer.train_dataset) < ROWS
    assert trained_on(trainer) == [(ids, [IGNORE, *labels[1:]]) for ids, labels in expected("set-4", view)]


def test_packing_takes_no_lists_of_fixed_size(tmp_path):
    with pytest.raises(TypeError, match="Packing requires all columns to be lists of lists"):
        sft(tmp_path, rows("set-4"), hp.tokenizer("set-4", **TASKS["set-4"]), packing=True)


@pytest.mark.parametrize("model_type", ["gpt2", "llama", "qwen3"])
def test_packed_rows_do_not_see_each_other(tmp_path, model_type):
    tokenizer, data = hp.tokenizer("set-4", **TASKS["set-4"]), rows("set-4", "prompt_completion")
    losses = []
    for packing in (False, True):
        trainer = sft(tmp_path, data, tokenizer, 300, model_type, packing=packing, per_device_eval_batch_size=ROWS)
        losses.append(trainer.evaluate()["eval_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_messages_want_a_template(tmp_path):
    tokenizer = hp.tokenizer("set-4", **TASKS["set-4"])
    with pytest.raises(ValueError, match="tokenizer.chat_template is not set"):
        sft(tmp_path, rows("set-4", "messages"), tokenizer)
    tokenizer.chat_template = TEMPLATE
    assert trained_on(sft(tmp_path, rows("set-4", "messages"), tokenizer)) == expected("set-4", "text")


def test_of_messages_the_answer_alone_is_learnt_with_a_tokenizer_of_text(tmp_path):
    """TRL tries a template on words of its own, which no task's tokenizer can read."""
    data = rows("set-4", "messages")
    told = [[turn["content"] for turn in row["messages"]] for row in data]
    tokenizer, words_only = (
        train_tokenizer([" ".join(turns) for turns in told], 300),
        hp.tokenizer("set-4", vocab_size=10),
    )
    tokenizer.chat_template = words_only.chat_template = MARKED
    trainer = sft(tmp_path, data, tokenizer, assistant_only_loss=True)
    answers = [tokenizer.decode([token for token in labels if token != IGNORE]) for _, labels in trained_on(trainer)]
    assert sorted(answers) == sorted(f" {answer}{tokenizer.eos_token}" for _, answer in told)
    with pytest.raises(Exception, match="Missing .UNK. token"):
        sft(tmp_path, data, words_only, assistant_only_loss=True)


def test_a_tokenizer_of_text_has_its_loss_on_the_answer_and_its_own_end(tmp_path):
    data = rows("set-4", "prompt_completion")
    tokenizer = train_tokenizer(["1 2 3 4 <sep> 1 2", *(row["prompt"] + row["completion"] for row in data)], 300)
    written = []
    for ids, labels in trained_on(sft(tmp_path, data, tokenizer)):
        start = labels.count(IGNORE)
        assert labels[start:] == ids[start:]
        written.append((tokenizer.decode(ids[:start]), tokenizer.decode(ids[start:])))
    assert sorted(written) == sorted((row["prompt"], row["completion"] + tokenizer.eos_token) for row in data)


def test_what_was_learnt_ends_by_itself(tmp_path):
    """The end token is learnt from view prompt_completion, and `generate` knows it."""
    sizes = {"train_size": 64, "validation_size": 4, "test_size": 0}
    data = load_dataset("procedural", "reverse-2", vocab_size=4, view="prompt_completion", split="train", **sizes)
    tokenizer = hp.tokenizer("reverse-2", vocab_size=4)
    trainer = sft(tmp_path, data, tokenizer, learning_rate=1e-2, max_steps=150, per_device_train_batch_size=16)
    trainer.train()
    trainer.save_model()
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    asked = tokenizer("3 1 <sep>", return_tensors="pt")
    said = model.generate(**asked, max_new_tokens=6, do_sample=False)[0]
    assert tokenizer.decode(said) == "3 1 <sep> 1 3 <pad>"


# By reward


@pytest.mark.parametrize(("name", "model_type"), [("set-4", "gpt2"), ("lime-induct", "llama")])
def test_grpo_trains_on_prompts_with_a_reward_of_ours(tmp_path, name, model_type):
    task, tokenizer = hp.task(name, **TASKS[name]), hp.tokenizer(name, **TASKS[name])
    given = []

    def share(prompts, completions, **columns):
        given.extend(prompts)
        assert "completion" not in columns  # TRL gives a reward every column but this one
        return [task.score(asked, said, graded=True) for asked, said in zip(prompts, completions, strict=True)]

    quiet = {"report_to": "none", "use_cpu": True, "bf16": False, "save_strategy": "no", "disable_tqdm": True}
    sizes = {"max_steps": 3, "per_device_train_batch_size": 32, "num_generations": 8, "max_completion_length": 12}
    model = model_for(tokenizer, 300, model_type)
    model.config.eos_token_id = model.generation_config.eos_token_id = None  # as of a model that nobody prepared
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trainer = GRPOTrainer(
        model,
        reward_funcs=[share, answer_reward(task, graded=True)],
        args=GRPOConfig(str(tmp_path), **quiet, **sizes, logging_steps=1, learning_rate=1e-2),
        train_dataset=rows(name, "prompt_completion"),
        processing_class=tokenizer,
    )
    trainer.train()
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert given and {*given} <= {*rows(name, "prompt_completion")["prompt"]}
    logged = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(logged) == 3
    assert min(entry["completions/clipped_ratio"] for entry in logged) < 1  # some ended before the limit
    if name == "set-4":
        assert max(entry["rewards/share/mean"] for entry in logged) > 0
        assert any(not torch.equal(before[key], value) for key, value in model.state_dict().items())


# From the command line


@pytest.mark.parametrize("view", ["text", "prompt_completion"])
def test_trl_sft_reads_what_was_published(tmp_path, view):
    """Both commands as users run them, one after the other; what is trained loads, and is no longer what it was."""
    words = "sort-4 --vocab_size 10 --train_size 64 --validation_size 8 --test_size 0 --output_dir data"
    here = in_folder(tmp_path)
    made = subprocess.run(["hf-procedural", "publish", *words.split(), "--view", view], **here)
    assert made.returncode == 0, made.stderr
    tokenizer = hp.tokenizer("sort-4", vocab_size=10)
    tokenizer.save_pretrained(tmp_path / "model")
    model_for(tokenizer, 16).save_pretrained(tmp_path / "model")
    settings = "--max_steps 3 --bf16 false --use_cpu --report_to none --output_dir out"
    source = ["--model_name_or_path", "model", "--dataset_name", "data", "--eval_strategy", "no"]
    done = subprocess.run(["trl", "sft", *source, *settings.split()], **here)
    assert done.returncode == 0, done.stderr[-3000:]
    trained = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    start = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert not torch.equal(trained.lm_head.weight, start.lm_head.weight)

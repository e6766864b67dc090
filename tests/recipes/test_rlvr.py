"""Reinforcement learning on procedural tasks: the trainer against plain loops, the recipe as users run it."""

import copy
import importlib
import itertools
import json
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from support import starting
from support.hub_server import empty_hub, environment, python, strays  # noqa: F401
from support.rigged import save_rigged
from support.running import RECIPES, error_of, history, kill_when, run_here, same_weights, weights
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertForMaskedLM

import hf_procedural as hp
from hf_procedural.data import blocks
from hf_procedural.files import Loader
from hf_procedural.models import prompting
from hf_procedural.models.build import new_config, new_model
from hf_procedural.rl import grpo, prompts
from hf_procedural.rl.arguments import LoraArguments
from hf_procedural.rl.grpo import GRPO, RLArguments
from hf_procedural.tasks import IGNORE, splits
from hf_procedural.text.tokenizers import END_OF_TEXT, train_tokenizer
from hf_procedural.training import parser
from hf_procedural.training.arguments import ModelArguments

SORT = ["--task", "sort-4", "--task_parameters", '{"vocab_size": 10}']
MIXED = ["--task", "set-4+addition-2", "--task_parameters", '{"vocab_size": 10}']
PRETRAIN = ["--size", "1_2_32", "--dropout", "0", "--learning_rate", "3e-3", "--per_device_train_batch_size", "64"]
PRETRAIN += ["--validation_size", "100", "--eval_steps", "100", "--disable_tqdm", "true"]
FEW = ["--num_generations", "4", "--per_device_train_batch_size", "16", "--per_device_eval_batch_size", "64"]
FEW += ["--max_steps", "4", "--learning_rate", "1e-2", "--weight_decay", "0", "--validation_size", "16"]
FEW += ["--logging_steps", "1", "--save_strategy", "no", "--disable_tqdm", "true"]
QUICK = [*SORT, "--init_from", "sort", *FEW]
TEXT = ["--task", "haystack-2", "--task_parameters", '{"vocab_size": 13}', *FEW, "--max_completion_length", "10"]
TEXT += ["--per_device_train_batch_size", "32", "--template", "ask.txt", "--learning_rate", "1e-1"]
OWN = '''
import numpy as np
from dataclasses import dataclass
from typing import ClassVar
from hf_procedural.tasks import Task, integer, register

@register
@dataclass(frozen=True)
class Longest(Task):
    """3 1 2 2 = 3: the largest, as often as it is large."""
    name: ClassVar[str] = "my_largest"
    headline: ClassVar[str] = "length"
    sizes: ClassVar[tuple] = (4,)
    summary: ClassVar[str] = "the largest digit, as often as it is large"
    length: int = integer(4, 1, "digits")

    @property
    def vocabulary(self):
        return ("<pad>", "1", "2", "3", "4", "=")

    @property
    def max_length(self):
        return self.length + 5

    def sample(self, rng, n):
        input_ids, labels = self.empty_rows(n)
        for row, digits in enumerate(rng.integers(1, 5, (n, self.length))):
            input_ids[row], labels[row] = self.example(digits)
        return input_ids, labels

    def closed(self, prompt):
        return prompt if prompt[-1] == 5 else [*prompt, 5]

    def solve(self, prompt):
        return [max(prompt[:-1])] * max(prompt[:-1])
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder: models half-trained by recipes/pretrain.py, models of text, and what a user may trip over."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for task, steps, folder in ((SORT, 100, "sort"), (MIXED, 400, "mixed")):
            size = ["--max_steps", str(steps), "--train_size", str(64 * steps)]
            run_here(patch, "pretrain", *task, *PRETRAIN, *size, "--output_dir", folder)
        tokenizer = train_tokenizer([], 257)
        chain = [*"#\\boxed{", ("1", "2", "3"), "}", END_OF_TEXT]
        ending = copy.deepcopy(tokenizer)  # it puts eos behind a text, which must not stand behind a prompt
        template = TemplateProcessing(single=f"$A {END_OF_TEXT}", special_tokens=[(END_OF_TEXT, 0)])
        ending.backend_tokenizer.post_processor = template
        save_rigged("base", ending, chain, 300)
        says = "{% for message in messages %}user: {{ message.content }}{% endfor %}"
        tokenizer.chat_template = says + "{% if add_generation_prompt %} assistant: #{% endif %}"
        save_rigged("chat", tokenizer, chain, 300)
        Path("ask.txt").write_text("{summary}! {example_prompt} is {example_answer}. {prompt}? #\n")
        Path("full.txt").write_text("no place")
        Path("long.txt").write_text("{prompt}" + 300 * "x")
        Path("my_largest.py").write_text(OWN)
        bert = BertConfig(vocab_size=300, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
        BertForMaskedLM(bert).save_pretrained("bert")
        tokenizer.save_pretrained("bert")
        Path("used").mkdir()
        Path("used/precious.txt").write_text("x")
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


@pytest.fixture
def seen(monkeypatch):
    """What trainers sample for, with the step; what they evaluate; completions with their lengths; mixed batches."""
    found = types.SimpleNamespace(trained=[], evaluated=[], generated=[], batches=[], scores=[])

    def spy(name, note):
        method = getattr(GRPO, name)

        def noted(self, *args, **kwargs):
            result = method(self, *args, **kwargs)
            note(self, result, *args, **kwargs)
            return result

        monkeypatch.setattr(GRPO, name, noted)

    spy("_sample", lambda self, result, rows: found.trained.append((self.state.global_step, rows)))
    spy("_verified", lambda self, result, rows, verify: found.evaluated.extend(rows))
    spy(
        "_generate_single_turn",
        lambda self, result, *args: found.generated.extend(zip(self._lengths, *result[:1], strict=True)),
    )
    spy("_with_mixed_groups", lambda self, result, *args: found.batches.append((self.state.global_step, result)))
    spy("scores", lambda self, result, *args, **kwargs: found.scores.append(result))
    return found


def train(monkeypatch, folder, *words):
    run_here(monkeypatch, "rlvr", *words, "--output_dir", folder)
    return folder


def completions(folder, step) -> pd.DataFrame:
    return pd.read_parquet(Path(folder, "completions", f"completions_{step:05d}.parquet"))


# The trainer


@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_padding_changes_no_log_probability(model_type, monkeypatch, tmp_path):
    """TRL's own are wrong for models with absolute positions: it numbers padding, too."""
    task = hp.task("haystack-6", vocab_size=40)
    tokenizer = hp.tokenizer(task)
    torch.manual_seed(0)
    size = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16}
    model = new_model(
        new_config(tokenizer, 24, model_type=model_type, overrides={"initializer_range": 0.5}, **size)
    ).eval()
    rows = [[3, 4, 5], [6, 7, 8, 9, 10, 11, 12], [3, 9]]
    answers = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    with torch.no_grad():
        alone = [
            model(torch.tensor([row + answer])).logits[0, len(row) - 1 : -1].log_softmax(-1)[range(3), answer]
            for row, answer in zip(rows, answers, strict=True)
        ]
    ids = torch.tensor([[0] * (7 - len(row)) + row + answer for row, answer in zip(rows, answers, strict=True)])
    mask = torch.tensor([[0] * (7 - len(row)) + [1] * (len(row) + 3) for row in rows])

    def padded():
        args = RLArguments(output_dir=str(tmp_path), max_steps=1, max_completion_length=3, use_cpu=True, bf16=False)
        trainer = GRPO(
            copy.deepcopy(model),
            lambda prompts, **columns: [0.0] * len(prompts),
            args,
            questions=prompts.TaskPrompts(task, 0, "train"),
            measure=lambda trainer: {},
            tokenizer=tokenizer,
        )
        with torch.no_grad():
            return trainer._get_per_token_logps_and_entropies(trainer.model, ids, mask, 3)[0]

    assert torch.allclose(padded(), torch.stack(alone), atol=1e-5)
    monkeypatch.setattr(grpo, "_positions_from_mask", lambda *args: None)
    assert torch.allclose(padded(), torch.stack(alone), atol=1e-5) == (model_type == "llama")


def test_a_constant_reward_teaches_nothing(monkeypatch, tmp_path):
    folder = train(monkeypatch, tmp_path / "zero", *QUICK, "--reward", "zero")
    assert all(loss == 0 for _, loss in history(folder, "loss")) and len(history(folder, "loss")) == 4
    assert all(norm == 0 for _, norm in history(folder, "grad_norm"))
    assert all((completions(folder, step)["advantage"] == 0).all() for step in range(1, 5))
    assert same_weights(folder, "sort")
    assert not same_weights(train(monkeypatch, tmp_path / "exact", *QUICK), "sort")


@pytest.mark.parametrize(
    "words", [["noise0.01:sort", *SORT], ["mixed", "--task", "haystack-4"]], ids=["noise", "padded"]
)
def test_the_kl_term_begins_at_zero(words, monkeypatch, tmp_path):
    """The reference is the policy as it begins, and sees the same positions."""
    init_from, *task = words
    if init_from == "mixed":
        task += ["--task_parameters", '{"vocab_size": 40}']
    words = [*task, *FEW, "--init_from", init_from, "--reward", "graded", "--beta", "0.1", "--warmup_steps", "0"]
    folder = train(monkeypatch, tmp_path / "run", *words)
    first, *others = [value for _, value in history(folder, "kl")]
    assert first == pytest.approx(0, abs=1e-6)
    assert any(value > 1e-4 for value in others) or init_from == "mixed"


# Dynamic sampling


def test_dynamic_sampling_keeps_groups_that_differ(seen, monkeypatch, tmp_path):
    words = [*MIXED, "--init_from", "mixed", *FEW, "--reward", "graded", "--dynamic_sampling_from", "2"]
    folder = train(monkeypatch, tmp_path / "run", *words)
    assert [step for step, _ in seen.batches] == [2, 3] and len(history(folder, "dynamic_sampling/rounds")) == 2
    assert [step for step, _ in seen.trained][:3] == [0, 1, 2]
    assert sum(step >= 2 for step, _ in seen.trained) == sum(n for _, n in history(folder, "dynamic_sampling/rounds"))
    assert {share for _, share in history(folder, "dynamic_sampling/left_out")} == {0}
    task = hp.task("set-4+addition-2", vocab_size=10)
    for _, batch in seen.batches:
        for group in range(0, 16, 4):
            check_group(task, {name: value[group : group + 4] for name, value in batch.items() if value.dim()})
            assert batch["completion_mask"][group : group + 4].any() and batch["advantages"][group] != 0
        assert batch["num_items_in_batch"] == batch["completion_mask"].sum()


def check_group(task, batch):
    """Advantages of a group are those of its tokens' rewards, wherever they were sampled."""
    asked = [ids[mask.bool()].tolist() for ids, mask in zip(batch["prompt_ids"], batch["prompt_mask"], strict=True)]
    assert all(ids == asked[0] for ids in asked)
    equals = task.vocabulary.index("=")
    prompt = asked[0][: asked[0].index(equals) + 1] if equals in asked[0] else asked[0]
    begun = asked[0][len(prompt) :]  # of a sum
    said = zip(batch["completion_ids"], batch["completion_mask"], strict=True)
    rewards = torch.tensor([task.score(prompt, begun + ids[mask.bool()].tolist(), graded=True) for ids, mask in said])
    expected = (rewards - rewards.mean()) / (rewards.std() + 1e-4)
    assert torch.allclose(batch["advantages"], expected, atol=1e-4)


def test_parts_of_a_batch_are_padded_to_one_width():
    parts = [
        {
            "prompt_ids": torch.tensor([[5, 6]]),
            "completion_mask": torch.tensor([[1, 1, 1]]),
            "advantages": torch.ones(1),
        },
        {"prompt_ids": torch.tensor([[7, 8, 9]]), "completion_mask": torch.tensor([[1]]), "advantages": torch.zeros(1)},
    ]
    joined = {name: value.tolist() for name, value in grpo._joined(parts, pad_token_id=4).items()}
    assert joined == {
        "prompt_ids": [[4, 5, 6], [7, 8, 9]],
        "completion_mask": [[1, 1, 1], [1, 0, 0]],
        "advantages": [1, 0],
    }


def test_dynamic_sampling_leaves_out_what_it_does_not_find(seen, monkeypatch, tmp_path):
    monkeypatch.setattr(grpo, "ROUNDS", 2)
    folder = train(monkeypatch, tmp_path / "run", *QUICK, "--dynamic_sampling_from", "0")
    shares = [share for _, share in history(folder, "dynamic_sampling/left_out")]
    assert max(shares) > 0 and min(shares) < 1
    for (_, batch), share in zip(seen.batches, shares, strict=True):
        mask, advantages = batch["completion_mask"].view(4, -1), batch["advantages"].view(4, -1)
        assert ((mask == 0).all(1) == (advantages == 0).all(1)).all()
        assert torch.equal(batch["left_out"], (mask == 0).all(1).repeat_interleave(4))
        assert share == (mask == 0).all(1).float().mean()
        assert batch["num_items_in_batch"] == max(1, mask.sum())  # which divides the loss
    assert all(np.isfinite(value) for key in ("loss", "grad_norm") for _, value in history(folder, key))


def test_dynamic_sampling_of_a_constant_reward_ends(seen, monkeypatch, tmp_path):
    words = ["--reward", "zero", "--dynamic_sampling_from", "0", "--max_steps", "2"]
    folder = train(monkeypatch, tmp_path / "run", *QUICK, *words)
    assert [rounds for _, rounds in history(folder, "dynamic_sampling/rounds")] == [8, 8]
    assert [share for _, share in history(folder, "dynamic_sampling/left_out")] == [1, 1]
    assert [loss for _, loss in history(folder, "loss")] == [0, 0] and same_weights(folder, "sort")
    questions = [tuple(row["prompt_ids"]) for _, rows in seen.trained for row in rows[::4]]
    assert len(seen.trained) == 16 and len(set(questions)) > 55, "each round asks other questions"


# What is asked


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("sort-4+addition-2", {"vocab_size": 20}),
        ("set-6", {"vocab_size": 9}),
        ("haystack-10+identity-8", {"vocab_size": 40}),  # long prompts, short answers, and the other way round
        ("lime-induct", {"vocab_size": 80}),
        ("my_largest-4", {}),
        ("dyck-3", {"length": 16}),  # a language: rewarded is whatever is a word of it
    ],
)
def test_any_task(name, parameters, seen, own_registry, monkeypatch, tmp_path):
    """Prompts are of the right split, and no completion goes on behind its answer."""
    words = ["--task", name, "--task_parameters", json.dumps(parameters), "--init_from", "sort", *FEW]
    words += ["--dynamic_sampling_from", "1", "--max_steps", "2"]
    if name.startswith("my_"):
        words += ["--task_file", "my_largest.py"]
    train(monkeypatch, tmp_path / "run", *words, "--reward", "graded")
    task = hp.task(name, **parameters)
    trained = [row for _, rows in seen.trained for row in rows]
    for split, asked in (("train", trained), ("validation", seen.evaluated)):
        assert len(asked) > 30
        for row in asked:
            assert row["prompt"] == task.text(row["prompt_ids"] + row["begun"])
            if not task.is_language:
                member = prompts.member_of(task, row["prompt_ids"])
                ids, labels = member.example(
                    [member.vocabulary.index(task.vocabulary[token]) for token in row["prompt_ids"]]
                )
                assert row["answer_length"] == (labels != IGNORE).sum()
                assert splits.of_rows(member, ids[None], labels[None])[0] == splits.INDEX[split]
    ours, theirs = ({tuple(row["prompt_ids"]) for row in asked} for asked in (trained, seen.evaluated))
    assert task.is_language or (len(ours) > 5 and ours.isdisjoint(theirs))
    assert max(len(ids) for _, ids in seen.generated) == max(length for length, _ in seen.generated)
    assert all(0 < len(ids) <= length for length, ids in seen.generated)


@pytest.mark.parametrize(
    ("task", "start", "lengths"),
    [("sort-8", 2, [2, 4, 6, 8, 8]), ("addition-3", 1, [1, 2, 3, 3, 3])],
)
def test_curriculum_lengthens_prompts(task, start, lengths, seen, monkeypatch, tmp_path):
    """With answers that are all right: at each evaluation there is a longer length."""
    monkeypatch.setattr(
        "hf_procedural.rl.answer_reward", lambda task, **kind: lambda prompts, **row: [1.0] * len(prompts)
    )
    words = ["--task", task, "--init_from", "sort", *FEW, "--curriculum", "true", "--eval_steps", "1"]
    words += ["--curriculum_start", str(start), "--curriculum_step", str(lengths[1] - start)]
    folder = train(monkeypatch, tmp_path / "run", *words)
    assert [length for _, length in history(folder, "eval_curriculum_length")][: len(lengths)] == lengths

    def length(prompt):
        operands = [operand.split() for operand in prompt.replace("<sep>", "").partition("=")[0].split("+")]
        return max(map(len, operands))

    for step in range(1, 5):  # the evaluation before step n is the n-th
        table = completions(folder, step)
        assert {length(prompt) for prompt in table["prompt"]} <= set(range(1, lengths[step] + 1))
        assert max(length(prompt) for prompt in table["prompt"]) == lengths[step]
    asked = [tuple(row["prompt_ids"]) for _, rows in seen.trained for row in rows[::4]]
    assert len(set(asked)) > len(asked) - 3, "rows go on behind those that were trained on"


def test_a_curriculum_is_evaluated_at_full_length_in_the_end(seen, monkeypatch, tmp_path):
    folder = train(monkeypatch, tmp_path / "run", *QUICK, "--curriculum", "true", "--eval_steps", "2")
    lengths = [length for _, length in history(folder, "eval_curriculum_length")]
    assert lengths == [2, 2, 2, 4]
    assert json.loads((folder / "eval_results.json").read_text())["eval_curriculum_length"] == 4
    assert len(seen.evaluated[-1]["prompt_ids"]) == 5


# Evaluation


@pytest.mark.parametrize("folder", ["sort", "mixed"])
def test_exact_match_is_that_of_a_plain_loop_and_of_pretraining(folder, seen, monkeypatch, tmp_path):
    task_words = SORT if folder == "sort" else MIXED
    words = [
        *task_words,
        "--init_from",
        folder,
        *FEW,
        "--reward",
        "zero",
        "--max_steps",
        "1",
        "--validation_size",
        "100",
    ]
    run = train(monkeypatch, tmp_path / "run", *words)
    task = hp.task(task_words[1], **json.loads(task_words[3]))
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    right = 0
    for row in itertools.islice(prompts.TaskPrompts(task, 42, "validation"), 100):
        ids = torch.tensor([row["prompt_ids"] + row["begun"]])
        settings = {"do_sample": False, "max_new_tokens": row["answer_length"], "pad_token_id": task.pad_id}
        said = model.generate(ids, attention_mask=torch.ones_like(ids), eos_token_id=task.pad_id, **settings)
        right += task.score(row["prompt_ids"], row["begun"] + said[0, ids.shape[1] :].tolist())
    found = history(run, "eval_exact_match")[0][1]
    assert 0.2 < found < 0.95 and found == pytest.approx(right / 100)
    assert found == pytest.approx(history(folder, "eval_exact_match")[-1][1])
    # pass@k over all subsets of the samples
    samples = seen.scores[1]
    assert samples.shape == (100, 4) and set(np.unique(samples)) == {0, 1}
    for k in (1, 2, 4):
        subsets = [samples[:, chosen].max(1) for chosen in itertools.combinations(range(4), k)]
        assert history(run, f"eval_pass@{k}")[0][1] == pytest.approx(np.mean(subsets))
    at = [history(run, f"eval_pass@{k}")[0][1] for k in (1, 2, 4)]
    assert 0 < at[0] < at[1] < at[2] <= 1


def test_evaluating_changes_nothing(monkeypatch, tmp_path):
    often = train(monkeypatch, tmp_path / "often", *QUICK, "--eval_steps", "1")
    never = train(monkeypatch, tmp_path / "never", *QUICK, "--eval_strategy", "no", "--eval_on_start", "false")
    assert same_weights(often, never) and not same_weights(often, "sort")
    assert len(history(often, "eval_exact_match")) == 6 and len(history(never, "eval_exact_match")) == 1
    assert history(often, "reward") == history(never, "reward")


def test_patience_stops_early(monkeypatch, tmp_path):
    words = ["--patience", "2", "--eval_steps", "2", "--max_steps", "40", "--learning_rate", "0"]
    folder = train(monkeypatch, tmp_path / "run", *QUICK, *words)
    assert history(folder, "reward")[-1][0] == 6  # the first evaluation of a step sets the best, two repeat it


# The recipe


@pytest.fixture(scope="module")
def learned(home):
    """A run that learns by reward alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        words = [*SORT, "--init_from", "sort", "--per_device_train_batch_size", "128", "--learning_rate", "3e-3"]
        words += ["--max_steps", "200", "--warmup_steps", "5", "--per_device_eval_batch_size", "256"]
        words += ["--eval_steps", "100", "--save_steps", "100", "--disable_tqdm", "true"]
        return train(patch, home / "learned", *words)


def test_reward_alone_raises_exact_match(learned):
    exact, sampled = (history(learned, f"eval_{name}") for name in ("exact_match", "pass@1"))
    assert exact[-1][1] > exact[0][1] + 0.1 and sampled[-1][1] > sampled[0][1] + 0.3
    rewards = [reward for _, reward in history(learned, "reward")]
    assert rewards[-1] > rewards[0] + 0.3
    assert history(learned, "num_input_tokens_seen")[-1][1] > 200 * 128 * 7  # five of the prompt and most of four


def test_rewards_are_those_of_the_task(monkeypatch, tmp_path):
    task = hp.task("sort-4", vocab_size=10)
    for kind in ("exact", "graded"):
        folder = train(monkeypatch, tmp_path / kind, *QUICK, "--reward", kind, "--max_steps", "1")
        table, graded = completions(folder, 1), kind == "graded"
        name = "graded_answer_reward" if graded else "answer_reward"
        rows = zip(table["prompt"], table["completion"], strict=True)
        assert table[name].tolist() == [task.score(*row, graded=graded) for row in rows]
        assert (table[name] % 1 > 0).any() == graded
        assert history(folder, f"rewards/{name}/mean")[-1][1] == pytest.approx(table[name].mean())


def test_the_run_folder_tells_all(learned, monkeypatch, capsys, tmp_path):
    results = json.loads((learned / "all_results.json").read_text())
    assert {
        "eval_exact_match",
        "eval_pass@1",
        "eval_pass@8",
        "train_runtime",
        "num_input_tokens_seen",
    } <= results.keys()
    weights = AutoModelForCausalLM.from_pretrained(learned).num_parameters(exclude_embeddings=True)
    state = json.loads((learned / "trainer_state.json").read_text())
    assert state["total_flos"] == 8 * weights * results["num_input_tokens_seen"]
    recipe = yaml.load((learned / "recipe.yaml").read_text(), Loader)
    assert recipe["task"] == "sort-4" and recipe["reward"] == "exact" and recipe["init_from"] == "sort"
    provenance = json.loads((learned / "provenance.json").read_text())
    assert provenance["versions"]["trl"].startswith("1.") and provenance["init_from"]["sources"][0]["tokens"] > 0
    task = hp.task("sort-4", vocab_size=10)
    assert provenance["dataset_fingerprints"]["train"] == blocks.fingerprint(task, 42, "train")
    assert (learned / "training.png").read_bytes().startswith(b"\x89PNG")
    run_here(monkeypatch, "report", learned, "sort", "--output_dir", tmp_path / "report", "--metric", "exact_match")
    assert f"{results['eval_exact_match']:.1%}" in capsys.readouterr().out


LOAD = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = (kind.from_pretrained(sys.argv[1]) for kind in (AutoModelForCausalLM, AutoTokenizer))
ids = tokenizer(sys.argv[2], return_tensors="pt")["input_ids"]
said = model.generate(ids, do_sample=False, max_new_tokens=4)[0, ids.shape[1]:]
print(tokenizer.decode(said), model.config.use_cache)
"""


def test_it_is_pushed_with_our_card_and_loads_without_this_package(hub, tmp_path):
    words = [RECIPES / "rlvr.py", *QUICK, "--use_cpu", "true", "--push_to_hub"]
    words += ["--hub_model_id", "alice/rl", "--output_dir", tmp_path / "run", "--save_strategy", "steps"]
    starting.run(*words, env=environment(hub, tmp_path / "home", "hf_alice"), check=True)
    files = hub.files("models", "alice/rl")
    assert {"model.safetensors", "tokenizer.json", "training.png", "recipe.yaml", "README.md"} <= files.keys()
    assert files["README.md"] == (tmp_path / "run" / "README.md").read_bytes() and not strays(tmp_path / "home")
    text = files["README.md"].decode()
    card, results = ModelCard(text), json.loads(files["eval_results.json"])
    assert "GRPO" in text and "reward `exact`" in text and "`sort-4`" in text and "recipes/rlvr.py" in text
    assert "trl" not in card.data.tags and "Quick start" not in text
    measured = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert measured["whole answers right"] == results["eval_exact_match"]
    assert measured["pass@4, sampled"] == results["eval_pass@4"]
    said = python(LOAD, environment(hub, tmp_path / "fresh", bare=True), "alice/rl", "3 1 2 4 <sep>")
    assert said.split()[-1] == "True" and set(said.split()[:-1]) <= {*hp.task("sort-4", vocab_size=10).vocabulary}


@pytest.mark.parametrize(
    "extra",
    [
        ["--gradient_accumulation_steps", "2", "--patience", "9"],
        ["--dynamic_sampling_from", "8", "--reward", "graded"],
        ["--curriculum", "true", "--curriculum_start", "3", "--curriculum_step", "1", "--curriculum_threshold", "0.1"],
    ],
    ids=["accumulation", "dynamic", "curriculum"],
)
def test_killed_and_resumed_run_ends_with_the_same_weights(extra, monkeypatch, tmp_path):
    words = [*QUICK, "--max_steps", "30", "--save_strategy", "steps", "--save_steps", "4", "--eval_steps", "3", *extra]
    words += ["--learning_rate", "1e-3"]
    whole = train(monkeypatch, tmp_path / "whole", *words)
    killed = tmp_path / "killed"
    kill_when(killed / "checkpoint-12" / "trainer_state.json", "rlvr", *words, "--output_dir", killed)
    assert not (killed / "model.safetensors").exists(), "killed in another place"
    train(monkeypatch, killed, *words, "--resume_from_checkpoint", "true")
    assert same_weights(whole, killed) and not same_weights(whole, "sort")
    for key in ("reward", "eval_exact_match", "eval_curriculum_length", "num_input_tokens_seen"):
        assert history(whole, key) == history(killed, key)
    if "--curriculum" in extra:
        lengths = [length for _, length in history(whole, "eval_curriculum_length")]
        assert lengths[0] == 3 and lengths[6] == 4, (
            "the length should change, before and after the kill or at least once"
        )


TWO = """
import json, runpy, sys
from hf_procedural.rl.grpo import GRPO
train, folder = GRPO.train, sys.argv.pop(1)
def noted(self, *args, **kwargs):
    result = train(self, *args, **kwargs)
    with open(f"{folder}/{self.args.process_index}.json", "w") as file:
        json.dump(self.state.log_history, file)
    return result
GRPO.train = noted
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_two_processes(monkeypatch, tmp_path):
    """Groups are of both until step 2, then each process has its own."""
    words = [*QUICK, "--use_cpu", "true", "--per_device_train_batch_size", "8", "--validation_size", "15"]
    words += ["--dynamic_sampling_from", "2", "--reward", "graded"]
    starting.run_two("-c", TWO, tmp_path, RECIPES / "rlvr.py", *words, "--output_dir", tmp_path / "run")
    logs = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    for key in ("reward", "reward_std", "eval_exact_match", "eval_pass@4", "dynamic_sampling/rounds", "num_tokens"):
        ours, theirs = ([entry[key] for entry in log if key in entry] for log in logs)
        assert ours == theirs and len(ours) >= 2
    assert len(completions(tmp_path / "run", 1)) == 16 and (tmp_path / "run" / "all_results.json").is_file()
    one = train(monkeypatch, tmp_path / "one", *words)
    assert history(one, "eval_exact_match")[0] == history(tmp_path / "run", "eval_exact_match")[0]
    prompt = [set(completions(folder, 1)["prompt"]) for folder in (tmp_path / "run", one)]
    assert len(prompt[0]) == 4 and prompt[1] <= prompt[0]


# Models that read text


@pytest.mark.parametrize("model", ["base", "chat"])
def test_models_of_text_answer_in_a_box(model, seen, monkeypatch, tmp_path):
    folder = train(monkeypatch, tmp_path / "run", *TEXT, "--model_name_or_path", model)
    task = hp.task("haystack-2", vocab_size=13)
    table = pd.concat([completions(folder, step) for step in range(1, 5)])
    rows = [row for _, rows in seen.trained for row in rows]
    assert len(rows) == len(table) == 128
    for row, asked, said, reward in zip(
        rows, table["prompt"], table["completion"], table["answer_reward"], strict=True
    ):
        text = asked if model == "base" else asked[0]["content"]
        assert text.startswith(task.summary) and text.endswith(f" {task.text(row['prompt_ids'])}? #")
        answer = said if model == "base" else said[0]["content"]
        assert reward == float(answer == f"\\boxed{{{task.text(task.solve(row['prompt_ids']))}}}")
    assert 0.1 < table["answer_reward"].mean() < 0.7
    assert not torch.equal(weights(folder)["lm_head.weight"], weights(model)["lm_head.weight"])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert bool(tokenizer.chat_template) == (model == "chat")
    card = (folder / "README.md").read_text()
    assert (
        "GRPO" in card
        and f"from weights of `{model}`" in card
        and "knows the symbols of its task and nothing else" not in card
    )


# Settings of generation


def test_stop_strings_end_a_completion(seen, monkeypatch, tmp_path):
    """Behind them there is padding, here eos, which no model has said: neither reward nor loss sees it."""
    words = [*TEXT, "--model_name_or_path", "base", "--max_steps", "1", "--generation_kwargs"]
    for stop, end in (('"}"', "}"), ('["x{1", "oxed{"]', "oxed{")):
        folder = train(monkeypatch, tmp_path / end, *words, f'{{"stop_strings": {stop}}}')
        said = completions(folder, 1)["completion"]
        assert len(said) == 32 and all(
            text.endswith(end) and text.count(end) == 1 for text in said[said != "\\boxed{1"]
        )
        lengths = {len(ids) for _, ids in seen.generated if len(ids) > 1}  # one token of the trial before
        assert lengths == {9 if end == "}" else 7} and all(0 not in ids for _, ids in seen.generated)
        seen.generated.clear()


GENERATION = {
    "unknown": ('{"stop_string": "}"}', "transformers has no 'stop_string': did you mean stop_strings?"),
    "flag": ('{"temperature": 2}', "temperature is the flag --temperature, which the loss reads, too"),
    "other flag": ('{"max_new_tokens": 2}', "max_new_tokens is the flag --max_completion_length"),
    "value": ('{"early_stopping": 3}', "generation_kwargs {'early_stopping': 3}: `early_stopping` must be"),
    "type": ('{"stop_strings": [3]}', "stop_strings must be texts that are not empty, got [3]"),
    "number": ('{"stop_strings": 3}', "stop_strings must be texts that are not empty, got 3"),
    "several": ('{"num_return_sequences": 2}', "generation_kwargs {'num_return_sequences': 2}: ValueError: "),
    "form": ('{"return_dict_in_generate": true}', "generation_kwargs {'return_dict_in_generate': True}: "),
    "kind": ('{"num_beams": "x"}', "generation_kwargs {'num_beams': 'x'}: "),
    "no JSON": ("{x", "generation_kwargs must be JSON such as"),
    "no mapping": ("3", "generation_kwargs must be a mapping of names to values, got 3"),
}


@pytest.mark.parametrize("given, message", GENERATION.values(), ids=GENERATION.keys())
def test_generation_that_cannot_work_is_found_first(given, message, home, monkeypatch, capsys):
    assert message in error_of(monkeypatch, capsys, home, "rlvr", *QUICK, "--generation_kwargs", given)


def test_stop_strings_and_what_knows_none(home, monkeypatch, capsys):
    words = [*TEXT, "--model_name_or_path", "base", "--generation_kwargs", '{"stop_strings": "}"}']
    line = error_of(monkeypatch, capsys, home, "rlvr", *words, "--mask_truncated_completions")
    assert "generation_kwargs: mask_truncated_completions knows no stop_strings: leave one out" in line


# Low-rank adapters

ADAPTERS = ["--use_peft", "--lora_r", "2", "--learning_rate", "1e-1"]
LOAD_PLAIN = """
import sys, torch
sys.modules["hf_procedural"] = sys.modules["peft"] = None
from transformers import AutoModelForCausalLM
torch.save(AutoModelForCausalLM.from_pretrained(sys.argv[1])(torch.arange(9)[None]).logits, sys.argv[2])
"""
LOAD_ADAPTER = """
import sys, torch
sys.modules["hf_procedural"] = None
from peft import AutoPeftModelForCausalLM
torch.save(AutoPeftModelForCausalLM.from_pretrained(sys.argv[1])(torch.arange(9)[None]).logits, sys.argv[2])
"""


def test_adapters_are_trained_resumed_and_merged(monkeypatch, tmp_path):
    """Checkpoints hold adapters alone, the run a plain model; with a KL term, whose reference has none."""
    words = [*QUICK, *ADAPTERS, "--max_steps", "6", "--save_strategy", "steps", "--save_steps", "2", "--beta", "0.1"]
    whole = train(monkeypatch, tmp_path / "whole", *words, "--warmup_steps", "0")
    last = whole / "checkpoint-6"
    assert (last / "adapter_model.safetensors").is_file() and not (last / "model.safetensors").exists()
    before, after = weights("sort"), weights(whole)
    assert before.keys() == after.keys() and not list(whole.glob("adapter_*"))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    ranks = {int(torch.linalg.matrix_rank(after[name] - before[name], rtol=1e-3)) for name in moved}
    assert ranks <= {1, 2} and {name.split(".")[-2] for name in moved} == {"c_attn", "c_proj", "c_fc"}
    assert history(whole, "kl")[0][1] == pytest.approx(0, abs=1e-6) and history(whole, "kl")[-1][1] > 0
    killed = tmp_path / "killed"
    shutil.copytree(whole, killed)
    for file in [*killed.glob("*.json"), killed / "model.safetensors"]:
        if file.name != "provenance.json":
            file.unlink()
    for step in (4, 6):
        shutil.rmtree(killed / f"checkpoint-{step}")
    train(monkeypatch, killed, *words, "--warmup_steps", "0", "--resume_from_checkpoint", "true")
    assert same_weights(whole, killed) and history(whole, "reward") == history(killed, "reward")
    starting.run("-c", LOAD_PLAIN, whole, tmp_path / "logits", check=True)
    ours = AutoModelForCausalLM.from_pretrained(whole)(torch.arange(9)[None]).logits
    assert torch.equal(torch.load(tmp_path / "logits"), ours)


def test_an_adapter_by_itself(monkeypatch, tmp_path):
    words = [*TEXT, "--model_name_or_path", "base", *ADAPTERS, "--lora_target_modules", "q_proj", "v_proj", "up_proj"]
    merged = train(monkeypatch, tmp_path / "merged", *words, "--seed", "1")
    adapter = train(monkeypatch, tmp_path / "adapter", *words, "--seed", "1", "--save_adapter")
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert (config["r"], set(config["target_modules"])) == (2, {"q_proj", "v_proj", "up_proj"})
    assert config["base_model_name_or_path"] == str(Path("base").absolute())
    assert not (adapter / "model.safetensors").exists() and (adapter / "README.md").is_file()
    monkeypatch.chdir(tmp_path)
    starting.run("-c", LOAD_ADAPTER, adapter, tmp_path / "logits", check=True)
    ours = AutoModelForCausalLM.from_pretrained(merged)(torch.arange(9)[None]).logits
    assert torch.allclose(torch.load(tmp_path / "logits"), ours, atol=1e-5)


ADAPTER_MISTAKES = {
    "not asked for": (["--lora_r", "4"], "lora_r: there is no adapter without --use_peft"),
    "rank": (["--use_peft", "--lora_r", "0"], "lora_r must be at least 1, got 0"),
    "module": (
        ["--use_peft", "--lora_target_modules", "c_atn"],
        "lora_target_modules: a gpt2 has no module 'c_atn': did you mean c_attn?",
    ),
    "head": (["--use_peft", "--lora_target_modules", "lm_head"], "adapter to `lm_head` is not supported"),
    "not linear": (["--use_peft", "--lora_target_modules", "ln_1"], "Target module LayerNorm"),
    "new model": (["--use_peft", "--save_adapter"], "save_adapter: --init_from makes a new model"),
    "components": (["--use_peft", "--train_components", "mlp"], "train_components ['mlp']: with --use_peft adapters"),
}


@pytest.mark.parametrize("words, message", ADAPTER_MISTAKES.values(), ids=ADAPTER_MISTAKES.keys())
def test_adapters_that_cannot_be(words, message, home, monkeypatch, capsys):
    assert message in error_of(monkeypatch, capsys, home, "rlvr", *QUICK, *words)


def test_without_peft(home, monkeypatch, capsys):
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, find=importlib.util.find_spec: name != "peft" and find(name) or None
    )
    line = error_of(monkeypatch, capsys, home, "rlvr", *QUICK, "--use_peft")
    assert "use_peft: peft is not installed: pip install 'hf-procedural[peft]'" in line


def test_the_template_shows_a_solved_example(home):
    task = hp.task("sort-4", vocab_size=10)
    template = prompting.read_template(RECIPES / "templates" / "rlvr.txt", "prompt")
    show = prompts.in_words(template, AutoTokenizer.from_pretrained("base"))
    text = show(task, task.prompt_of(*task.example([4, 3, 2, 1])))
    example = text.partition("Input: ")[2].partition("\n")[0]
    answer = text.partition("Answer: \\boxed{")[2].partition("}")[0]
    assert task.score(example, answer) == 1 and task.summary in text and "\\boxed{}" in text
    mixture = hp.task("sort-4+addition-2", vocab_size=10)
    asked = [mixture.vocabulary.index(word) for word in ("1", "2", "+", "3", "4", "=")]
    assert show(mixture, asked).startswith(hp.task("addition-2").summary)  # of the member that is asked
    assert f"Input: {task.text([4, 3, 2, 1])}" in text and example not in text.partition(example)[2]


# Mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*SORT, *FEW], "give one of --init_from"),
        ([*QUICK, "--model_name_or_path", "base"], "give one of --init_from"),
        ([*SORT, *FEW, "--init_from", "nowhere"], "nowhere"),
        ([*QUICK, "--per_device_train_batch_size", "18"], "num_generations 4 must divide the batch"),
        (
            [*QUICK, "--num_generations_eval", "5"],
            "num_generations_eval 5 must divide per_device_eval_batch_size 64 x 1 processes",
        ),
        ([*QUICK, "--num_generations", "1"], "num_generations must be at least 2"),
        ([*QUICK, "--max_steps", "-1"], "max_steps must be at least 1"),
        ([*QUICK, "--reward", "exactly"], "reward must be one of exact, graded, zero, got 'exactly'"),
        ([*QUICK, "--task_parameters", '{"shuffle_tokens": true}'], "shuffled rows have no answer to verify"),
        ([*QUICK, "--task", "srot-4"], "unknown task 'srot': did you mean sort"),
        ([*QUICK, "--validation_size", "0"], "validation_size must be at least 1"),
        ([*QUICK, "--task", "eca-110", "--task_parameters", "{}", "--curriculum", "true"], "has no parameter length"),
        ([*QUICK, "--curriculum", "true", "--eval_strategy", "no"], "eval_strategy must be steps, got no"),
        ([*QUICK, "--curriculum", "true", "--curriculum_start", "9"], "curriculum_start must be in 1..4"),
        ([*QUICK, "--dynamic_sampling_from", "-1"], "dynamic_sampling_from must be at least 0"),
        ([*QUICK, "--remove_unused_columns", "true"], "remove_unused_columns must stay False"),
        ([*QUICK, "--include_num_input_tokens_seen", "all"], "include_num_input_tokens_seen must stay no"),
        ([*QUICK, "--metric_for_best_model", "loss", "--patience", "1"], "metric_for_best_model must be one of"),
        ([*TEXT, "--model_name_or_path", "bert"], "bert is no causal language model of transformers but BertForMasked"),
        ([*TEXT, "--model_name_or_path", "nowhere"], "nowhere: no model there"),
        ([*TEXT, "--model_name_or_path", "base", "--template", "none.txt"], "template none.txt cannot be read"),
        ([*TEXT, "--model_name_or_path", "base", "--template", "full.txt"], "has no place {prompt}"),
        (
            [*TEXT, "--model_name_or_path", "base", "--template", "long.txt"],
            "300 positions of base: take a shorter template",
        ),
        (
            [*TEXT, "--model_name_or_path", "base", "--max_completion_length", "290"],
            "300 positions of base: choose at most ",
        ),
        ([*TEXT, "--model_name_or_path", "base", "--task", "dyck-2", "--task_parameters", "{}"], "is a language"),
        ([*QUICK, "--output_dir", "used"], "output_dir used is not empty"),
        ([*QUICK, "--output_dir", "learned", "--resume_from_checkpoint", "true"], "validation_size 256, not 16"),
        (
            [*QUICK, "--validation_size", "256", "--reward", "graded", "--output_dir", "learned"]
            + ["--resume_from_checkpoint", "true"],
            "reward 'exact', not 'graded'",
        ),
        (
            ["--init_from", "learned", "--task", "reasoning_gym-gcd", "--max_steps", "1"]
            + ["--dataloader_num_workers", "1"],
            "dataloader_num_workers must be 0 for reasoning_gym-gcd",
        ),
    ],
    ids=lambda value: "_".join(value[-2:]) if isinstance(value, list) else "",
)
def test_a_mistake_ends_with_one_line_and_changes_nothing(words, message, home, learned, monkeypatch, capsys):
    words = words if "--output_dir" in words else [*words, "--output_dir", "new"]
    assert message in error_of(monkeypatch, capsys, home, "rlvr", *words)
    assert not Path("new").exists()


WITHOUT = """
import runpy, sys
import hf_procedural, hf_procedural.rl, hf_procedural.rl.accuracy
assert "trl" not in sys.modules
recipes = sys.argv[1]
sys.path.insert(0, recipes)
for name in ("pretrain", "semantic", "probe", "report", "rpt_prepare", "rpt_evaluate", "rlvr", "rpt"):
    sys.argv = [f"{recipes}/{name}.py", "--help"]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as exit:
        print("exit", name, exit.code)
    print(name, file=sys.stderr)
"""


def test_without_trl_all_else_works(tmp_path):
    (tmp_path / "trl").mkdir()
    (tmp_path / "trl" / "__init__.py").write_text("raise ImportError('no such package')")
    environment = {"PYTHONPATH": str(tmp_path), "PATH": "", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, RECIPES], env=environment, cwd=RECIPES.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    codes = dict(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("exit "))
    assert codes == dict.fromkeys(("pretrain", "semantic", "probe", "report", "rpt_prepare", "rpt_evaluate"), "0") | {
        "rlvr": "2",
        "rpt": "2",
    }
    for name in ("rlvr", "rpt"):
        (line,) = [line for line in done.stderr.splitlines() if line.startswith(f"{name}.py: error:")]
        assert "needs TRL: pip install 'hf-procedural[rl]'" in line
    assert "Traceback" not in done.stderr


def test_help_teaches(monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "rlvr", "--help")
    text = capsys.readouterr().out
    assert exit_.value.code == 0
    for word in ("accelerate launch recipes/rlvr.py", "--task", "--init_from", "--num_generations", "--use_vllm"):
        assert word in text


@pytest.mark.parametrize("name", ["rlvr_sort", "rlvr_instruct", "rpt_omnimath", "rpt_tiny"])
def test_the_yamls_are_taken_as_they_are(name, monkeypatch):
    monkeypatch.syspath_prepend(RECIPES)
    module = importlib.import_module(name.partition("_")[0])
    if module.__name__ == "rlvr":
        kinds = (module.QuestionArguments, module.PolicyArguments, ModelArguments, LoraArguments, RLArguments)
        more = ["--init_from", "x"] if name == "rlvr_sort" else ["--model_name_or_path", "x"]
    else:
        kinds, more = (module.QuestionArguments, module.RPTArguments), []
    config = RECIPES / "configs" / f"{name}.yaml"
    parsed = parser.parse("", *kinds, argv=[str(config), *more, "--bf16", "false"])  # which asks for a GPU
    found = {key: value for part in parsed for key, value in vars(part).items()}
    written = yaml.load(config.read_text(), Loader)
    words = {key: value for key, value in written.items() if isinstance(value, str) and key != "lr_scheduler_type"}
    assert {key: found[key] for key in words} == words
    numbers = {key: value for key, value in written.items() if isinstance(value, int | float) and key != "bf16"}
    assert {key: found[key] for key in numbers} == numbers

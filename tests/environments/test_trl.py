"""TRL's environments: our recipe drives TRL's own tool loop, with a model that calls the tool."""

import json
import shutil

import pandas as pd
import pytest
from support.rigged import save_rigged
from support.running import error_of, history, run_here, same_weights, weights
from transformers import AutoTokenizer, GenerationConfig
from trl.chat_template_utils import qwen3_chat_template

from hf_procedural.environments import Episode, Questions
from hf_procedural.environments.trl import REWARDS, StepRows, StepsEnvironment
from hf_procedural.text.tokenizers import END_OF_TEXT, train_tokenizer

CALL = ('<tool_call>\n{"name": "answer", "arguments": {"reply": "', '"}}\n</tool_call>')
STACK = {"vocab_size": 4}
TURNS = ["--task", "stack-5", "--task_parameters", json.dumps(STACK), "--environment", "--reward", "graded"]
TURNS += ["--model_name_or_path", "calls", "--num_generations", "4", "--per_device_train_batch_size", "8"]
TURNS += ["--per_device_eval_batch_size", "8", "--validation_size", "2", "--max_steps", "2", "--learning_rate", "1e-2"]
TURNS += ["--max_completion_length", "900", "--max_tool_calling_iterations", "5", "--logging_steps", "1"]
TURNS += ["--eval_steps", "2", "--save_steps", "1", "--log_completions", "--disable_tqdm", "true"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with models: one that always calls the tool, and those that cannot."""
    home = tmp_path_factory.mktemp("home")
    tokenizer = train_tokenizer([], 257)
    tokenizer.save_pretrained(home / "silent")
    tokenizer.add_tokens([*CALL, "<|im_start|>", "<|im_end|>"], special_tokens=False)
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    chain = [("Ċ",), (CALL[0],), ("1", "2", "3"), (CALL[1],), ("<|im_end|>",)]
    save_rigged(home / "plain", tokenizer, chain, 4000)
    tokenizer.chat_template = qwen3_chat_template
    tokenizer.eos_token = "<|im_end|>"
    for name, positions in (("calls", 4000), ("short", 1000)):
        save_rigged(home / name, tokenizer, chain, positions)
        GenerationConfig(eos_token_id=tokenizer.eos_token_id).save_pretrained(home / name)
    tokenizer.chat_template = qwen3_chat_template + " "
    save_rigged(home / "unknown", tokenizer, chain, 4000)
    save_rigged(home / "silent", AutoTokenizer.from_pretrained(home / "silent"), [*"ab", END_OF_TEXT], 300)
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


@pytest.fixture(scope="module")
def run(home):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        run_here(patch, "rlvr", *TURNS, "--output_dir", "run")
    return home / "run"


def replies_of(completion) -> list[str]:
    calls = [call for message in completion for call in message.get("tool_calls") or []]
    return [call["function"]["arguments"]["reply"] for call in calls]


def test_rewards_are_the_episodes(run):
    questions, rewards = Questions("stack-5", 42, template="turns_tool", turns=True, **STACK), []
    for step in (1, 2):
        logged = pd.read_parquet(run / "completions" / f"completions_{step:05d}.parquet")
        for place, (prompt, completion, reward) in enumerate(
            zip(logged["prompt"], logged["completion"], logged["StepsEnvironment"], strict=True)
        ):
            episode = Episode(questions, 2 * (step - 1) + place // 4)
            assert prompt[-1]["content"] == episode.observation
            told_of = [message["content"] for message in completion if message["role"] == "tool"]
            replies = replies_of(completion)
            assert len(told_of) == 5 and len(replies) == 6  # TRL asks once more when there is no tool left to call
            for reply, content in zip(replies, told_of, strict=False):
                episode.step(reply)
                assert content == (episode.observation or "That was the last step.")
            assert reward == pytest.approx(episode.reward)
            rewards.append(reward)
    assert len(set(rewards)) > 1
    assert weights(run) and not same_weights(run, "calls")


def test_it_is_validated_by_steps(run):
    for name in ("eval_step_accuracy", "eval_exact_match", "eval_pass@1", "eval_pass@4"):
        values = [value for _, value in history(run, name)]
        assert len(values) >= 2 and all(0 <= value <= 1 for value in values)
    steps = [value for _, value in history(run, "eval_step_accuracy")]
    assert all(round(10 * value, 6).is_integer() for value in steps)  # of 2 questions with 5 steps each


def test_a_resumed_run_ends_with_the_same_weights(run, monkeypatch):
    words = [*TURNS, "--output_dir", "again"]
    run_here(monkeypatch, "rlvr", *words)
    shutil.rmtree("again/checkpoint-2")
    run_here(monkeypatch, "rlvr", *words, "--resume_from_checkpoint", "true")
    assert same_weights("again", run)


def test_an_environment_keeps_its_state():
    questions = {"train": Questions("stack-5", turns=True, **STACK)}
    environment = StepsEnvironment(questions)
    row = next(iter(StepRows(questions["train"])))
    assert environment.reset(**row) == questions["train"][0].text
    with pytest.raises(ValueError, match="reply must be text, got int"):
        environment.answer(5)
    for _, answer in questions["train"].steps(questions["train"][0].prompt_ids):
        said = environment.answer(" ".join(answer))
    assert said == "That was the last step." and environment.get_reward() == 1
    with pytest.raises(ValueError, match="the episode is over"):
        environment.answer("1")
    assert environment.get_reward() == 1


def test_what_is_rewarded():
    assert {name: [worth(share) for share in (0.5, 1)] for name, worth in REWARDS.items()} == {
        "graded": [0.5, 1],
        "exact": [0, 1],
        "zero": [0, 0],
    }


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ["--task", "sort-4"],
            "environment: sort-4 has no steps; tasks that have: stack, eca, ",
        ),
        (["--curriculum"], "environment: questions in steps have no curriculum"),
        (["--model_name_or_path", "silent"], "environment: silent has no chat template"),
        (["--model_name_or_path", "plain"], "environment: the chat template of plain takes no tools"),
        (["--model_name_or_path", "unknown"], "environment: TRL cannot train with the chat template of unknown"),
        (["--model_name_or_path", "short"], "max_completion_length 900 behind a prompt of "),
    ],
)
def test_what_cannot_be_asked_in_steps(words, reason, home, monkeypatch, capsys):
    assert reason in error_of(monkeypatch, capsys, home, "rlvr", *TURNS, *words)


def test_a_checkpoint_of_tokens_calls_no_tools(home, monkeypatch, capsys):
    words = [*TURNS[:7], "--init_from", "calls", "--max_steps", "2"]
    assert "environment: --init_from is of the task's tokens" in error_of(monkeypatch, capsys, home, "rlvr", *words)

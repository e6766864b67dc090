"""Evaluation through lm-eval: against the recipes' own evaluations and plain computations; Core, cards, mistakes."""

import dataclasses
import functools
import json
import math
import re
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask, TaskConfig
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from support.rigged import save_rigged
from support.running import RECIPES, ROOT, TESTS, error_of, run_here
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Replace
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

import hf_procedural as hp
from hf_procedural import metrics
from hf_procedural.data.rows import ValidationRows
from hf_procedural.evaluation import as_rows, checkpoints, harness, in_words, suites, yaml_tasks
from hf_procedural.evaluation.core import _mean_of_categories
from hf_procedural.hub import runs
from hf_procedural.hub.model_card import place_in
from hf_procedural.models import prompting
from hf_procedural.text.tokenizers import train_tokenizer
from hf_procedural.training.finish import predictions

MATHS = TESTS / "data" / "deepmind_math"
QUICK = ["--size", "2_2_16", "--dropout", "0", "--per_device_train_batch_size", "32", "--save_strategy", "no"]
QUICK += ["--learning_rate", "2e-2", "--max_steps", "60", "--eval_steps", "60", "--disable_tqdm", "true"]
ROWS = ["--streaming", "true", "--validation_size", "41"]
RUNS = {  # of pretrain.py: rows with as many labels and with different ones, languages, mixtures, half precision
    "sort": ["--task", "sort-4", "--task_parameters", '{"vocab_size": 6}'],
    "set": ["--task", "set-5", "--task_parameters", '{"vocab_size": 7}', "--per_device_eval_batch_size", "6"],
    "dyck": ["--task", "dyck-2", "--task_parameters", '{"length": 12}', "--data_seed", "7"],
    "mixture": ["--task", "addition-2+stack-5", "--task_parameters", '{"vocab_size": 5}', "--seed", "3"],
    "half": ["--task", "set-5", "--task_parameters", '{"vocab_size": 7}', "--bf16", "true", "--use_cpu", "true"],
}
STUDY = ["--task", "haystack-2", "--task_parameters", '{"vocab_size": 10}', "--seeds", "0", "1"]
TEXT = ["--sequence_length", "64", "--tokenizer_size", "300", "--validation_size", "8", "--limit", "40"]
MODELS = [*RUNS, "study/haystack-2/scratch/seed_0", "study/haystack-2/scratch/seed_1", "maths"]
OFFLINE = ["--suite", "offline"]
DCLM = """hellaswag_zeroshot 0 25; jeopardy 10 0; bigbench_qa_wikidata 10 0; arc_easy 10 25; arc_challenge 10 25;
copa 0 50; commonsense_qa 10 20; piqa 10 50; openbook_qa 0 25; lambada_openai 0 0; hellaswag 10 25; winograd 0 50;
winogrande 0 50; bigbench_dyck_languages 10 0; agi_eval_lsat_ar 3 20; bigbench_cs_algorithms 10 0;
bigbench_operators 10 0; bigbench_repeat_copy_logic 10 0; squad 10 0; coqa 0 0; boolq 10 62;
bigbench_language_identification 10 9.1; mmlu_fewshot 5 25"""  # label, shots, chance in %
WORDS = ["the", "cat", "sat", "under", "a", "tree", "and", "saw", "two", "dogs", "run", "over", "hill", "to", "sea"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder: runs of all kinds, a text model without a run, DCLM's files in small, and what trips a user."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for name, words in RUNS.items():
            run_here(patch, "pretrain", *QUICK, *ROWS, *words, "--output_dir", name)
        run_here(patch, "probe", *QUICK, *STUDY, "--validation_size", "41", "--output_dir", "study")
        run_here(patch, "semantic", *QUICK, *TEXT, "--dataset", "pydoc", "--output_dir", "pydoc")
        text = ["--sequence_length", "256", "--validation_problems", "1", "--dataset", MATHS]
        run_here(patch, "semantic", *QUICK, *text, "--output_dir", "maths")
        generator = np.random.default_rng(0)
        lines = [" ".join(generator.choice(WORDS, 12)) for _ in range(60)]
        tokenizer = train_tokenizer(lines, 400)
        torch.manual_seed(0)
        size = {"vocab_size": len(tokenizer), "n_positions": 1024, "n_embd": 32, "n_layer": 2, "n_head": 2}
        model = GPT2LMHeadModel(GPT2Config(**size, initializer_range=0.3))
        model.save_pretrained("text")
        tokenizer.save_pretrained("text")
        BertForMaskedLM(BertConfig(vocab_size=300, hidden_size=16, num_attention_heads=2)).save_pretrained("bert")
        tokenizer.save_pretrained("bert")
        save_dclm(Path("dclm"), generator)
        Path("nothing").mkdir()
        Path("file.txt").write_text("x")
    return home


def save_dclm(folder, generator) -> None:
    """Files of DCLM's form, with choices of different lengths, and white space that is to be cut."""
    for task in suites.CORE.values():
        rows = []
        for number in range(24):
            said = [" ".join(generator.choice(WORDS, generator.integers(1, 5))) for _ in range(5)]
            name = Path(task.file).name
            row = {"query": f"{name} {number}: {said[0]}? ", "choices": [f"{text}\n" for text in said[1:]]}
            if task.kind == "schema":
                row = {"context_options": [f"The {said[1]} ", f"The {said[2]}"], "continuation": f" {said[3]}"}
            elif task.kind == "language_modeling":
                row = {"context": f"{name} {number}: {said[0]}\n", "continuation": said[1]}
            row |= {} if task.kind == "language_modeling" else {"gold": int(generator.integers(2))}
            rows.append(row | ({"category": "ab"[number % 2]} if task.by_category else {}))
        (folder / task.file).parent.mkdir(parents=True, exist_ok=True)
        Path(f"{folder / task.file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


@pytest.fixture
def evaluate(monkeypatch, tmp_path, capsys):
    """Runs the recipe on copies of models; gives the folder of the copies, and what was printed."""

    def run(*words, models=("text",)):
        copies = [tmp_path / "copies" / model for model in models]
        for model, copy in zip(models, copies, strict=True):
            if not copy.exists():
                shutil.copytree(model, copy)
        run_here(monkeypatch, "run_suite", "--model_name_or_path", *copies, *words)
        return copies[0], capsys.readouterr().out

    return run


def read(folder, name="evaluation_offline.json") -> dict:
    return json.loads(Path(folder, name).read_text())


def values(report) -> dict:
    return {(row["task"], row["metric"]): row["value"] for row in report["figures"]}


# Rows


@pytest.mark.parametrize("model", MODELS)
def test_the_figures_are_those_of_the_run(model, evaluate):
    """Of another code, with other batches: bit for bit what is counted, and the loss to its last digits."""
    folder, _ = evaluate(*OFFLINE, "--batch_size", "5", models=[model])
    found, expected = values(read(folder)), read(model, "eval_results.json")
    (name,) = {task for task, _ in found}
    assert found[name, "exact_match"] == expected["eval_exact_match"]
    assert found[name, "answer_accuracy"] == expected["eval_answer_accuracy"]
    assert found[name, "loss"] == pytest.approx(expected["eval_loss"], abs=1e-6)


def test_the_runs_have_learned_something_to_compare():
    accuracies = [read(model, "eval_results.json")["eval_answer_accuracy"] for model in MODELS]
    matches = [read(model, "eval_results.json")["eval_exact_match"] for model in MODELS]
    assert sum(0.05 < accuracy < 0.95 for accuracy in accuracies) > 6 and sum(0 < match < 1 for match in matches) > 3


def test_a_study_is_all_its_runs(evaluate):
    folder, printed = evaluate(*OFFLINE, models=["study"])
    table = [line.split(" | ") for line in printed.splitlines() if line.startswith("|")]
    assert table[0][2:] == ["seed_0", "seed_1 |"]
    for column, seed in enumerate((0, 1), 2):
        results = read(folder / f"haystack-2/scratch/seed_{seed}", "eval_results.json")
        assert table[2][column].startswith(f"{results['eval_exact_match']:.1%} ± ")
        assert (folder / f"haystack-2/scratch/seed_{seed}/evaluation_offline.json").is_file()


@pytest.mark.parametrize("name", ["set", "dyck", "maths"])
def test_any_model_of_lm_eval_answers_the_same(name):
    """The requests are plain ones: HFLM itself, which reads each for itself, gives what one pass over a row gives."""
    checkpoint = checkpoints.open_checkpoint(name)
    (asked,) = harness.offline(checkpoint, 6)
    (task,) = asked.loaded["tasks"].values()
    task.build_all_requests()
    requests = task.instances[:60]
    plain = HFLM(name, tokenizer=checkpoint.tokenizer, device="cpu", dtype="float32", prefix_token_id=0)
    ours, theirs = (model.loglikelihood(requests) for model in (checkpoints.harness_model(checkpoint, 3), plain))
    assert len(requests) > 20 and len({score for score, _ in ours}) > 10
    same = [place for place, request in enumerate(requests) if request.args[0] == request.args[0].rstrip()]
    assert len(same) > 15  # HFLM moves a space at the end of a context
    assert [ours[place][1] for place in same] == [theirs[place][1] for place in same]
    assert [ours[place][0] for place in same] == pytest.approx([theirs[place][0] for place in same], abs=1e-5)


def test_a_tokenizer_that_reads_other_tokens_than_the_words_is_refused():
    words = Tokenizer(WordLevel({"a": 0, "b": 1, "<pad>": 2}, unk_token="<pad>"))
    words.pre_tokenizer = WhitespaceSplit()
    words.normalizer = Replace("b", "a")
    checkpoint = checkpoints.Checkpoint("here", {}, PreTrainedTokenizerFast(tokenizer_object=words), 8, 8)
    rows = [(["a", "a"], [None, "a"]), (["a", "b", "a"], [None, None, "a"])]
    assert as_rows.rows_task(checkpoint, "good", rows[:1], None).count == 1
    with pytest.raises(ValueError, match="here: its tokenizer reads two otherwise .* 'a' in place of 'b', in row 1"):
        as_rows.rows_task(checkpoint, "two", rows, None)


def test_results_that_are_no_metric_are_told(caplog):
    results = {"alias": "x", "sample_len": 3, "acc,none": 0.5, "acc_stderr,none": 0.1, "f1": 1.0}
    assert list(harness._measured("x", results, None)) == [{"metric": "acc", "value": 0.5, "stderr": 0.1}]
    assert [record.getMessage() for record in caplog.records] == [
        "x: lm-eval gives 'f1', which is no METRIC,FILTER; left out"
    ]


def test_figures_name_the_data_set_of_the_hub():
    """Of lm-eval's own tasks, one or a group; not of files, nor of a folder of this machine."""
    config = {"dataset_path": "cais/mmlu", "dataset_name": "anatomy", "test_split": "test"}
    one = ConfigurableTask.__new__(ConfigurableTask)
    one._config = TaskConfig(**config, output_type="multiple_choice")
    two = ConfigurableTask.__new__(ConfigurableTask)
    two._config = TaskConfig(**config | {"dataset_name": "virology"}, output_type="multiple_choice")
    dataset = {"id": "cais/mmlu", "config": "anatomy", "split": "test", "revision": None}
    assert harness._dataset_on_hub([one]) == {"dataset": dataset}
    assert harness._dataset_on_hub([one, two]) == {"dataset": dataset | {"config": None}}
    two._config.dataset_path = "allenai/ai2_arc"
    assert harness._dataset_on_hub([one, two]) == {}
    for path in (None, "json", "/data/mine", str(ROOT / "tests")):
        two._config.dataset_path = path
        assert harness._dataset_on_hub([two]) == {}
    two._config.dataset_path = "me/mine"
    two._config.dataset_kwargs = {"revision": "v1"}
    assert harness._dataset_on_hub([two])["dataset"]["revision"] == "v1"


def test_requests_of_several_tokens_and_of_several_rows(home):
    """As lm-eval may send them: rows that begin alike, one within another, and the same request twice."""
    checkpoint = checkpoints.open_checkpoint("sort")
    pairs = [("1 2", " 3 4"), ("1 2 3 4", " <sep>"), ("1 2", " 3"), ("1", " 2 3 4"), ("1 2 3", " 4"), ("1 2", " 3")]
    pairs += [("4 4", " 4 4 <sep>"), ("4 4", " 4")]
    requests = [Instance("loglikelihood", {}, pair, 0) for pair in pairs]
    model, answers = (
        AutoModelForCausalLM.from_pretrained("sort").eval(),
        checkpoints.harness_model(checkpoint, 2).loglikelihood(requests),
    )
    for (context, continuation), (score, greedy) in zip(pairs, answers, strict=True):
        ids = checkpoint.tokenizer(context + continuation, return_tensors="pt")["input_ids"]
        begin = len(context.split())
        with torch.no_grad():
            logs = model(ids).logits[0].log_softmax(-1)[begin - 1 : -1]
        assert score == pytest.approx(float(logs.gather(1, ids[0, begin:, None]).sum()), abs=1e-5)
        assert greedy == bool((logs.argmax(-1) == ids[0, begin:]).all())


@pytest.mark.parametrize("name", ["set", "mixture"])
def test_rows_have_their_turns(name, monkeypatch):
    checkpoint = checkpoints.open_checkpoint(name)
    model = checkpoints.harness_model(checkpoint)
    (asked,) = harness.offline(checkpoint, None)
    whole = harness.figures(model, asked)
    monkeypatch.setattr(as_rows, "_MEMORY", 20_000)
    (task,) = asked.loaded["tasks"].values()
    assert sum(1 for _ in task.turns()) > 3
    for ours, theirs in zip(harness.figures(model, asked), whole, strict=True):
        assert ours == theirs | {"value": pytest.approx(theirs["value"], abs=1e-6)}


def test_the_first_rows_and_their_standard_error(evaluate):
    """Against plain torch, on as many rows as --limit says; a file of its own, and a trial in the card."""
    folder, printed = evaluate(*OFFLINE, "--limit", "13", models=["set"])
    task = hp.task("set-5", vocab_size=7)
    rows = ValidationRows(task, 42, 13)
    ids, labels = (torch.stack([row[name] for row in rows]) for name in ("input_ids", "labels"))
    with torch.no_grad():
        guesses = predictions(AutoModelForCausalLM.from_pretrained("set")(ids).logits, labels)
    scored = labels != -100
    right = (((guesses == labels) | ~scored).all(1)).double().numpy()
    (exact, share, _) = read(folder, "evaluation_offline_first_13.json")["figures"]
    assert (exact["value"], exact["documents"], exact["shots"]) == (right.mean(), 13, None)
    assert share["value"] == float((guesses == labels)[scored].double().mean())
    assert exact["stderr"] == pytest.approx(right.std(ddof=1) / math.sqrt(13))
    assert "the first 13 of each task: a trial" in printed and not (folder / "evaluation_offline.json").exists()
    card = ModelCard.load(folder / "README.md")
    assert "**A trial:** the first 13" in card.text
    assert all("lm-evaluation-harness" not in result.dataset_name for result in card.data.eval_results)


def test_another_task_over_the_same_words(evaluate):
    """By its own parameters, with rows of seed 42; the own task by name has the run's."""
    words = ["--tasks", "reverse-3", "--task_parameters", '{"vocab_size": 6}']
    folder, _ = evaluate(*words, models=["sort"])
    (exact, share, _) = read(folder, "evaluation_tasks.json")["figures"]
    assert exact["documents"] == as_rows.ROWS and 0 < share["value"] < 1
    folder, _ = evaluate("--tasks", "sort-4", models=["sort"])
    assert values(read(folder, "evaluation_tasks.json")) == pytest.approx(
        {
            ("sort-4", name): read("sort", "eval_results.json")[f"eval_{name}"]
            for name in ("exact_match", "answer_accuracy", "loss")
        },
        abs=1e-6,
    )


# Text


def test_text_is_scored_as_by_hand(evaluate):
    folder, _ = evaluate(*OFFLINE, models=["text"])
    checkpoint = checkpoints.open_checkpoint("text")
    texts = ["the cat sat\nunder a tree", "two dogs over the hill"]
    task = in_words.held_out_text(checkpoint, "two texts", texts)
    found = harness.figures(checkpoints.harness_model(checkpoint), harness.Asked.one("two texts", task))
    model, total = AutoModelForCausalLM.from_pretrained("text").double().eval(), 0.0
    for text in texts:
        ids = torch.tensor([[0, *checkpoint.tokenizer(text)["input_ids"]]])  # <|endoftext|> before it
        with torch.no_grad():
            logs = model(ids).logits[0, :-1].log_softmax(-1)
        total += float(logs.gather(1, ids[0, 1:, None]).sum())
    bytes_, spaces = (
        sum(len(re.findall(what, text)) + more for text in texts) for what, more in ((r"[\s\S]", 0), (r"\s+", 1))
    )
    expected = {"word_perplexity": math.exp(-total / spaces), "byte_perplexity": math.exp(-total / bytes_)}
    expected["bits_per_byte"] = -total / bytes_ / math.log(2)
    assert {row["metric"]: row["value"] for row in found} == pytest.approx(expected, rel=1e-5)
    assert {task for task, _ in values(read(folder))} == {"pydoc", *in_words.PROBES}


@pytest.fixture(scope="module")
def around(home):
    """A model of text whose tokenizer puts <s> before a text and </s> behind it, and has a chat template."""
    tokenizer = AutoTokenizer.from_pretrained(home / "text")
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    names = [("<s>", tokenizer.bos_token_id), ("</s>", tokenizer.eos_token_id)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=names)
    says = "{{ bos_token }}{% for message in messages %}[{{ message.role }}] {{ message.content }}{% endfor %}"
    tokenizer.chat_template = says + "{% if add_generation_prompt %}[assistant]{% endif %}"
    torch.manual_seed(1)
    size = {"vocab_size": len(tokenizer), "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2}
    GPT2LMHeadModel(GPT2Config(**size, initializer_range=0.3)).save_pretrained(home / "around")
    tokenizer.save_pretrained(home / "around")
    return checkpoints.open_checkpoint(str(home / "around"))


def plain_logs(model, ids: list[int], begin: int) -> float:
    """The log-probability of tokens from number `begin` on, in float64."""
    with torch.no_grad():
        logs = model(torch.tensor([ids])).logits[0, begin - 1 : -1].log_softmax(-1)
    return float(logs.gather(1, torch.tensor(ids[begin:])[:, None]).sum())


def test_special_tokens_count_once(around):
    """bos is what a document is predicted behind, and is not predicted; no eos stands where a text goes on."""
    texts = ["the cat sat\nunder a tree", " ".join(40 * ["hill"])]  # the second is longer than the positions
    task = in_words.held_out_text(around, "two texts", texts)
    model = checkpoints.harness_model(around)
    found = harness.figures(model, harness.Asked.one("two texts", task))
    plain = AutoModelForCausalLM.from_pretrained("around").double().eval()
    begin, end = around.tokenizer.bos_token_id, around.tokenizer.eos_token_id
    total = 0.0
    for text in texts:
        ids = [begin, *around.tokenizer(text, add_special_tokens=False)["input_ids"]]
        last = len(ids) - 1
        if last > 64:  # lm-eval fills up the last window with what stands before
            total += plain_logs(plain, ids[: 64 + 1], 1) + plain_logs(plain, ids[last - 64 :], 64 - (last - 64) + 1)
        else:
            total += plain_logs(plain, ids, 1)
    bits = {row["metric"]: row["value"] for row in found}["bits_per_byte"]
    assert bits == pytest.approx(-total / sum(map(len, texts)) / math.log(2), rel=1e-5)
    request = Instance("loglikelihood", {}, ("the cat", " sat under"), 0)
    ((score, _),) = model.loglikelihood([request])
    context = [begin, *around.tokenizer("the cat", add_special_tokens=False)["input_ids"]]
    whole = [begin, *around.tokenizer("the cat sat under", add_special_tokens=False)["input_ids"]]
    assert score == pytest.approx(plain_logs(plain, whole, len(context)), rel=1e-5)
    batch, _ = model.tok_batch_encode(["the cat"])
    assert batch.tolist() == [context] and prompting.special_around(around.tokenizer) == ([begin], [end])


# Tasks in YAML files


YAML = """
dataset_path: json
dataset_kwargs: {data_files: {test: QUESTIONS}}
test_split: test
doc_to_text: "{{ question }}"
doc_to_target: "{{ choices[gold] }}"
output_type: loglikelihood
"""
ASKED = [{"question": f"the {word} saw", "choices": ["two dogs", "the sea"], "gold": 0} for word in WORDS]


@pytest.fixture
def yamls(tmp_path):
    """A function that writes YAML tasks over `ASKED` into a folder, which it gives."""
    questions = tmp_path / "questions.jsonl"
    questions.write_text("".join(json.dumps(row) + "\n" for row in ASKED))
    folder = tmp_path / "my_tasks"
    folder.mkdir()
    (folder / "base").write_text(YAML.replace("QUESTIONS", str(questions)))

    def write(**files: str):
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text)
        return folder

    return write


CHOOSE = """
include: base
task: choose
output_type: multiple_choice
doc_to_choice: "{{ choices }}"
doc_to_target: gold
num_fewshot: 1
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""
SAY = """
include: base
task: say
output_type: generate_until
generation_kwargs: {until: ["\\n"], max_gen_toks: 4}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""


def test_yaml_tasks_of_the_users_own(evaluate, yamls, around):
    """A file, and a folder, whose groups have their members for themselves; shots, chat template and samples."""
    mine = yamls(choose=CHOOSE, say=SAY, roll="include: base\ntask: roll\noutput_type: loglikelihood_rolling")
    folder, _ = evaluate("--tasks", mine / "choose.yaml", "--limit", "6", models=["text"])
    ((name, metric), value) = values(read(folder, "evaluation_tasks_first_6.json")).popitem()
    assert (name, metric) == ("choose", "acc") and not list(folder.glob("samples_*"))
    yamls(all="group: all\ntask: [choose, say]")
    words = ["--tasks", mine, "--num_fewshot", "2", "--apply_chat_template", "--log_samples", "--limit", "6"]
    folder, printed = evaluate(*words, models=["around"])
    report = read(folder, "evaluation_tasks_first_6.json")
    shots = {row["task"]: row["shots"] for row in report["figures"]}
    assert set(shots) == {"choose", "say", "roll"} and shots["choose"] == shots["say"] == 2
    files = {
        re.match(r"samples_(\w+)_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d+\.jsonl", name)[1]: name
        for name in report["samples"]
    }
    assert set(files) == {"choose", "say", "roll"}
    samples = [json.loads(line) for line in (folder / files["choose"]).read_text().splitlines()]
    assert [sample["doc"] for sample in samples] == ASKED[:6]
    accuracy = values(report)["choose", "acc"]
    assert np.mean([sample["acc"] for sample in samples]) == accuracy
    asked = samples[0]["arguments"]["gen_args_0"]
    *shown, question = re.split(r"(?=\[user\])", asked["arg_0"])
    assert shown[0] == "<s>" and len(shown) == 3 and question == "[user] the the saw[assistant]"
    assert all(re.fullmatch(r"\[user\] the \w+ saw\[assistant\] ?two dogs", text) for text in shown[1:])
    plain = AutoModelForCausalLM.from_pretrained("around").double().eval()
    encode = functools.partial(around.tokenizer.encode, add_special_tokens=False)
    whole = encode(asked["arg_0"] + asked["arg_1"])  # bos stands in the template, and not twice
    score = plain_logs(plain, whole[-65:], len(encode(asked["arg_0"])) - max(0, len(whole) - 65))
    assert float(samples[0]["resps"][0][0][0]) == pytest.approx(score, rel=1e-4)
    assert "| choose | 2 | acc |" in printed


REFUSED = {
    "function": ("task: a\nprocess_docs: !function code.run", "runs Python (!function code.run): add --confirm_run_un"),
    "class": ("task: a\nclass: !function code.run", "runs Python ("),
    "script": (
        "include: base\ntask: a\nmetric_list: [{metric: some/script}]",
        "runs Python (the metric 'some/script' is none of lm-eval's",
    ),
    "in a member": (
        "group: a\ntask: [{task: b, process_docs: !function code.run}]",
        "runs Python (!function code.run)",
    ),
    "template": (
        'include: base\ntask: a\ndoc_to_text: "{{ question.__class__ }}"',
        "cannot be loaded by lm-eval: SecurityError: access to attribute '__class__'",
    ),
    "object": ("task: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
    "yaml": ("task: [a", "cannot be read: while parsing"),
    "list": ("- task", "must hold keys and values, got list"),
    "no task": ("x: 1", "has no task of lm-eval: no YAML with the key task or group"),
    "loop": ("task: a\nmetric_list: &a [*a]", "wrong.yaml cannot be read: a value holds itself"),
    "metrics": ("task: a\nmetric_list: [{metric: [acc]}]", """the metric "['acc']" is none of lm-eval's"""),
    "itself": ("include: wrong.yaml\ntask: a", "includes itself"),
    "column": ('include: base\ntask: a\ndoc_to_text: "{{ quest }}"', "UndefinedError: 'quest' is undefined"),
    "key": ("include: base\ntask: a\nnum_fewshots: 3", "num_fewshots"),
    "data": ("task: a\ndataset_path: json\ndataset_kwargs: {data_files: none.json}", "cannot be loaded by lm-eval"),
    "empty group": ("group: a\ntask: []", "is a group without a task"),
    "long text": (SAY.replace("4}", "64}"), "around reads 64 tokens, and say generates 64 (max_gen_toks)"),
    "long answer": ('include: base\ntask: a\ndoc_to_target: "{{ 99 * question }}"', "and an answer of a has"),
}


@pytest.mark.parametrize("text, message", REFUSED.values(), ids=REFUSED.keys())
def test_yaml_that_is_refused(text, message, yamls, around):
    """Also what would run Python, which is not run."""
    mine = yamls(wrong=text)
    (mine / "code.py").write_text(f"open({str(mine / 'ran')!r}, 'w')\ndef run(docs=None): return docs")
    for place in (mine, mine / "wrong.yaml"):
        with pytest.raises(ValueError) as error, yaml_tasks.sandboxed(True):
            harness.named(around, [str(place)], None, None)
        assert message in str(error.value) and "\n" not in str(error.value)
    assert not (mine / "ran").exists()


def test_python_of_a_yaml_runs_where_it_was_asked_for(yamls, around):
    mine = yamls(a="include: base\ntask: a\nprocess_docs: !function code.run")
    (mine / "code.py").write_text("def run(docs): return docs.select(range(3))")
    (asked,) = harness.named(around, [str(mine)], None, None, harness.Options(confirm_run_unsafe_code=True))
    assert len(asked.loaded["tasks"]["a"].eval_docs) == 3


def test_a_run_on_text_has_its_own_text_too(evaluate, monkeypatch, tmp_path):
    lines = [{"text": " ".join(np.random.default_rng(number).choice(WORDS, 30))} for number in range(60)]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = [
        *QUICK,
        "--max_steps",
        "2",
        *TEXT[:-2],
        "--dataset",
        tmp_path / "own.jsonl",
        "--output_dir",
        tmp_path / "own",
    ]
    run_here(monkeypatch, "semantic", *words)
    checkpoint = checkpoints.open_checkpoint(str(tmp_path / "own"))
    assert list(in_words.text_of_run(checkpoint)) == [line["text"] for line in lines[19::20]]
    names = [asked.name for asked in harness.offline(checkpoint, None)]
    assert names == ["pydoc", "own validation text", *in_words.PROBES]
    (tmp_path / "code.jsonl").write_text("".join(json.dumps({"code": str(n)}) + "\n" for n in range(20)))
    mixed = [f"{tmp_path}/own.jsonl::train", {"name": f"{tmp_path}/code.jsonl", "split": "train"}]
    recipe = checkpoint.recipe | {"dataset": [*mixed, "procedural:sort-6"], "text_column": ["text", "code"]}
    mixture = dataclasses.replace(checkpoint, recipe=recipe)
    assert list(in_words.text_of_run(mixture)) == [*[line["text"] for line in lines[19::20]], "19"]
    (tmp_path / "own.jsonl").unlink()
    assert in_words.text_of_run(checkpoint) is None
    monkeypatch.setattr(in_words, "TEXT_BYTES", 25)
    cut = in_words.held_out_text(checkpoint, "cut", ["ten bytes ", "ün" * 20, "never read"])
    assert [row["text"] for row in cut.eval_docs] == ["ten bytes ", "ün" * 5]
    assert [asked.name for asked in harness.offline(checkpoints.open_checkpoint("pydoc"), None)] == [
        "pydoc",
        *in_words.PROBES,
    ]


def test_probes_in_words(tmp_path):
    """A model that always says 2 is right where the answer is 2; five solved examples stand before each question."""
    save_rigged(tmp_path, train_tokenizer(["no merges"], 257), [":", "Ġ", "2"], 2048)
    checkpoint = checkpoints.open_checkpoint(str(tmp_path))
    (asked,) = harness.named(checkpoint, ["haystack-2"], {"vocab_size": 20}, 60)
    (task,) = asked.loaded["tasks"].values()
    answers = [row["answer"] for row in task.eval_docs]
    (row,) = harness.figures(checkpoints.harness_model(checkpoint), asked)
    assert 2 < answers.count("2") < 20 and (row["shots"], row["documents"]) == (5, 60)
    assert row["value"] == answers.count("2") / 60
    prompt = task.instances[0].args[0]
    assert prompt.startswith("Task: find the value of the queried key among pairs of keys and values\n\nInput: k")
    shown = re.findall(r"Input: (.*) \?(.)\nAnswer: (.)\n\n", prompt)
    assert len(shown) == 5 and all(f"k{key} {value}" in pairs for pairs, key, value in shown)
    assert prompt.endswith(f"Input: {task.eval_docs[0]['question']}\nAnswer:")


# Core


def test_core_is_what_dclm_has():
    listed = [line.split() for line in DCLM.replace("\n", " ").split(";")]
    assert [(label, str(task.shots), task.chance) for label, task in suites.CORE.items()] == [
        (label, shots, pytest.approx(float(chance) / 100)) for label, shots, chance in listed
    ]
    assert list(suites.AVERAGED) == [label for label, *_ in listed[:-1]] and len(suites.AVERAGED) == 22
    assert {task.kind for task in suites.CORE.values()} == {"multiple_choice", "schema", "language_modeling"}


@given(st.dictionaries(st.sampled_from(sorted(suites.CORE)), st.floats(0, 1), min_size=20))
def test_core_is_the_mean_of_22(accuracies):
    found = suites.core(accuracies)
    if set(suites.AVERAGED) - accuracies.keys():
        assert found is None
    else:
        terms = [
            (accuracies[label] - suites.CORE[label].chance) / (1 - suites.CORE[label].chance)
            for label in suites.AVERAGED
        ]
        assert found == pytest.approx(math.fsum(terms) / 22)
        assert suites.core(accuracies | {"mmlu_fewshot": 1.0}) == found
    full = {label: task.chance for label, task in suites.CORE.items()}
    assert suites.core(full) == 0 and suites.core(dict.fromkeys(full, 1.0)) == pytest.approx(1)


@pytest.mark.parametrize("label", suites.CORE)
def test_prompts_of_core(label):
    """Shots are other rows, in MMLU and jeopardy of the category; answers begin with a space and end with the line."""
    checkpoint, dclm = checkpoints.open_checkpoint("text"), suites.CORE[label]
    ((asked,), missing) = harness.core(checkpoint, "dclm", [label])
    (task,) = asked.loaded["tasks"].values()
    task.set_fewshot_seed(1)
    task.build_all_requests(limit=3)
    rows = [json.loads(line) for line in Path("dclm", f"{dclm.file}.jsonl").read_text().splitlines()]
    assert not missing and task.get_config("num_fewshot") == dclm.shots

    def said(row):
        if dclm.kind == "language_modeling":
            return row["context"].strip() + dclm.answer, f" {row['continuation']}"
        return row["query"].strip() + dclm.answer, f" {row['choices'][row['gold']].strip()}"

    for number, row in enumerate(rows[:3]):
        asked = [instance.args for instance in task.instances if instance.doc_id == number]
        if dclm.kind == "schema":
            assert asked == [(text.strip(), row["continuation"]) for text in row["context_options"]]
            continue
        examples = {"".join(said(other)): other for other in rows if other != row}
        *shown, question = re.split(rf"\n(?={Path(dclm.file).name} \d)", asked[0][0])
        assert question == said(row)[0]
        assert len(set(shown)) == dclm.shots and set(shown) <= set(examples)
        if dclm.by_category:
            assert {examples[text]["category"] for text in shown} == {row["category"]}
        choices = [f" {text.strip()}" for text in row.get("choices", ())] or [said(row)[1]]
        assert [pair[1] for pair in asked] == choices and len({pair[0] for pair in asked}) == 1


def by_hand(model, tokenizer, context, continuation) -> tuple[float, int, bool]:
    """Log-probability of a continuation, its tokens, and whether they are greedy, in float64."""
    ids = torch.tensor([tokenizer(context + continuation)["input_ids"]])
    begin = len(tokenizer(context)["input_ids"])
    with torch.no_grad():
        logs = model(ids).logits[0, begin - 1 : -1].log_softmax(-1)
    return (
        float(logs.gather(1, ids[0, begin:, None]).sum()),
        ids.shape[1] - begin,
        bool((logs.argmax(-1) == ids[0, begin:]).all()),
    )


def test_core_from_beginning_to_end(evaluate):
    """Without shots against plain float64; then the report, the table and the card."""
    folder, printed = evaluate("--suite", "core", "--data", "dclm", models=["pydoc"])
    report = read(folder, "evaluation_core.json")
    accuracies = {row["task"]: row["value"] for row in report["figures"]}
    assert set(accuracies) == set(suites.CORE) and report["missing"] == {} and report["limit"] is None
    assert report["core"] == pytest.approx(suites.core(accuracies)) and len(report["core_is_the_mean_of"]) == 22
    assert report["versions"].keys() >= {"lm_eval", "torch", "transformers"}
    for row in report["figures"]:
        task = suites.CORE[row["task"]]
        assert (row["metric"], row["shots"], row["chance"], row["documents"]) == (
            "accuracy",
            task.shots,
            task.chance,
            24,
        )
        assert row["centred"] == pytest.approx((row["value"] - task.chance) / (1 - task.chance)) and row["version"] == 1
        assert ("stderr" in row) != task.by_category
    table = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 23 + 1 and table[-1].startswith("| Core |") and f"{report['core']:.4f}" in table[-1]
    card = ModelCard.load(folder / "README.md")
    results = {result.dataset_type: result for result in card.data.eval_results if result.dataset_config == "core"}
    assert {name: result.metric_value for name, result in results.items()} == accuracies
    (core,) = [result for result in card.data.eval_results if result.dataset_type == "dclm_core"]
    assert core.metric_value == report["core"] and f"**{report['core']:.4f}**" in card.text


def test_accuracies_without_shots():
    checkpoint = checkpoints.open_checkpoint("text")
    model, tokenizer = AutoModelForCausalLM.from_pretrained("text").double().eval(), checkpoint.tokenizer
    labels = [label for label, task in suites.CORE.items() if not task.shots]
    tasks, _ = harness.core(checkpoint, "dclm", labels)
    loaded = checkpoints.harness_model(checkpoint)
    differ = 0
    for asked in tasks:
        dclm = suites.CORE[asked.name]
        right = []
        for line in Path("dclm", f"{dclm.file}.jsonl").read_text().splitlines():
            row = json.loads(line)
            if dclm.kind == "language_modeling":
                right.append(by_hand(model, tokenizer, row["context"].strip(), f" {row['continuation']}")[2])
            elif dclm.kind == "schema":
                sums = [
                    by_hand(model, tokenizer, text.strip(), row["continuation"])[0] for text in row["context_options"]
                ]
                right.append(np.argmax(sums) == row["gold"])
            else:
                found = [by_hand(model, tokenizer, row["query"].strip(), f" {text.strip()}") for text in row["choices"]]
                right.append(np.argmax([score / count for score, count, _ in found]) == row["gold"])
                differ += np.argmax([score for score, *_ in found]) != np.argmax(
                    [score / count for score, count, _ in found]
                )
        (row,) = harness.figures(loaded, asked)
        assert row["value"] == np.mean(right), asked.name
    assert len(labels) == 7 and differ > 10  # a sum would be another measure


def test_categories_count_alike():
    assert _mean_of_categories([("a", 1.0), ("a", 0.0), ("a", 0.0), ("a", 0.0), ("b", 1.0)]) == pytest.approx(0.625)


def test_a_task_that_cannot_be_had_is_absent(evaluate, tmp_path):
    shutil.copytree("dclm", tmp_path / "dclm")
    for label in ("copa", "mmlu_fewshot"):
        (tmp_path / "dclm" / f"{suites.CORE[label].file}.jsonl").write_text("{damaged")
    folder, printed = evaluate("--suite", "core", "--data", tmp_path / "dclm", models=["pydoc"])
    report = read(folder, "evaluation_core.json")
    assert set(report["missing"]) == {"copa", "mmlu_fewshot"} and "core" not in report and len(report["figures"]) == 21
    assert "copa could not be computed: " in printed and "Core is not reported" in printed
    assert "There is no Core, since copa, mmlu_fewshot could not" in Path(folder, "README.md").read_text()


# The recipe


def test_several_models_side_by_side(evaluate):
    folder, printed = evaluate("--tasks", "core:piqa", "haystack-2", "--data", "dclm", models=["text", "pydoc"])
    table = [line.split(" | ") for line in printed.splitlines() if line.startswith("|")]
    assert table[0] == ["| task", "shots", "metric", "chance", "text", "pydoc |"] and len(table) == 4
    for column, name in ((4, "text"), (5, "pydoc |")):
        report = read(folder.parent / name.split()[0], "evaluation_tasks.json")
        assert table[2][column].startswith(f"{values(report)['piqa', 'accuracy']:.1%} ± ")
    assert not Path(folder.parent, "text", "README.md").exists()  # no run, no card


def test_names_of_lm_eval(evaluate, monkeypatch, tmp_path):
    """A task, a group and a tag of a small collection, as lm-eval's own are read."""
    piqa = {
        "task": "one",
        "dataset_path": "json",
        "output_type": "multiple_choice",
        "test_split": "test",
        "tag": "both",
    }
    piqa |= {
        "dataset_kwargs": {"data_files": {"test": "dclm/commonsense_reasoning/copa.jsonl"}},
        "doc_to_text": "query",
    }
    piqa |= {
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    }
    mean = {"metric": "acc", "weight_by_size": True}
    files = {"one": piqa, "two": piqa | {"task": "two"}, "all": {"group": "all", "task": ["one", "two"]}}
    files["all"]["aggregate_metric_list"] = [mean]
    for name, content in files.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    manager = TaskManager(include_defaults=False, include_path=str(tmp_path))
    monkeypatch.setattr(harness, "_manager", lambda: manager)
    folder, printed = evaluate("--tasks", "one")
    single = values(read(folder, "evaluation_tasks.json"))
    assert set(single) == {("one", "acc"), ("one", "acc_norm")}
    evaluate("--tasks", "all")
    assert values(read(folder, "evaluation_tasks.json")) == {("all", "acc"): single["one", "acc"]}
    evaluate("--tasks", "both")
    assert set(values(read(folder, "evaluation_tasks.json"))) == {
        (a, b) for a in ("one", "two") for b in ("acc", "acc_norm")
    }
    with pytest.raises(ValueError, match="neither we nor lm-eval .* have a task 'bot': did you mean both\\?$"):
        harness.named(checkpoints.open_checkpoint("text"), ["bot"], None, None)


def test_the_card_keeps_its_place_and_is_made_once(evaluate, tmp_path):
    folder, _ = evaluate(*OFFLINE, models=["set"])
    runs.write_card(folder, "me/tiny")
    Path(folder, "README.md").write_text(Path(folder, "README.md").read_text() + "\nMy own words.\n")
    evaluate(*OFFLINE, models=["set"])
    first = Path(folder, "README.md").read_text()
    evaluate(*OFFLINE, models=["set"])
    assert Path(folder, "README.md").read_text() == first and "My own words." in first
    assert place_in(folder) == "me/tiny" and first.count("### Suite `offline`") == 1
    results = ModelCard(first).data.eval_results
    found = {result.metric_name: result.metric_value for result in results if result.dataset_config == "offline"}
    assert found == {name.replace("_", " "): value for (_, name), value in values(read(folder)).items()}


def test_where_the_figures_go(evaluate, tmp_path, monkeypatch):
    for output, file in (("out", "out/evaluation_offline.json"), ("deep/own.json", "deep/own.json")):
        folder, _ = evaluate(*OFFLINE, "--limit", "3", "--output_dir", tmp_path / output, models=["sort"])
        file = file.replace("offline.json", "offline_first_3.json")
        assert read(tmp_path, file)["model"] == str(folder) and not list(folder.glob("evaluation_*"))
    recipe = runpy.run_path(str(RECIPES / "run_suite.py"))
    args = recipe["EvaluateArguments"](model_name_or_path=["ORG/MODEL"], suite="core")
    assert recipe["output_of"]("ORG/MODEL", args, False) == Path("runs/evaluate_MODEL/evaluation_core.json")
    labels = recipe["labels_of"](["a/b/x", "a/c/x", "y"])
    assert list(labels.values()) == ["b/x", "c/x", "y"]


def test_the_library_of_the_same_name(monkeypatch):
    """recipes/evaluate.py hides Hugging Face's evaluate from what stands beside it, but not from us."""
    monkeypatch.syspath_prepend(RECIPES)
    monkeypatch.delitem(sys.modules, "run_suite", raising=False)
    assert metrics.load("exact_match").compute(predictions=[[1]], references=[[1]]) == {"exact_match": 1.0}
    assert Path(sys.modules["evaluate"].__file__).parent.name == "evaluate"
    assert sys.path.index(str(RECIPES)) == 0


MISTAKES = {
    "no model": (["--suite", "core"], "model_name_or_path is missing: give --model_name_or_path runs/sort"),
    "no suite": (["--model_name_or_path", "text"], "give one of --suite (core or offline) and --tasks"),
    "both": (["--model_name_or_path", "text", "--suite", "core", "--tasks", "piqa"], "give one of --suite"),
    "suite": (["--model_name_or_path", "text", "--suite", "of"], "suite must be core or offline, got 'of'"),
    "near suite": (["--model_name_or_path", "text", "--suite", "offlin"], "got 'offlin': did you mean offline?"),
    "no such model": (["--model_name_or_path", "no/such", *OFFLINE], "no/such: no model there ("),
    "empty folder": (["--model_name_or_path", "nothing", *OFFLINE], "nothing holds no run: "),
    "twice": (["--model_name_or_path", "text", "text/", *OFFLINE], "model_name_or_path: text is named twice"),
    "task twice": (["--model_name_or_path", "text", "--tasks", "piqa", "piqa"], "tasks: piqa is named twice"),
    "bert": (
        ["--model_name_or_path", "bert", *OFFLINE],
        "bert is no causal language model of transformers but BertForMaskedLM",
    ),
    "words only": (
        ["--model_name_or_path", "sort", "--suite", "core", "--data", "dclm"],
        "sort: its tokenizer knows the words of its task alone and cannot read DCLM's Core",
    ),
    "unknown word": (
        ["--model_name_or_path", "sort", "--tasks", "haystack-2"],
        "sort: its tokenizer cannot read haystack-2, it has no",
    ),
    "long rows": (
        ["--model_name_or_path", "sort", "--tasks", "sort-9", "--task_parameters", '{"vocab_size": 6}'],
        "sort has 9 positions, sort-9 takes 18",
    ),
    "task": (
        ["--model_name_or_path", "sort", "--tasks", "sort-x"],
        "sort-x: the size after the dash must be an integer",
    ),
    "parameter": (
        ["--model_name_or_path", "text", "--tasks", "sort-4", "--task_parameters", '{"vocabsize": 6}'],
        "sort: unknown parameter 'vocabsize': did you mean vocab_size?",
    ),
    "parameters of a suite": (
        ["--model_name_or_path", "text", *OFFLINE, "--task_parameters", '{"length": 6}'],
        "task_parameters: they are of our tasks",
    ),
    "core label": (
        ["--model_name_or_path", "text", "--tasks", "core:pika"],
        "core:pika is none of DCLM's Core: did you mean piqa?",
    ),
    "language": (["--model_name_or_path", "text", "--tasks", "dyck-2"], "dyck-2: a language has no answers"),
    "long answers": (
        ["--model_name_or_path", "pydoc", "--tasks", "sorting-40"],
        "pydoc reads 64 tokens, and an answer of sorting-40",
    ),
    "no network": (
        ["--model_name_or_path", "text", "--suite", "core"],
        "the data of hellaswag_zeroshot cannot be had: Unable to find 'h",
    ),
    "no data": (["--model_name_or_path", "text", "--suite", "core", "--data", "no"], "data: there is no folder no"),
    "empty data": (
        ["--model_name_or_path", "text", "--suite", "core", "--data", "nothing"],
        "hellaswag_zeroshot cannot be had: Unable",
    ),
    "limit": (["--model_name_or_path", "text", *OFFLINE, "--limit", "0"], "limit must be at least 1, got 0"),
    "batch": (["--model_name_or_path", "text", *OFFLINE, "--batch_size", "0"], "batch_size must be at least 1, got 0"),
    "dtype": (
        ["--model_name_or_path", "text", *OFFLINE, "--dtype", "int8"],
        "dtype must be auto, float32, bfloat16 or float16, got",
    ),
    "device": (
        ["--model_name_or_path", "text", *OFFLINE, "--device", "gpu"],
        "device must be cpu, cuda or cuda:N, got 'gpu'",
    ),
    "no device": (
        ["--model_name_or_path", "text", *OFFLINE, "--device", "cuda:9"],
        "device 'cuda:9' is not there: this machine has",
    ),
    "output": (
        ["--model_name_or_path", "text", *OFFLINE, "--output_dir", "file.txt"],
        "output_dir file.txt/evaluation_offline.json: ",
    ),
    "one output": (
        ["--model_name_or_path", "text", "sort", *OFFLINE, "--output_dir", "x"],
        "output_dir: one place for 2 models",
    ),
    "shots of a suite": (
        ["--model_name_or_path", "text", *OFFLINE, "--num_fewshot", "2"],
        "num_fewshot: offline says itself how it asks; give --tasks",
    ),
    "shots of Core": (
        ["--model_name_or_path", "text", "--tasks", "core:piqa", "--num_fewshot", "2"],
        "num_fewshot: DCLM's Core says itself",
    ),
    "shots of rows": (
        ["--model_name_or_path", "sort", "--tasks", "sort-4", "--num_fewshot", "2"],
        "num_fewshot: sort reads sort-4 as rows of tokens",
    ),
    "too many shots": (
        ["--model_name_or_path", "text", "--tasks", "haystack-2", "--num_fewshot", "99"],
        "no requests can be made of haystack-2, num_fewshot 99: Sample larger",
    ),
    "chat template": (
        ["--model_name_or_path", "text", "--tasks", "haystack-2", "--apply_chat_template"],
        "apply_chat_template: the tokenizer of text has no chat template",
    ),
    "no yaml": (
        ["--model_name_or_path", "text", "--tasks", "no/such.yaml"],
        "tasks: there is no file or folder no/such",
    ),
    "yaml of words": (
        ["--model_name_or_path", "sort", "--tasks", "no/such.yaml"],
        "sort: its tokenizer knows the words of its task alone and cannot read no/such.yaml",
    ),
    "unknown flag": (
        ["--model_name_or_path", "text", "--suits", "core"],
        "unknown argument --suits: did you mean --suite?",
    ),
}


@pytest.mark.parametrize("words, message", MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(words, message, home, monkeypatch, capsys):
    assert message in error_of(monkeypatch, capsys, home, "run_suite", *words)


def test_without_lm_eval(monkeypatch, capsys, home):
    needing = ("lm_eval", "hf_procedural.evaluation")
    for name in [name for name in sys.modules if name.startswith(needing)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    words = ["--suite", "core", "--model_name_or_path", "sort"]
    assert "pip install 'hf-procedural[eval]'" in error_of(monkeypatch, capsys, home, "run_suite", *words)


def test_tokenizers_that_cannot_read():
    """DeepMind-Math's knows characters, but no line break."""
    checkpoint = checkpoints.open_checkpoint("maths")
    with pytest.raises(ValueError, match="cannot read some text: '\\\\n' is unknown to it"):
        in_words.held_out_text(checkpoint, "some text", ["one line\nand another"])
    assert AutoTokenizer.from_pretrained("maths").unk_token == "<unk>"

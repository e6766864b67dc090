"""Footguns: what surprises in the libraries below us, from the heads of findings/*.sh, with what to do about each."""

import re
from pathlib import Path

from ._words import plain, prose

FINDINGS = Path(__file__).parents[2] / "findings"
_HEAD = """# Footguns

What surprises in the libraries below us, and is no fault of a run's settings. Each has a script in the repository's
`findings/`: it installs the versions that are named into an environment of its own, shows what happens, and fails once
it has changed (`bash findings/NAME.sh`; it needs the network, and minutes of pip). What our recipes do, and what you do
in a script of your own, stands last. What we lean on in these libraries is told in [upstream](upstream.md).
"""

# By subject: each finding, what it is in a line, and what to do.
SUBJECTS = {
    "Resuming": {
        "done_run_takes_a_step": (
            "A run that is done takes one more step when it is resumed",
            "Our recipes ask whether steps are left before they take one: the same command, given again, leaves the "
            "same weights. In a script of your own, look at `global_step` of the last checkpoint first.",
        ),
        "galore_apollo_cannot_resume": (
            "GaLore and APOLLO cannot go on from a checkpoint",
            "Our recipes refuse such a resume, and say so when the run begins. Give a run with these optimizers the "
            "time that it needs in one piece.",
        ),
        "schedule_free_best_model": (
            "Schedule-Free: the best model is changed by the next evaluation",
            "Our recipes call `optimizer.eval()` before a checkpoint is saved and where training ends. Do so in a "
            "callback of your own, or evaluate and save at the same steps.",
        ),
        "mix_resumed_at_its_first_batch": (
            "A mix of streams, saved too early, goes on as another mix",
            "Save the state of a `StatefulDataLoader` once each worker has given a batch. Rows of ours, and the mixes "
            "of `recipes/semantic.py`, are not concerned: what a row is depends on its number alone.",
        ),
    },
    "Optimizers": {
        "schedule_free_warmup_ratio": (
            "Schedule-Free takes a share of warmup for a number of steps",
            "Our recipes refuse a share with these optimizers. Give steps: `--warmup_steps 100`.",
        ),
        "optim_args_as_words": (
            "Some settings in optim_args reach the optimizer as words",
            "Our recipes refuse both, before training.",
        ),
    },
    "Tokens, padding and labels": {
        "packed_rows_by_use_cache": (
            "Whether packed rows see each other depends on use_cache",
            "Trainer and TRL switch the cache off, so that Llama and GPT-2 are right there. Do not pack with "
            "`position_ids` alone on OPT, Falcon, BLOOM or Mamba. See [rows in other trainers](guides/any-trainer.md).",
        ),
        "qwen2_tokenizer_class_ignored": (
            "A tokenizer of one's own beside a qwen2 model is read as Qwen's",
            "Our recipes and commands read it as it was saved. Elsewhere: `PreTrainedTokenizerFast.from_pretrained`.",
        ),
        "lm_eval_counts_bos": (
            "Perplexities of lm-eval count bos as a token of the text",
            "`hf-procedural evaluate` puts one bos before a document and does not score it. Compare figures of "
            "lm-eval's tasks only between models with the same tokenizer.",
        ),
        "grpo_drops_completion": (
            "GRPOTrainer keeps the column named completion from its rewards",
            'Rename the column: rows with `view="prompt_completion"` need `rename_column("completion", "answer")` '
            "before a reward of your own can see it. Ours take `prompt` and solve it.",
        ),
    },
    "Ids and files of frameworks": {
        "megatron_ids_wrap": (
            "Megatron's builder writes ids that do not fit as other ids",
            "Our export refuses a dtype that does not hold all ids.",
        ),
        "megatron_known_sequences_dtype": (
            "Megatron reads vocabularies of 65,500 to 65,536 tokens with two dtypes",
            "Our export writes int32 there as Megatron does, and takes `--dtype uint16`, which both ways read.",
        ),
        "olmo_npy_is_bare": (
            "OLMo-core's .npy files are bare ids, and the header of a real one is trained on",
            "Our export writes bare ids, and `export.json` beside them says their dtype: give it to the data set.",
        ),
        "olmo_packed_drops_unended": (
            "OLMo-core's packed data set drops what has no end token",
            "Our export writes the `.csv.gz` with the starts and ends of rows, so that rows need no end token; read it "
            "with `use_array_if_local=False`, or export with `--end_token`.",
        ),
        "datatrove_tokenizer_defaults": (
            "datatrove's tokenizers put nothing between documents by default",
            "Give `eos_token` and `seed`. Our export writes what nanotron reads without datatrove's tokenizer.",
        ),
        "litdata_tail_of_chunk": (
            "litdata drops what is left of each chunk",
            "Our export writes shards of a multiple of a row's length; read them in blocks of that length, and see "
            "[formats of other frameworks](guides/any-framework.md).",
        ),
        "mds_canonical_nodes": (
            "MosaicML's num_canonical_nodes reorders, and repeats, what is not shuffled",
            "Leave it out, or give 1, where the order of rows matters, as in a curriculum or a warmup before text.",
        ),
        "webdataset_dots_in_keys": (
            "webdataset merges samples whose keys have a dot",
            "Keys in the tars that our export writes have none.",
        ),
    },
    "Streams and folders": {
        "interleaved_stream_ends_early": (
            "interleave_datasets of streams has fewer rows than map-style",
            'Use `stopping_strategy="all_exhausted_without_replacement"`, which gives every row once, in both.',
        ),
        "datasets_stream_500": (
            "One passing answer of 500 or 429 ends a stream",
            "Our recipes read a stream on after faults that pass, at the place where it broke off. In a script of your "
            "own, download first (`streaming=False`), or open the stream anew with `skip`.",
        ),
        "datatrove_folder_of_first_directory": (
            "datatrove's relative folders are those of the first working directory",
            "Give absolute paths, as ours do.",
        ),
    },
    "Seeds": {
        "reasoning_gym_experiment_seed": (
            "Reasoning Gym: a CurriculumExperiment's seed leaves its items random",
            "Our task `reasoning_gym` seeds each item by itself, so that this does not concern it.",
        ),
        "reasoning_gym_items_by_process": (
            "Reasoning Gym: five data sets ask other questions in each process",
            "Start Python with PYTHONHASHSEED=0; the task `reasoning_gym` asks for that where a set needs it.",
        ),
    },
    "Wall time": {
        "accelerate_one_thread": (
            "accelerate launch trains on one core where there is no GPU",
            "Our recipes use all cores unless OMP_NUM_THREADS says otherwise. For scripts of your own: "
            "`OMP_NUM_THREADS=$(nproc) accelerate launch ...`.",
        ),
        "ddp_keeps_gloo_threads": (
            "Threads of gloo outlive the process group once there was a DDP model",
            "Our recipes end their process beside these threads. In a script of your own, do not rely on "
            "`destroy_process_group()` for an end without crashes: write everything before.",
        ),
    },
    "Evaluation and statistics": {
        "trackio_counts_logs": (
            "trackio's curves stand over the number of logs",
            "Our recipes tell it the optimizer's step. In a Trainer of your own, draw over `train/global_step`.",
        ),
        "scipy_intervals_of_few_seeds": (
            "scipy's bootstrap of a few seeds is far too sure",
            "[Reports of studies](guides/studies-report.md) take t intervals by default.",
        ),
        "lm_eval_group_by_path": (
            "lm-eval loads a task by its path, but not a group",
            "Give groups by name, with `include_path`; `hf-procedural evaluate` does.",
        ),
    },
    "Environments": {
        "openenv_reaps_connected": (
            "OpenEnv's session_timeout closes environments that are in use",
            "Give a `session_timeout` above the longest time that a model thinks, or leave it out.",
        ),
    },
}
# What no script shows, as it is ours by decision, or is told by the libraries themselves.
_OURS = """
## Of our own {#ours}

What follows from how rows are made, and surprises whoever knows other data sets:

- **Labels are not shifted**, as everywhere in transformers: the model shifts them. A training loop that shifts them
  again teaches a model to predict two ahead.
- **There is no `attention_mask`.** Rows are padded on the right and models are causal, so a mask would change nothing
  and cost the fast attention. A model that sees both ways (BERT) needs one: `input_ids != tokenizer.pad_token_id`.
- **Padding may be scored.** In `addition` and others the reference scores some padding; there the loss counts on it,
  and a mask that is made from `<pad>` alone would hide it.
- **A label need not be the token in its place**: in `mqar`, `mad_compression` or `word_problem` targets stand apart. A
  collator that makes labels from `input_ids` (DataCollatorForLanguageModeling) trains on something else.
- **Seeds**: `--seed` is that of weights and of rows; `--data_seed` that of rows alone. Splits never depend on it: a
  prompt of the validation split of one seed is in no training split of another.
- **A larger `train_size` keeps the rows** that a smaller one has, and a resume, `num_proc` or more nodes change none.
- **Tokens that are counted** are all places of rows, padding among them, unless `--include_num_input_tokens_seen
  non_padding` is given.
- **dtype**: weights are loaded in float32, whatever a checkpoint says, unless `--dtype` is given; mixed precision is
  `--bf16`.
"""


def pages() -> dict:
    """The page. Raises ValueError for a finding without a subject, or the other way round."""
    known = {stem for findings in SUBJECTS.values() for stem in findings}
    files = {file.stem for file in FINDINGS.glob("*.sh")}
    if known != files:
        raise ValueError(f"docs/making/footguns.py and findings/ differ in {', '.join(sorted(known ^ files))}")
    text = _HEAD
    for subject, findings in SUBJECTS.items():
        text += f"\n## {subject}\n"
        for stem, (title, advice) in findings.items():
            text += f"\n### {plain(title)} {{#{stem}}}\n\n{_told(stem)}\n\n**What to do.** {advice}\n"
            text += f"\n`findings/{stem}.sh`\n"
    return {"footguns.md": text + _OURS}


def _told(stem: str) -> str:
    """The head of a script: its comment, without what it says of its exit code and of us."""
    lines = []
    for line in (FINDINGS / f"{stem}.sh").read_text(encoding="utf-8").splitlines()[1:]:
        if not line.startswith("#"):
            break
        lines.append(line[1:].removeprefix(" "))
    paragraphs = [[]]
    for line in lines:  # what was printed is indented, without an empty line before it
        is_output = line.startswith("  ")
        was_output = bool(paragraphs[-1]) and paragraphs[-1][-1].startswith("  ")
        within_item = paragraphs[-1] and paragraphs[-1][0].startswith("- ") and is_output
        ends = is_output != was_output or not line or line.startswith("- ")
        if paragraphs[-1] and ends and not within_item:
            paragraphs.append([])
        if line:
            paragraphs[-1].append(f"    {line.strip()}" if is_output and not within_item else line)
    blocks = ["\n".join(lines) for lines in paragraphs if lines]
    return prose("\n\n".join(filter(None, map(_without_ends, blocks))))


def _without_ends(block: str) -> str:
    if block.startswith("    "):
        return block
    for sentence in (r"Exits? .*?(?:\.|\Z)(?=\s|\Z)", r"Our (?:recipes|export)\b.*?\.(?=\s|\Z)"):
        block = re.sub(rf"(?:\A|(?<=\s)){sentence}", "", block, flags=re.DOTALL)
    return block.strip()

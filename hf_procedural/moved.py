"""Module paths of 0.1, which go on working until 0.3, with a DeprecationWarning that names the new place.

    from hf_procedural.stage import open_run       # DeprecationWarning: ... is hf_procedural.runs.folder.open_run now
    torch.load("training_args.bin", ...)           # a pickle that names hf_procedural.arguments.StageArguments

A module that is gone is made anew by `Finder`; one that stayed, or whose name a package has now, takes `old_names` as
its ``__getattr__``.
"""

import importlib
import sys
import types
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from typing import Any

# Old module: new module; or new modules with the names that each has now (``old=new`` where that changed, too). The one
# with * has all others. All are below hf_procedural.
MOVED: dict[str, str | dict[str, str]] = {
    "arguments": {
        "training.arguments": "*",
        "training.stage_arguments": "StageArguments",
        "training.parser": "parse",
        "training.words": "mapping",
        "files": "Loader",
    },
    "attention": "models.attention",
    "blocks": "data.blocks",
    "builder": {"data.builder": "*", "tasks.splits": "SIZES"},
    "cards": "hub.cards",
    "command": "errors",
    "curriculum": "training.curriculum",
    "dataset_card": "hub.dataset_card",
    "deepmind_math": {
        "text.deepmind_math": "*",
        "text.math_archive": "DIFFICULTIES SPLITS Problems find_modules problems",
    },
    "documents": {
        "text.documents": "* documents=open_documents of_several=train_and_validation_of_each",
        "text.readers": "CORPORA FILE_NAME DataError local_files",
    },
    "drawing": "show.drawing",
    "drawings": "show.drawings",
    "harness": {
        "evaluation.harness": "*",
        "evaluation.checkpoints": "Checkpoint open_checkpoint load=harness_model RowModel",
        "evaluation.as_rows": "ROWS Rows rows_of=rows_task own_rows=rows_of_run task_rows=validation_rows",
        "evaluation.in_words": "SEED PROBES SHOTS QUESTIONS TEXT_BYTES held_out_text own_text=text_of_run in_words",
        "evaluation.core": "core_config",
    },
    "hub": {
        "hub.datasets": "config_name open_dataset push_tokenizer publish_config write_config with_sizes",
        "hub.repos": "HubError hub_errors patiently=retrying Place read_folder read_repo is_there open_repo",
        "hub.runs": "push_run leave_card=write_card connected=trainer_with_repo hand_over=publish_when_done",
    },
    "image": "show.image",
    "launch": "training.launch",
    "mixing": "text.mixing",
    "model_card": "hub.model_card",
    "modeling": {"models.build": "*", "models.words": "parse_size"},
    "parquet": "data.parquet",
    "plot": "runs.plot",
    "recycle.faithfulness": {"recycle.faithfulness": "Found=Mention"},
    "recycle.generation": {"recycle.choices": "ENGINES"},
    "recycle.pipeline": {
        "shards.executors": "HIDDEN",
        "recycle.output": "DAMAGED METADATA planned begin digest=model_digest shard_file facts_of=record_of",
        "files": "whole",
        "runs.folder": "open_output",
        "shards.cluster": "Local EXECUTORS=CLASSES",
    },
    "recycle.quality": {"recycle.choices": "THRESHOLD", "recycle.quality": "load=load_classifier"},
    "recycle.rephrasing": {"recycle.choices": "DROP"},
    "recycle.selection": {"recycle.choices": "SOURCES RULES", "recycle.selection": "FACTS=DOCUMENT"},
    "report": {"runs.report": "*", "runs.tables": "COUNT NATS SHARE POWER markdown_table"},
    "rl.evaluation": {
        "rl.accuracy": "* digest=questions_digest",
        "rl.arguments": "WAYS",
        "models.generation": "load generate generate_all generate_by_vllm",
    },
    "rl.judges": {"recycle.judges": "* load=load_judge", "recycle.choices": "SYSTEM"},
    "rl.prompts": {"models.prompting": "read_template fill as_prompt token_ids", "data.tokenization": "words"},
    "rl.questions": {"rl.questions": "rows_of=question_rows"},
    "rl.recycling": "recycle.rewards",
    "rows": "data.rows",
    "runs": {
        "runs.checkpoints": "STATE",
        "runs.read": "TOKENS FLOPS LOSS ACCURACY Run read_runs arms baseline_of measures crossing efficiency "
        "rows_of finals sign_of metric_of verdict controls",
        "files": "read_mapping",
    },
    "semantic": {
        "text.packing": "*",
        "text.batches": "SEPARATORS",
        "text.tokenizers": "END_OF_TEXT train_tokenizer",
        "models.losses": "add_z_loss bits_per_byte",
    },
    "show": {"show.rows": "show as_json"},
    "sources": {"models.sources": "*", "models.words": "COMPONENTS Source parse_sources noise_of check_components"},
    "stage": {
        "training.begin": "* begin_from=transfer_and_freeze show_beginning=print_transfer",
        "runs.folder": "NO_ARM RECIPE PROVENANCE PLOT open_run last_checkpoint is_finished open_study recipe_of "
        "save_provenance earlier_stages data_seed",
        "models.losses": "score_labelled_only weigh_by_tokens",
        "training.callbacks": "LogMore SavePlace",
        "training.finish": "predictions metric_function finish",
    },
    "streaming": "data.streaming",
    "suites": "evaluation.suites",
    "tasks.base": {
        "tasks.fields": "integer probability flag choice",
        "tasks.registry": "CHECKED register",
        "tasks.lookup": "list_tasks task_class task parse",
    },
    "tasks.lime": {"tasks.lime_oracle": "split"},
    "tasks.mixture": {"tasks.lookup": "mixture"},
    "tasks.own": "tasks.plugins",
    "tokenization": "data.tokenization",
    "transfer": {"models.transfer": "*", "models.words": "EMBEDDINGS check_embeddings layer_pairs"},
}
_PACKAGE = __package__


class Finder:
    """Finds the modules that are gone, after all other finders."""

    @staticmethod
    def find_spec(name: str, path=None, target=None) -> ModuleSpec | None:
        package, _, old = name.partition(".")
        return _spec(name) if package == _PACKAGE and old in MOVED else None

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """The usual empty one."""

    @staticmethod
    def exec_module(module: types.ModuleType) -> None:
        """Names the new places, and serves what is asked for."""
        places = MOVED[module.__name__.removeprefix(f"{_PACKAGE}.")]
        homes = [places] if isinstance(places, str) else places
        _warn(module.__name__, ", ".join(f"{_PACKAGE}.{home}" for home in homes))
        module.__getattr__ = old_names(module.__name__)


def _spec(name: str) -> ModuleSpec:
    return ModuleSpec(name, Finder)  # ty: ignore[invalid-argument-type]  (a class loads as well as an instance)


def install() -> None:
    """Makes the old paths importable."""
    sys.meta_path.append(Finder)
    # Importing hf_procedural.transfer would put a module over the function; a module that is there already is not put.
    transfer = types.ModuleType(f"{_PACKAGE}.transfer")
    transfer.__spec__ = _spec(transfer.__name__)
    transfer.__getattr__ = old_names(transfer.__name__)
    sys.modules[transfer.__name__] = transfer


def old_names(module: str) -> Callable[..., Any]:
    """The ``__getattr__`` of `module`, under its full name: what it had in 0.1, from where that is now."""
    places = MOVED[module.removeprefix(f"{_PACKAGE}.")]
    has_one = isinstance(places, str)  # of which the import has warned
    new_names = {}
    for place, names in ({places: "*"} if has_one else places).items():
        for name in names.split():
            old, _, new = name.partition("=")
            new_names[old] = place, new or old

    def __getattr__(name: str):
        if name.startswith("__") or not new_names.keys() & {name, "*"}:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place, new = new_names[name] if name in new_names else (new_names["*"][0], name)
        value = getattr(importlib.import_module(f"{_PACKAGE}.{place}"), new)
        if not has_one:
            _warn(f"{module}.{name}", f"{_PACKAGE}.{place}.{new}")
        setattr(sys.modules[module], name, value)  # so that it warns once
        return value

    return __getattr__


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} is {new} now; the old path goes in 0.3", DeprecationWarning, stacklevel=3)

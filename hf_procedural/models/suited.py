"""Whether a model can do what a stage needs: is one at all, has weights of its own, reads text, ends what it writes.

Each check raises ValueError with one line: what is needed, and what is there. None reads weights.
"""

from pathlib import Path

from ..data.tokenization import load_tokenizer
from ..files import is_hub_id, read_mapping

ADAPTER = "adapter_config.json"
_PROBE = "The answer is 42.\nOne more line?"
_DATA = (".parquet", ".arrow", ".jsonl")


def adapter_base(name: str) -> str | None:
    """The model that an adapter of peft in a folder belongs to; None where there is no adapter."""
    file = Path(name, ADAPTER)
    if not file.is_file():
        return None
    base = read_mapping(file).get("base_model_name_or_path")
    if not isinstance(base, str) or not base or base == str(name):
        raise ValueError(f"{name} is an adapter whose {ADAPTER} names no model that it belongs to")
    return base


def check_place(name: str, adapters: bool = False) -> None:
    """Raises ValueError for a folder or file without a model, and for an adapter unless these will do.

    What is no path here may be on the Hub, and passes.
    """
    place = Path(name)
    if place.is_file():
        raise ValueError(f"{name} is a file: a model is a folder with a config.json, or an id of the Hub")
    if not place.is_dir():
        if not is_hub_id(name):
            raise ValueError(f"{name}: no model there: neither a folder nor a Hub id such as ORG/NAME")
        return
    base = adapter_base(name)
    if base is not None:
        _check_adapter(name, base, adapters)
    elif not (place / "config.json").is_file():
        raise ValueError(f"{name} is not a model's folder: it has no config.json{_contents(place)}")


def _check_adapter(name: str, base: str, adapters: bool) -> None:
    if not adapters:
        raise ValueError(
            f"{name} is an adapter (peft) of {base}, without weights of its own: merge it into them first, as the "
            "recipes do without --save_adapter"
        )
    try:
        check_place(base)
    except ValueError as error:
        raise ValueError(f"{name} is an adapter (peft) of another model, but {error}") from error


def _contents(folder: Path) -> str:
    """The rest of a line that says what a folder holds, as far as that helps."""
    names = sorted(file.name for file in folder.iterdir())
    if not names:
        return ", and nothing else"
    checkpoints = [name for name in names if name.startswith("checkpoint-") and name[11:].isdigit()]
    if checkpoints:
        return f", but checkpoints of a run that has not ended, such as {folder / checkpoints[-1]}"
    data = [name for name in names if name.endswith(_DATA)]
    return f", but data, such as {data[0]}" if data else ""


def check_text(name: str, tokenizer, ends: bool = False) -> None:
    """Raises ValueError for a tokenizer that cannot read text, or, where it `ends` answers, has no token for that."""
    try:
        ids = tokenizer(_PROBE, add_special_tokens=False, verbose=False)["input_ids"]
    except Exception:  # of tokenizers that have no token for what they do not know
        ids = []
    if not set(ids) - {tokenizer.unk_token_id}:
        raise ValueError(
            f"{name}: text is to be read, and its tokenizer knows {len(tokenizer)} words, of a task, alone; name one "
            "that was trained on text"
        )
    if ends and tokenizer.eos_token_id is None:
        raise ValueError(f"{name}: an answer is to be ended, and its tokenizer has no end token (eos_token)")


def check_vocabulary(name: str, model, tokenizer) -> None:
    """Raises ValueError where the tokenizer, without the tokens that were added to it, has more than the embeddings."""
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.vocab_size > rows:
        raise ValueError(
            f"{name}: its tokenizer has {tokenizer.vocab_size} tokens, and the model {rows} embeddings: they do not "
            "belong together"
        )


def tokenizer_of(name: str):
    """The tokenizer of a model; that of an adapter's model where the adapter has none."""
    base = adapter_base(name)
    own = any(Path(name).glob("tokenizer*.json"))
    return load_tokenizer(name if base is None or own else base)

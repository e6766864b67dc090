"""Fields of a new model's configuration: which of a copied one it does not take, and which follow from its size."""

import re
from collections.abc import Mapping

from transformers import PreTrainedConfig, PreTrainedTokenizerBase

CODE = {"auto_map", "custom_pipelines"}  # where code of a repo stands
# How another checkpoint was stored, is loaded and called, and what it was used for: nothing of the architecture.
OF_A_CHECKPOINT = {
    *("dtype", "torch_dtype", "use_bfloat16", "quantization_config", "compression_config"),
    *CODE,
    *("architectures", "tokenizer_class", "processor_class", "transformers_version"),
    *("_name_or_path", "name_or_path", "_commit_hash", "transformers_weights", "gradient_checkpointing", "use_cache"),
    *("attn_implementation", "_attn_implementation", "_attn_implementation_autoset", "experts_implementation"),
    *("output_attentions", "output_hidden_states", "return_dict", "use_return_dict", "torchscript", "pruned_heads"),
    *("id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "task_specific_params"),
}
SIZES = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_size", "head_dim")
SIZES += ("intermediate_size",)
_OF_TOKENS = ("_token_id", "_token_ids", "_token_index")
_ROLES = ("sep", "cls", "mask", "unk")
_STRETCHED = ("linear", "dynamic", "yarn", "longrope", "llama3")


def of_architecture(fields: Mapping) -> dict:
    """The fields of a configuration that say what a model is: none that tell of one checkpoint or of its vocabulary."""
    return {
        name: value for name, value in fields.items() if name not in OF_A_CHECKPOINT and not name.endswith(_OF_TOKENS)
    }


def special_tokens(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> dict[str, int | None]:
    """The tokenizer's ids of padding, begin and end, and of what other special tokens a configuration names."""
    named = [f"{role}_token_id" for role in _ROLES if hasattr(config, f"{role}_token_id")]
    return {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id", *named)}


def own_name(config: PreTrainedConfig, name: str) -> str:
    """What an architecture calls a field, such as n_layer for num_hidden_layers."""
    return config.attribute_map.get(name, name)


def own_names(config: PreTrainedConfig, fields: Mapping) -> dict:
    """Fields by the names that an architecture has for them."""
    return {own_name(config, name): value for name, value in fields.items()}


def dropouts(config: PreTrainedConfig, probability: float) -> dict[str, float]:
    """Every kind of dropout that an architecture has, at one probability. Raises ValueError for what is none."""
    if not 0 <= probability < 1:
        raise ValueError(f"dropout must be in [0, 1), got {probability!r}")
    kinds = [name for name in config.to_dict() if re.search(r"(pdrop|dropout)$", name)]
    return {name: probability for name in kinds if "classifier" not in name}


def by_size(config: PreTrainedConfig, width: int, heads: int) -> dict:
    """What architectures derive from the size, or fix at that of their largest model, as far as this one has it."""
    derived = {
        "num_key_value_heads": heads,
        "head_dim": width // heads,
        "intermediate_size": 4 * width,
        "ffn_dim": 4 * width,
    }
    fields: dict = {name: value for name, value in derived.items() if _is_set(config, name)}
    if "layer_types" in config.to_dict():
        fields["layer_types"] = None  # a list with an entry for each layer, made anew for the new number of layers
    return fields


def _is_set(config: PreTrainedConfig, name: str) -> bool:
    """Whether an architecture has a field that is not computed by its class, which lets nobody set it."""
    return hasattr(config, name) and not isinstance(getattr(type(config), name, None), property)


def following(config: PreTrainedConfig, copied: dict, changes: dict, overrides: dict, layers: int) -> dict:
    """What follows from the size of a new model, in `changes` and `overrides`, and from its number of layers.

    `copied` are the fields of a configuration that is copied; none where an architecture's defaults are taken.
    Raises ValueError where a list by layer has no pattern that could go on.
    """
    width, heads = own_name(config, "hidden_size"), own_name(config, "num_attention_heads")
    now = copied | changes | overrides
    followed = {}
    if not copied and width in changes:
        followed |= by_size(config, changes[width], changes[heads])
    elif {width, heads} & overrides.keys() and {width, heads} <= now.keys():
        followed |= by_heads(config, now[width], now[heads])
    if getattr(config, "rotary_dim", None) and {width, heads} <= now.keys():  # GPT-J's; of a head's first dimensions
        followed["rotary_dim"] = min(config.rotary_dim, now[width] // now[heads])
    before = getattr(config, "num_hidden_layers", layers)
    if layers != before:
        followed |= by_layer(config, copied, before, layers) | shared_layers(config, layers)
    return followed


def by_layer(config: PreTrainedConfig, copied: dict, before: int, layers: int) -> dict:
    """What has an entry for each of `before` layers, for as many as there are now: their first, or a pattern goes on.

    Raises ValueError where there is no pattern.
    """
    followed = {}
    for name, value in copied.items():
        if isinstance(value, list) and len(value) == before:
            followed[name] = _resized(name, value, layers)
    kinds = getattr(config, "attention_layers", None)
    if isinstance(kinds, list) and hasattr(config, "attention_types"):  # GPT-Neo's: [[[kind, ...], times], ...]
        followed["attention_types"] = [[_resized("attention_types", kinds, layers), 1]]
    if copied.get("max_window_layers") is not None:
        followed["max_window_layers"] = min(copied["max_window_layers"], layers)
    return followed


def _resized(name: str, entries: list, layers: int) -> list:
    number = len(entries)
    if layers <= number:
        return entries[:layers]
    for period in range(1, number // 2 + 1):
        if entries[period:] == entries[:-period]:
            return [entries[layer % period] for layer in range(layers)]
    raise ValueError(
        f"{name} has an entry for each of {number} layers, without a pattern that could go on for {layers}: give it, "
        "too, by model_overrides"
    )


def shared_layers(config: PreTrainedConfig, layers: int) -> dict[str, int]:
    """`num_kv_shared_layers` (the last ones take keys and values of earlier ones) in the share that it had.

    Each kind of layer must be among those that share nothing, or the number is less.
    """
    before = getattr(config, "num_kv_shared_layers", None)
    if not before:
        return {}
    kinds = _resized("layer_types", list(config.layer_types), layers)
    shared = round(before * layers / config.num_hidden_layers)
    while shared and set(kinds[: layers - shared]) != set(kinds):
        shared -= 1
    return {"num_kv_shared_layers": shared}


def by_heads(config: PreTrainedConfig, width: int, heads: int) -> dict[str, int]:
    """What follows from another width or number of heads, as far as it did in `config`.

    That is head_dim where it was the width of a head, and num_key_value_heads in the share that it had.
    """
    followed = {}
    width_before, heads_before = config.hidden_size, config.num_attention_heads
    if _is_set(config, "head_dim") and config.head_dim == width_before // heads_before:
        followed["head_dim"] = width // heads
    groups = getattr(config, "num_key_value_heads", None)
    if groups is not None and heads != heads_before:
        most = max(1, heads * groups // heads_before)
        followed["num_key_value_heads"] = max(number for number in range(1, most + 1) if heads % number == 0)
    return followed


def plain_rope(config: PreTrainedConfig, positions: int) -> dict | None:
    """Rotary positions without what stretches them over more than were trained, of which `positions` are none.

    None where nothing is stretched, or `positions` are more than the original ones.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    by_kind = any(isinstance(value, dict) for value in rope.values())  # of layers
    plain = (
        {kind: _plain(config, each, positions) for kind, each in rope.items()}
        if by_kind
        else _plain(config, rope, positions)
    )
    return None if plain == rope else plain


def _plain(config: PreTrainedConfig, rope: dict | None, positions: int) -> dict | None:
    if not isinstance(rope, dict) or rope.get("rope_type") not in _STRETCHED:
        return rope
    factor = rope.get("factor") or 1
    if positions > (rope.get("original_max_position_embeddings") or config.max_position_embeddings / factor):
        return rope
    kept = ("rope_theta", "partial_rotary_factor")
    return {"rope_type": "default"} | {name: rope[name] for name in kept if name in rope}

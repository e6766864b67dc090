"""A new causal language model of any architecture in transformers, for a task's vocabulary and row length."""

import functools
from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto import modeling_auto
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from .. import upstream
from ..data.tokenization import load_tokenizer
from ..errors import at_least, nearest
from ..files import check_weights, why_unloadable
from ..terminal import in_a_line, logger
from . import attention, fields, memory, mlp
from .suited import adapter_base, check_place, check_text, check_vocabulary, tokenizer_of
from .words import ENCODERS, check_dtype, check_model_type

BACKEND = "transformers:PreTrainedModel._supports_attention_backend"
_SDPA = "transformers:PreTrainedModel._supports_sdpa"
_TRIED = 50_000_000  # parameters of a model at most that computes a few tokens before it is trained


def new_config(
    tokenizer: PreTrainedTokenizerBase,
    positions: int,
    *,
    model_type: str | None = None,
    config_name: str | None = None,
    dropout: float | None = None,
    dtype: str | None = None,
    overrides: dict | None = None,
    **size: int,
):
    """The configuration of a new model.

    Of a configuration that is copied, what tells of one checkpoint stays behind (how it was stored and is loaded, its
    special tokens, a stretch of its rotary positions that so few need not), and what has an entry for each layer
    follows the number of layers. Of a model of text and images it is the part for text.

    Args:
        tokenizer: gives the vocabulary and the special token ids.
        positions: tokens in the longest sequence.
        model_type: an architecture of transformers with a causal language model. None: that of `config_name`, or gpt2.
        config_name: a Hub id or folder whose configuration to take.
        dropout: the probability for every kind of dropout the architecture has; None leaves its defaults.
        dtype: the number type of the weights; None is float32.
        overrides: any other fields of the configuration.
        size: num_hidden_layers, num_attention_heads, hidden_size.

    Raises:
        ValueError: for an unknown architecture or field, for what does not fit together, or not into this machine.
    """
    original, copied = _original(config_name, model_type)
    label = (
        f"model_type {original.model_type}"
        if config_name is None
        else f"config_name {config_name} ({original.model_type})"
    )
    overrides = _checked(original, copied, overrides or {}, len(tokenizer), positions)
    changes: dict[str, Any] = {"vocab_size": len(tokenizer), "max_position_embeddings": positions, **size}
    changes |= fields.special_tokens(original, tokenizer) | {"dtype": check_dtype(dtype)}
    if getattr(original, "activation_function", None) == "gelu_new" and config_name is None:
        changes["activation_function"] = "gelu_pytorch_tanh"  # the same function in one kernel instead of eight
    if dropout is not None:
        changes |= fields.dropouts(original, dropout)
    rope = fields.plain_rope(original, positions) if copied else None
    if rope is not None and not {"rope_parameters", "rope_scaling"} & overrides.keys():
        changes["rope_parameters"] = rope
        logger(__name__).warning(
            "%s: its rope is stretched, which %d positions do not need: taken unstretched", label, positions
        )
    make = functools.partial(_made, label, original, copied, fields.own_names(original, changes), overrides)
    layers = overrides.pop(fields.own_name(original, "num_hidden_layers"), size.get("num_hidden_layers"))
    layers = getattr(original, "num_hidden_layers", 1) if layers is None else layers
    memory.check_fits(make, layers, getattr(torch, changes["dtype"]))
    return make(layers)


def _original(config_name: str | None, model_type: str | None = None) -> tuple[Any, dict]:
    """The configuration in a folder or on the Hub, and its fields as they stand there; or that of an architecture.

    Raises ValueError for neither, and for what is no causal language model.
    """
    copied = {}
    if config_name is None:
        model_type = model_type or "gpt2"
        check_model_type(model_type, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, _encoders())
        config = CONFIG_MAPPING[model_type]()
    else:
        if not Path(config_name).is_file():  # else a configuration by itself
            check_place(config_name)
        try:
            config = AutoConfig.from_pretrained(config_name, trust_remote_code=False)
            copied, _ = config.get_config_dict(config_name)
        except Exception as error:  # missing, unreachable, damaged, of an unknown kind
            reason = why_unloadable(config_name, error)
            where = "" if Path(config_name).is_dir() else "there is no such folder, and on the Hub: "
            raise ValueError(f"{config_name} has no configuration of a model: {where}{reason}") from error
    if model_type not in (None, config.model_type):
        raise ValueError(f"model_type {model_type}: {config_name} is a {config.model_type}; give a size, too")
    text = config.get_text_config()
    if text is not config and type(text) in MODEL_FOR_CAUSAL_LM_MAPPING:
        copied = copied.get("text_config", text.to_dict()) if copied else {}
        config = text
    if config_name is not None and not getattr(config, "is_decoder", False):
        argument = f"config_name {config_name}: its model_type"
        check_model_type(config.model_type, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, _encoders(), argument)
    return config, fields.own_names(config, fields.of_architecture(copied))


def model_type_of(source: str) -> str:
    """The architecture of the model in a folder or on the Hub. Raises ValueError where there is none."""
    return _original(source)[0].model_type


def stretch_of(source: str) -> dict:
    """The overrides that keep the rotary positions of a model as its weights need them, where they are stretched."""
    config, _ = _original(source)
    return {} if fields.plain_rope(config, 1) is None else {"rope_parameters": config.to_dict()["rope_parameters"]}


def _encoders() -> set[str]:
    return {model_type for name in ENCODERS for model_type in getattr(modeling_auto, name)}


def _checked(original, copied: dict, overrides: dict, vocabulary: int, positions: int) -> dict:
    """The overrides by the names that the architecture has for them.

    Raises ValueError for what it does not have, for one field under two names, and for sizes that no model has.
    """
    checked = {}
    least = {"vocab_size": vocabulary} | dict.fromkeys(fields.SIZES, 1)
    if not hasattr(original, "rope_parameters"):  # which has any number of positions
        least["max_position_embeddings"] = positions
    least = fields.own_names(original, least)
    for name, value in overrides.items():
        own = fields.own_name(original, name)
        if not hasattr(original, name) and own not in copied:
            known = [field for field in original.to_dict() if not field.startswith("_")]
            hint = nearest(name, known)
            raise ValueError(f"model_overrides: {original.model_type} has no configuration field {name!r}{hint}")
        if own in ("dtype", "torch_dtype"):
            raise ValueError(f"model_overrides {name} {value!r}: give --dtype")
        if checked.get(own, value) != value:
            raise ValueError(f"model_overrides: {name} {value!r} and {checked[own]!r}, the same under another name")
        if own in least and isinstance(value, int | float):
            at_least(f"model_overrides {name}", value, least[own])
        checked[own] = value
    return checked


def _made(label: str, original, copied: dict, changes: dict, overrides: dict, layers: int):
    """A configuration of the original's kind with so many layers. Raises ValueError for what does not fit together."""
    try:
        changes = changes | {fields.own_name(original, "num_hidden_layers"): layers}
        followed = fields.following(original, copied, changes, overrides, layers)
        chosen = changes | overrides
        if "rope_parameters" in chosen:
            copied = {name: value for name, value in copied.items() if name != "rope_scaling"}  # which would win
        return type(original)(**copied | followed | chosen)
    except Exception as error:  # each architecture has errors of its own
        hint = "model_overrides may set what does not follow from the size, config_name names a whole configuration"
        raise ValueError(f"{label} cannot be made with {changes | overrides}: {error} ({hint})") from error


def new_model(config, attn_implementation: str | None = None) -> PreTrainedModel:
    """A freshly initialised model of the configuration's dtype; float32 where it names none.

    Without `attn_implementation`, attention is transformers' choice, but on a CPU and for small heads ours. On a CPU
    GELU by tanh and GPT-2's narrow MLPs are ours, too.
    Raises ValueError where it cannot be built, cannot read tokens, or reads those that come later.
    """
    keywords = {} if attn_implementation is None else {"attn_implementation": attn_implementation}
    try:
        if attn_implementation is None and not torch.accelerator.is_available() and _has_small_heads(config):
            name = attention.register()
            keywords = {} if name is None else {"attn_implementation": name}
        dtype = config.dtype or torch.float32
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False, **keywords)
    except ImportError:  # of an attention, whose package it names
        raise
    except Exception as error:  # as above
        kind = f"a {config.model_type} of this size"
        reason = f"nothing is named {error}" if isinstance(error, KeyError) else in_a_line(error)  # an activation
        raise ValueError(f"{kind} cannot be built: {reason} (see model_overrides)") from error
    if getattr(model, "loss_type", "") is None:
        model.loss_type = "ForCausalLM"  # what it takes anyway, with a warning, from GPT-2's name
    if not torch.accelerator.is_available():
        mlp.speed_up(model)
    if attn_implementation in (None, "eager", "sdpa") and model.num_parameters() <= _TRIED:
        _try(model)
    return model


def _has_small_heads(config) -> bool:
    """Whether the attention of a model is plain and its heads so small that ours is faster."""
    heads = getattr(config, "num_attention_heads", 1)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    plain = upstream.of(model_class, BACKEND) and upstream.of(model_class, _SDPA)
    plain = plain and not getattr(config, "attn_logit_softcapping", None)
    return bool(plain) and head_dim <= attention.LARGEST_HEAD


def _try(model: PreTrainedModel) -> None:
    """Raises ValueError where a model cannot read a few tokens, or what it says of one depends on a later one."""
    kind = f"a {model.config.model_type} of this size"
    ids = torch.arange(min(8, positions_of(model.config) or 8)).repeat(2, 1) % model.config.vocab_size
    ids[1, -1] = 0
    was_training = model.training
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            first, second = model.eval()(input_ids=ids).logits.float()
    except Exception as error:  # as above
        raise ValueError(f"{kind} cannot read a few tokens: {in_a_line(error)} (see model_overrides)") from error
    finally:
        model.train(was_training)
    change = (first - second).abs().amax(-1)
    if (change[:-1] > change[-1] / 100).any():  # rounding alone is less
        raise ValueError(f"{kind} is no causal language model: what it predicts depends on later tokens")


def load_pretrained(name: str, **keywords):
    """The causal language model and the fast tokenizer in a folder or on the Hub; keywords are `from_pretrained`'s.

    An adapter of peft in a folder is merged into the model that it belongs to.
    Its configuration names no code of its own: none is run, and none will be beside it where it is saved.

    Raises ValueError where one of them is not there, or the model is no causal language model: BERT's and T5's kin
    would load with some weights left over or new.
    """
    check_place(name, adapters=True)
    base = adapter_base(name)
    if base is not None:
        return _with_adapter(name, base, **keywords)
    check_weights(Path(name))
    try:
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # missing, unreachable, damaged, of an unknown kind
        raise ValueError(f"{name}: no model there ({why_unloadable(name, error)})") from error
    causal = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    if not causal.intersection(config.architectures or ()) or config.is_encoder_decoder:
        kind = ", ".join(config.architectures or [config.model_type])
        raise ValueError(f"{name} is no causal language model of transformers but {kind}")
    for field in fields.CODE.intersection(vars(config)):
        delattr(config, field)
    try:
        model = AutoModelForCausalLM.from_pretrained(name, config=config, trust_remote_code=False, **keywords)
    except Exception as error:
        raise ValueError(f"{name}: the model cannot be loaded: {why_unloadable(name, error)}") from error
    tokenizer = load_tokenizer(name)
    check_vocabulary(name, model, tokenizer)
    return model, tokenizer


def _with_adapter(name: str, base: str, **keywords):
    """The model `base` with an adapter merged in, or on the device meta without it; and the tokenizer."""
    try:
        from peft import PeftModel  # an extra, for those alone who have adapters
    except ImportError as error:
        raise ValueError(f"{name} is an adapter of {base}: pip install 'hf-procedural[peft]' to load it") from error
    try:
        model, _ = load_pretrained(base, **keywords)
        if keywords.get("device_map") != "meta":
            model = PeftModel.from_pretrained(model, name).merge_and_unload().requires_grad_(True)
    except Exception as error:  # of peft, for an adapter of another model
        raise ValueError(
            f"{name} is an adapter of {base}, and they do not load: {why_unloadable(name, error)}"
        ) from error
    tokenizer = tokenizer_of(name)
    check_vocabulary(name, model, tokenizer)
    return model, tokenizer


def load_text_model(name: str, ends: bool = False, **keywords):
    """`load_pretrained` for a model that is to read text, and that `ends` what it writes.

    Raises ValueError, before weights are read, for one that cannot.
    """
    without_weights = {"device_map": "meta"}
    model, tokenizer = load_pretrained(name, **without_weights)
    check_text(name, tokenizer, ends)
    return (model, tokenizer) if keywords == without_weights else load_pretrained(name, **keywords)


def positions_of(config) -> int | None:
    """How many tokens a model of this configuration reads and writes at most; None where it sets no limit."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)

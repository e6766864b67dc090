"""A new causal language model of any architecture in transformers, for a task's vocabulary and row length."""

import re
from pathlib import Path

import torch
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from .. import upstream
from ..data.tokenization import load_tokenizer
from ..errors import nearest
from ..files import check_weights, why_unloadable
from . import attention
from .suited import adapter_base, check_place, check_text, check_vocabulary, tokenizer_of
from .words import check_model_type

BACKEND = "transformers:PreTrainedModel._supports_attention_backend"
_SDPA = "transformers:PreTrainedModel._supports_sdpa"


def new_config(
    tokenizer: PreTrainedTokenizerBase,
    positions: int,
    *,
    model_type: str = "gpt2",
    config_name: str | None = None,
    dropout: float | None = None,
    overrides: dict | None = None,
    **size: int,
):
    """The configuration of a new model.

    Args:
        tokenizer: gives the vocabulary and the special token ids.
        positions: tokens in the longest sequence.
        model_type: an architecture of transformers with a causal language model, where `config_name` is None.
        config_name: a Hub id or folder whose configuration to take instead.
        dropout: the probability for every kind of dropout the architecture has; None leaves its defaults.
        overrides: any other fields of the configuration.
        size: num_hidden_layers, num_attention_heads, hidden_size.

    Raises:
        ValueError: for an unknown architecture or field.
    """
    config = _default_config(config_name, model_type)
    fields = {"vocab_size": len(tokenizer), "max_position_embeddings": positions, **size}
    for role in ("pad", "bos", "eos"):
        fields[f"{role}_token_id"] = getattr(tokenizer, f"{role}_token_id")
    if size:
        fields |= _fields_of_size(config, size["hidden_size"], size["num_attention_heads"])
    if getattr(config, "activation_function", None) == "gelu_new" and config_name is None:
        fields["activation_function"] = "gelu_pytorch_tanh"  # the same function in one kernel instead of eight
    if getattr(config, "is_decoder", None) is False:
        fields["is_decoder"] = True  # BERT and its kin: causal attention
    if dropout is not None:
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout!r}")
        kinds = [name for name in config.to_dict() if re.search(r"(pdrop|dropout)$", name)]
        fields |= {name: dropout for name in kinds if "classifier" not in name}
    for name in overrides or {}:
        if not hasattr(config, name):
            known = [field for field in config.to_dict() if not field.startswith("_")]
            hint = nearest(name, known)
            raise ValueError(f"model_overrides: {config.model_type} has no configuration field {name!r}{hint}")
    fields |= overrides or {}
    if config_name is not None:
        for name, value in fields.items():
            setattr(config, name, value)
        return config
    try:
        return type(config)(**fields)
    except Exception as error:  # each architecture has errors of its own
        hint = "model_overrides may set what does not follow from the size, config_name names a whole configuration"
        raise ValueError(f"model_type {model_type} cannot be made with {fields}: {error} ({hint})") from error


def _default_config(config_name: str | None, model_type: str):
    """The configuration in a folder or on the Hub, or else that of an architecture. Raises ValueError for neither."""
    if config_name is not None:
        if not Path(config_name).is_file():  # else a configuration by itself
            check_place(config_name)
        try:
            return AutoConfig.from_pretrained(config_name)
        except Exception as error:  # missing, unreachable, damaged, of an unknown kind
            reason = why_unloadable(config_name, error)
            where = "" if Path(config_name).is_dir() else "there is no such folder, and on the Hub: "
            raise ValueError(f"{config_name} has no configuration of a model: {where}{reason}") from error
    check_model_type(model_type, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    return CONFIG_MAPPING[model_type]()


def _fields_of_size(config, width: int, heads: int) -> dict:
    """What architectures derive from the size, or fix at that of their largest model, as far as this one has it."""
    derived = {
        "num_key_value_heads": heads,
        "head_dim": width // heads,
        "intermediate_size": 4 * width,
        "ffn_dim": 4 * width,
    }
    fields = {}
    for name, value in derived.items():
        is_computed = isinstance(getattr(type(config), name, None), property)  # by the class, which lets nobody set it
        if hasattr(config, name) and not is_computed:
            fields[name] = value
    if "layer_types" in config.to_dict():
        fields["layer_types"] = None  # a list with an entry for each layer, made anew for the new number of layers
    return fields


def new_model(config, attn_implementation: str | None = None) -> PreTrainedModel:
    """A freshly initialised model.

    Without `attn_implementation`, attention is transformers' choice, but on a CPU and for small heads ours.
    """
    if attn_implementation is None and not torch.accelerator.is_available():
        heads = getattr(config, "num_attention_heads", 1)
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
        model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
        plain = upstream.of(model_class, BACKEND) and upstream.of(model_class, _SDPA)
        plain = plain and not getattr(config, "attn_logit_softcapping", None)
        if plain and head_dim <= attention.LARGEST_HEAD_WITH_DROPOUT:
            attn_implementation = attention.register()
    keywords = {} if attn_implementation is None else {"attn_implementation": attn_implementation}
    try:
        model = AutoModelForCausalLM.from_config(config, **keywords)
    except (AttributeError, AssertionError, IndexError, TypeError) as error:
        raise ValueError(
            f"a {config.model_type} of this size cannot be built: {error} (see model_overrides)"
        ) from error
    if getattr(model, "loss_type", "") is None:
        model.loss_type = "ForCausalLM"  # what it takes anyway, with a warning, from GPT-2's name
    return model


def load_pretrained(name: str, **keywords):
    """The causal language model and the fast tokenizer in a folder or on the Hub; keywords are `from_pretrained`'s.

    An adapter of peft in a folder is merged into the model that it belongs to.

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

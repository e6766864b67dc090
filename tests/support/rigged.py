"""Language models for text that say what they are made to say, to see what recipes make of it."""

import itertools

import torch
from transformers import GenerationConfig

from hf_procedural.models.build import new_config, new_model
from hf_procedural.text.tokenizers import END_OF_TEXT


def save_rigged(folder, tokenizer, chain, positions: int, **generation) -> None:
    """A small llama for which each token of `chain` is followed by the next, or evenly by each of those in a tuple.

    It can be trained: nothing but the last token counts at first. `generation` is what its generation_config says.
    """
    torch.manual_seed(0)
    size = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 32}
    model = new_model(new_config(tokenizer, positions, model_type="llama", **size)).requires_grad_(False)
    embeddings, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    model.model.layers[0].self_attn.o_proj.weight.zero_()
    model.model.layers[0].mlp.down_proj.weight.zero_()
    embeddings.zero_()
    head.zero_()
    ids = [[tokenizer.convert_tokens_to_ids(token) for token in link] if link != END_OF_TEXT else [0] for link in chain]
    for place, (now, after) in enumerate(itertools.pairwise(ids)):
        embeddings[now, place] = 1
        head[after, place] = 10
    model.generation_config = GenerationConfig(eos_token_id=0, **generation)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

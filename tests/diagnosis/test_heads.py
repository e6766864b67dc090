"""Scores of heads: on attention made by hand, and on a model whose weights were made by hand to find what repeats."""

import math

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from hf_procedural.diagnosis import heads
from hf_procedural.diagnosis.heads import Heads
from hf_procedural.diagnosis.models import Subject

TOKENS, LENGTH = 12, 8  # kinds of tokens, and how many repeat
WIDTH = TOKENS + 2 * LENGTH + TOKENS  # a token, its position, and the token before it, each one-hot
TOKEN, PLACE, BEFORE = slice(0, TOKENS), slice(TOKENS, TOKENS + 2 * LENGTH), slice(WIDTH - TOKENS, WIDTH)
SURE = 2_000.0  # of attention: exp of it leaves nothing to others


def attending(place_of) -> torch.Tensor:
    """Attention [1, 1, 2 n, 2 n] of a head that looks at one place, or at itself where there is no such place."""
    attention = torch.zeros(1, 1, 2 * LENGTH, 2 * LENGTH)
    for query in range(2 * LENGTH):
        attention[0, 0, query, place_of(query) if place_of(query) >= 0 else query] = 1
    return attention


@pytest.mark.parametrize(
    ("place_of", "expected"),
    [
        (lambda query: query - LENGTH + 1, (1, 0, 0)),
        (lambda query: query - LENGTH, (0, 1, 0)),
        (lambda query: query - 1, (0, 0, 1)),
        (lambda query: query, (0, 0, 0)),
        (lambda query: query - LENGTH - 1, (0, 0, 0)),
        (lambda query: query - LENGTH + 2, (0, 0, 0)),
    ],
    ids=["induction", "copy", "previous", "itself", "one too early", "one too late"],
)
def test_scores_of_attention_made_by_hand(place_of, expected):
    assert heads.scores(attending(place_of))[:, 0].tolist() == pytest.approx(expected)


def test_half_the_attention_is_half_the_score():
    mixed = (attending(lambda query: query - LENGTH + 1) + attending(lambda query: query - LENGTH)) / 2
    assert heads.scores(mixed)[:2, 0].tolist() == [0.5, 0.5]


def induction_model() -> GPT2LMHeadModel:
    """Two layers of one head, without MLPs: layer 0 writes the token before each, layer 1 looks where that is its own.

    What is one-hot stays so through layer norms, whose mean and variance are those of all tokens.
    """
    config = GPT2Config(
        vocab_size=TOKENS, n_positions=2 * LENGTH, n_embd=WIDTH, n_layer=2, n_head=1, tie_word_embeddings=False
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.fill_(1.0 if "ln_" in name and name.endswith("weight") else 0.0)
        model.transformer.wte.weight[:, TOKEN] = torch.eye(TOKENS)
        model.transformer.wpe.weight[:, PLACE] = torch.eye(2 * LENGTH)
        first, second = (block.attn for block in model.transformer.h)
        query, key, value = first.c_attn.weight.split(WIDTH, 1)
        query[PLACE, PLACE] = SURE * torch.eye(2 * LENGTH).roll(-1, 1)  # position t asks for t - 1
        key[PLACE, PLACE] = torch.eye(2 * LENGTH)
        value[TOKEN, TOKEN] = torch.eye(TOKENS)
        first.c_proj.weight[TOKEN, BEFORE] = torch.eye(TOKENS)
        query, key, _ = second.c_attn.weight.split(WIDTH, 1)
        query[TOKEN, TOKEN] = SURE * torch.eye(TOKENS)
        key[BEFORE, TOKEN] = torch.eye(TOKENS)
    return model


@pytest.fixture
def subject() -> Subject:
    return Subject("by hand", "", induction_model())


def test_a_model_made_by_hand_has_its_two_heads(subject):
    sequences = heads.repeated(np.arange(TOKENS), 2 * LENGTH, 0)
    assert sequences.shape == (heads.SEQUENCES, 2 * LENGTH)
    before = subject.model.config._attn_implementation
    measured = heads.mean_scores(subject.attentions(sequences))
    assert subject.model.config._attn_implementation == before == "sdpa"
    scores = {name: [layer[0] for layer in layers] for name, layers in measured.items()}
    assert scores["previous_token"][0] == pytest.approx(1, abs=1e-3) and scores["previous_token"][1] < 0.2
    # Position 0, which has none before it, writes its own token: of its second time half the attention goes there.
    sure = 1 - 0.5 / LENGTH
    assert scores["induction"][1] == pytest.approx(sure, abs=1e-3) and scores["induction"][0] < 0.2
    assert max(scores["copy"]) < 0.2


def test_entropy_is_of_tokens_alone(subject):
    """A head that is sure has none; one that looks everywhere has the logarithm of what it sees."""
    ids = torch.arange(10).repeat(3, 1) % TOKENS
    is_token = torch.ones(3, 10, dtype=torch.bool)
    is_token[1, 4:] = False
    with torch.no_grad():
        subject.model.transformer.h[1].attn.c_attn.weight.zero_()
    seen = Heads()
    for row in range(3):  # as batches come
        seen.add(subject.attentions(ids[row : row + 1]), is_token[row : row + 1])
    sees = [math.log(place + 1) for length in (10, 4, 10) for place in range(length)]
    (sure,), (everywhere,) = seen.means()
    assert everywhere == pytest.approx(np.mean(sees), abs=1e-5)
    # Position 0 has no token before it: all positions are as good to it, of which it sees itself.
    assert sure == pytest.approx(0, abs=1e-3)


def test_sequences_are_distinct_tokens_twice():
    usable = np.array([3, 5, 7, 11, 13, 17])
    sequences = heads.repeated(usable, None, 0).numpy()
    assert (sequences[:, :6] == sequences[:, 6:]).all()
    assert all(sorted(row[:6]) == usable.tolist() for row in sequences)
    assert len({*map(tuple, sequences)}) > heads.SEQUENCES // 2
    assert heads.repeated(np.arange(1_000), None, 0).shape[1] == 2 * heads.LENGTH
    assert heads.repeated(np.arange(1_000), 21, 0).shape[1] == 20
    assert heads.repeated(usable[:3], None, 0) is None and heads.repeated(usable, 7, 0) is None

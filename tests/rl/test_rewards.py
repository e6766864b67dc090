"""Rewards against tables made by hand, for tokenizers made by hand, and over the registry and any text."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.specimens import SPECIMENS, is_shuffled, prompt_and_rest, specimen_id
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

import hf_procedural as hp
from hf_procedural.data.tokenization import tokenizer as task_tokenizer
from hf_procedural.rl import answer_reward, prefix_matching_reward
from hf_procedural.rl.rewards import boxed
from hf_procedural.rl.token_bytes import token_bytes, token_ends
from hf_procedural.tasks import Task
from hf_procedural.text.tokenizers import train_tokenizer

# ---------------------------------------------------------------- tokenizers whose tokens are known


def fast(model, pre=None, normalizer=None, decoder=None, post=None, **special):
    backend = Tokenizer(model)
    for part, value in {"pre_tokenizer": pre, "normalizer": normalizer, "decoder": decoder}.items():
        if value is not None:
            setattr(backend, part, value)
    if post is not None:
        backend.post_processor = post
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **special)


def bpe(alphabet, pieces, suffix="", **options):
    """BPE that builds each of `pieces` from left to right, earlier ones first; a piece is a string or its two parts."""
    parts = [[piece] if isinstance(piece, tuple) else _merges(piece, suffix) for piece in pieces]
    merges = list(dict.fromkeys(itertools.chain(*parts)))
    tokens = dict.fromkeys([*alphabet, *("".join(merge) for merge in merges)])
    suffixes = {"end_of_word_suffix": suffix} if suffix else {}
    return models.BPE({token: index for index, token in enumerate(tokens)}, merges, **suffixes, **options)


def _merges(piece, suffix):
    letters = list(piece.removesuffix(suffix))
    letters[-1] += suffix * piece.endswith(suffix)
    return [("".join(letters[:end]), letters[end]) for end in range(1, len(letters))]


LETTERS = [chr(code) for code in range(0x21, 0x7F)]
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
FALLBACK = [f"<0x{byte:02X}>" for byte in range(256)]
WORDS = ["sat", "on", "the", "mat", "cat", "ran"]
SP_DECODER = decoders.Sequence(
    [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
)


def word_bpe():
    """Letters merged within words, which end in </w>: hello is hel lo</w>, other words of WORDS are whole."""
    pieces = ["hel", "lo</w>", *(f"{word}</w>" for word in WORDS), "The</w>"]
    alphabet = ["<unk>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    model = bpe(alphabet, pieces, "</w>", unk_token="<unk>")
    return fast(model, pre_tokenizers.Whitespace(), None, decoders.BPEDecoder(), unk_token="<unk>")


def byte_level(**options):
    """GPT-2's kind; of the bytes C3 A9 73 of "és", the last two are one token."""
    pieces = [("©", "s"), ("Ã", "©"), "ĊĊ", "The", *(f"Ġ{word}" for word in WORDS), ("ĊĊ", "Ġ")]
    pre = pre_tokenizers.ByteLevel(add_prefix_space=options.pop("add_prefix_space", False), use_regex=False)
    return fast(bpe(ALPHABET, pieces), pre, decoder=decoders.ByteLevel(), **options)


def sentencepiece(pre=True, unigram=False):
    """With byte fallback; the dummy space by a pre-tokenizer, or as in Llama by a normalizer."""
    alphabet, pieces = ["<unk>", *FALLBACK, "▁", "\n", *LETTERS], ["▁The", *(f"▁{word}" for word in WORDS)]
    if unigram:
        scores = [(token, -10.0) for token in alphabet] + [(piece, -3.0) for piece in pieces]
        model = models.Unigram(scores, unk_id=0, byte_fallback=True)
    else:
        model = bpe(alphabet, pieces, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    if pre:
        return fast(model, pre_tokenizers.Metaspace(), None, SP_DECODER, unk_token="<unk>")
    llama = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return fast(model, None, llama, SP_DECODER, unk_token="<unk>")


TRAINED = train_tokenizer(["és ũs ĩs the cat sat on the mat\n\n 🙂🙃🙂 日本語 日本 "] * 3, 300)
LOSSLESS = {
    "byte-level": byte_level(),
    "byte-level with a dummy space": byte_level(add_prefix_space=True),
    "trained byte-level": TRAINED,
    "sentencepiece": sentencepiece(),
    "llama": sentencepiece(pre=False),
    "unigram": sentencepiece(unigram=True),
}
TOKENIZERS = LOSSLESS | {"word bpe": word_bpe()}


def of(name):
    return TOKENIZERS[name]


# ---------------------------------------------------------------- boxes

BOXES = [
    (r"\boxed{a}", "a"),
    (r"so \boxed{ a } it is", " a "),
    (r"\boxed{a}, no, \boxed{ b}", " b"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed{{{}}}", "{{}}"),
    (r"\boxed{\text{ a}}", r"\text{ a}"),
    (r"\boxed{\boxed{a}}", "a"),  # the last box is the inner one
    (r"\boxed{a}} }{", "a"),
    ("\\boxed{\n\n}", "\n\n"),
    ("\\boxed{🙂é}", "🙂é"),
    (r"\boxed{ \}", " \\"),  # a backslash is a token of LaTeX, and does not escape
    (r"\boxed{}", ""),
    (r"\boxed{}}", ""),  # nobody can box a single brace
    (r"\boxed{{}", None),
    (r"\boxed{a", None),
    (r"\boxed{a} \boxed{b", None),
    (r"\boxed a", None),
    (r"\boxed {a}", None),
    (r"\fbox{a}", None),
    ("a", None),
    ("", None),
    (r"<think>\boxed{a}</think>\boxed{b}", "b"),
    (r"\boxed{a}</think> so \boxed{b}", "b"),  # templates open the thinking
    (r"<think>\boxed{a}</think> so b", None),
    (r"\boxed{a}</think>", None),
    (r"<think>\boxed{a}", None),
    (r"<think>a</think>\boxed{b}<think>\boxed{c}", None),
    (r"<think>\boxed{a}</think>\boxed{b}</think>\boxed{c}", "c"),
]


@pytest.mark.parametrize(("completion", "content"), BOXES)
def test_boxed(completion, content):
    assert boxed(completion) == content


# ---------------------------------------------------------------- ends of tokens

ENDS = [
    ("byte-level", "The cat", ["The", "Ġcat"], [3, 7]),
    ("byte-level", " cat", ["Ġcat"], [4]),
    ("byte-level", "és", ["Ã", "©s"], [1, 3]),
    ("byte-level", "été", ["Ã©", "t", "Ã©"], [2, 3, 5]),
    ("byte-level", "🙂", ["ð", "Ł", "Ļ", "Ĥ"], [1, 2, 3, 4]),
    ("byte-level", "Ã€", ["Ã", "ĥ", "â", "Ĥ", "¬"], [1, 2, 3, 4, 5]),  # the token Ã is not the character Ã
    ("byte-level", "a\n\n\n", ["a", "ĊĊ", "Ċ"], [1, 3, 4]),
    ("byte-level", "", [], []),
    ("byte-level with a dummy space", "cat", ["Ġcat"], [3]),
    ("byte-level with a dummy space", " cat", ["Ġcat"], [4]),
    ("byte-level with a dummy space", "x", ["Ġ", "x"], [0, 1]),
    ("sentencepiece", "The cat", ["▁The", "▁cat"], [3, 7]),
    ("sentencepiece", " cat", ["▁cat"], [4]),
    ("sentencepiece", "  cat", ["▁", "▁cat"], [1, 5]),
    ("sentencepiece", "x é\n", ["▁", "x", "▁", "<0xC3>", "<0xA9>", "\n"], [0, 1, 2, 3, 4, 5]),
    ("sentencepiece", "▁", ["▁"], [3]),  # not the space as which it is read
    ("sentencepiece", "<0x41>", ["▁", *"<0x41>"], [0, 1, 2, 3, 4, 5, 6]),
    ("llama", "The cat", ["▁The", "▁cat"], [3, 7]),
    ("llama", " cat", ["▁", "▁cat"], [0, 4]),
    ("llama", "x é", ["▁", "x", "▁", "<0xC3>", "<0xA9>"], [0, 1, 2, 3, 4]),
    ("llama", "é", ["▁", "<0xC3>", "<0xA9>"], [0, 1, 2]),
    ("unigram", "The cats é", ["▁The", "▁cat", "s", "▁", "<0xC3>", "<0xA9>"], [3, 7, 8, 9, 10, 11]),
    ("unigram", "<0x41>", ["▁", "<0x41>"], [0, 6]),  # as this library reads it
    ("word bpe", "The hello", ["The</w>", "hel", "lo</w>"], [3, 7, 9]),
    ("word bpe", "  The \n cat ", ["The</w>", "cat</w>"], [5, 11]),
    ("word bpe", "é cat", ["<unk>", "cat</w>"], [2, 6]),
    ("word bpe", " ", [], []),
]


@pytest.mark.parametrize(("name", "text", "tokens", "ends"), ENDS)
def test_token_ends(name, text, tokens, ends):
    assert of(name).convert_ids_to_tokens(of(name)(text, add_special_tokens=False)["input_ids"]) == tokens
    assert token_ends(of(name), text) == ends


def test_ends_of_added_tokens():
    tokenizer = byte_level(eos_token="<|end|>")
    tokenizer.add_tokens(["<think>", "é!"])
    assert token_ends(tokenizer, "é! cat<think><|end|>é") == [3, 7, 14, 21, 23]
    tokenizer = sentencepiece()
    tokenizer.add_tokens(["▁cat▁"])  # Gemma has such ones: in the text there are spaces
    assert token_ends(tokenizer, "▁cat▁x")[0] == 9


def test_ends_where_the_text_is_normalised():
    """As with Qwen's and Llama's tokenizers: NFC, and offsets without the white space of tokens."""
    tokenizer = byte_level()
    tokenizer.backend_tokenizer.normalizer = normalizers.NFC()
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    assert token_ends(tokenizer, "és cat\n\n cat") == [1, 3, 7, 9, 13]
    text = "e\u0301s cat\n\n cat \u2126"  # the bytes of é are now 65 CC 81; C3 and A9 s share it; Ω becomes CE A9
    assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])[:2] == ["Ã", "©s"]
    *ends, space, inside, last = token_ends(tokenizer, text)
    assert ends[1:] == [4, 8, 10, 14] and 0 <= ends[0] < 4
    assert space == 15 and 15 < inside < 18 == last
    tokenizer.backend_tokenizer.enable_truncation(1)
    tokenizer.add_tokens(["<new>"])
    assert token_ends(tokenizer, text + "\n\n <new>")[-3:] == [18, 21, 26]
    wordpiece = models.WordPiece({"[UNK]": 0, "ete": 1, "##s": 2, "un": 3}, unk_token="[UNK]")
    tokenizer = fast(wordpiece, pre_tokenizers.BertPreTokenizer(), normalizers.BertNormalizer(), unk_token="[UNK]")
    assert token_ends(tokenizer, "Un  E\u0301te\u0301s x") == [2, 11, 12, 14]


def test_a_slow_tokenizer_needs_bytes():
    assert token_ends(ByT5Tokenizer(), "cat") == [1, 2, 3]
    with pytest.raises(ValueError, match="^ByT5Tokenizer is a slow tokenizer, which cannot tell where its tokens end$"):
        token_ends(ByT5Tokenizer(), "é")


TEXTS = st.lists(
    st.one_of(
        st.sampled_from([*WORDS, " the", " cat", "The", " ", "  ", "\n\n", "és", "é", "🙂", "日本", "e\u0301"]),
        st.text(st.characters(codec="utf-8", exclude_characters="▁{}"), max_size=3),
    ),
    max_size=8,
).map("".join)


@pytest.mark.parametrize("name", LOSSLESS)
@given(text=TEXTS)
@example(text="")
@example(text=" ")
def test_token_bytes_make_up_the_text(name, text):
    tokenizer, whole = of(name), text.encode()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces, ends = [token_bytes(tokenizer, index) for index in ids], token_ends(tokenizer, text)
    dummy = b"" if b"".join(pieces) == whole else b" "
    assert b"".join(pieces) == dummy + whole
    assert ends == [end - len(dummy) for end in itertools.accumulate(map(len, pieces))]
    assert ends[-1:] == [len(whole)] * bool(ids) and ends == sorted(ends)
    if name == "trained byte-level":
        for count, end in enumerate(ends, 1):
            read = tokenizer.decode(ids[:count])
            assert read.encode() == whole[:end] or "\N{REPLACEMENT CHARACTER}" in read


def test_bytes_of_single_tokens():
    tokenizer = byte_level(eos_token="<|end|>")
    tokenizer.add_tokens(["é!"])
    for token, written in {"Ġcat": b" cat", "©s": b"\xa9s", "ĊĊ": b"\n\n", "é!": "é!".encode()}.items():
        assert token_bytes(tokenizer, tokenizer.convert_tokens_to_ids(token)) == written
    assert token_bytes(tokenizer, tokenizer.eos_token_id) is token_bytes(tokenizer, len(tokenizer)) is None
    tokenizer = fast(bpe(ALPHABET, ["Ġcat"]), pre_tokenizers.ByteLevel())  # without a decoder
    assert token_bytes(tokenizer, tokenizer.convert_tokens_to_ids("Ġcat")) == b" cat"
    for token, written in {
        "▁cat": b" cat",
        "<0xA9>": b"\xa9",
        "\n": b"\n",
        "▁": b" ",
        "a": b"a",
        "<unk>": None,
    }.items():
        for name in ("sentencepiece", "llama", "unigram"):
            assert token_bytes(of(name), of(name).convert_tokens_to_ids(token)) == written
    for token, written in {"hel": b"hel", "lo</w>": b"lo", "<unk>": None}.items():
        assert token_bytes(of("word bpe"), of("word bpe").convert_tokens_to_ids(token)) == written


# ---------------------------------------------------------------- prefix matching

EVERY = [*TOKENIZERS]
EXACT = [*LOSSLESS]
PREFIXES = [  # tokenizers, context, continuation, prediction, reward
    *((EVERY, "The cat", " sat on the mat.", prediction, 1) for prediction in (" sat", " sat on", " sat on the mat.")),
    *((EVERY, "The cat", " sat on the mat.", prediction, 0) for prediction in ("sat", " sa", " ", " sat ", " sat o")),
    *((EVERY, "The cat", " sat on the mat.", prediction, 0) for prediction in (" Sat", " SAT", "  sat", " the", " on")),
    *((EVERY, "The cat", " sat on the mat.", prediction, 0) for prediction in ("", " sat\n", r"\text{ sat}", '" sat"')),
    (EVERY, "The cat", " sat on the mat.", " sat on the mat", 1),
    (EVERY, "The cat", " sat on the mat.", " sat on the mat. The", 0),
    (EVERY, "The cat", "", " sat", 0),
    (EVERY, "The c", "at sat", "at", 1),  # the token " cat" began in the context
    (EVERY, "The c", "at sat", "a", 0),
    (EVERY, "", "The cat", "The", 1),
    (EVERY, "", "The cat", " The", 0),
    (EVERY, "", "The cat", "Th", 0),
    (["word bpe"], "", "hello", "hel", 1),
    (["word bpe"], "", "hello", "hello", 1),
    (["word bpe"], "", "hello", "hell", 0),
    (["word bpe"], "é", " cat", " cat", 1),
    (["word bpe"], "The", "\n\ncat", "\n\n", 0),  # white space alone is no token here
    (["word bpe"], "The", "\n\ncat", "\n\ncat", 1),
    (["byte-level"], "The", "\n\ncat", "\n\n", 1),
    (["byte-level"], "The", "\n\ncat", "\n", 0),
    (["sentencepiece", "llama", "unigram"], "The", "\n\ncat", "\n", 1),
    (["byte-level"], "l'", "és", "é", 0),  # the bytes C3 | A9 73: no token ends behind é
    (["byte-level"], "l'", "és", "és", 1),
    (["byte-level"], "l'", "été", "é", 1),
    (["byte-level"], "l'", "été", "e\u0301", 0),
    (["byte-level"], "l'é", "s", "s", 1),  # and the one that ends with s began in the context
    (["sentencepiece", "llama", "unigram"], "l'", "és", "é", 1),
    (EXACT, "a", "🙂🙃", "🙂", 1),
    (EXACT, "a", "🙂🙃", "🙃", 0),
    (EXACT, "a", "🙂🙃", "🙂🙃", 1),
    (EXACT, "🙂", "🙂 cat", "🙂 cat", 1),
    (EXACT, "The cat ", " sat", " sat", 1),
]


@pytest.mark.parametrize(
    ("name", "context", "continuation", "prediction", "reward"),
    [(name, *row) for names, *row in PREFIXES for name in names],
)
def test_prefix_matching(name, context, continuation, prediction, reward):
    rewards = prefix_matching_reward(of(name))
    columns = {"context": [context], "continuation": [continuation]}
    assert rewards(["?"], [rf"<think>\boxed{{x}}</think>\boxed{{{prediction}}}"], **columns) == [reward]


def test_what_is_not_boxed_earns_nothing():
    completions = [r"\boxed{ sat}", " sat", r"\boxed{ sat", r"<think>\boxed{ sat}", r"\boxed{ sat}</think>", ""]
    columns = {"context": ["The cat"] * 6, "continuation": [" sat on"] * 6}
    assert prefix_matching_reward(of("byte-level"))(["?"] * 6, completions, **columns) == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("name", LOSSLESS)
@given(context=TEXTS, continuation=TEXTS)
def test_tokens_earn_and_half_tokens_do_not(name, context, continuation):
    """Wherever the prediction stops, it earns 1 at the end of a token, else 0."""
    tokenizer, start = of(name), len(context.encode())
    ends = {end - start for end in token_ends(tokenizer, context + continuation)}
    predictions = [continuation[:end] for end in range(len(continuation) + 1)]
    columns = {"context": [context] * len(predictions), "continuation": [continuation] * len(predictions)}
    completions = [rf"\boxed{{{prediction}}}" for prediction in predictions]
    expected = [float(prediction != "" and len(prediction.encode()) in ends) for prediction in predictions]
    assert prefix_matching_reward(tokenizer)(["?"] * len(predictions), completions, **columns) == expected
    if continuation:
        assert expected[-1] == 1


KNOW_RAN = [name for name in TOKENIZERS if name != "trained byte-level"]
FIRST_TOKENS = [  # tokenizers, context, continuation, prediction, first_token, dense
    *((EVERY, "The cat", " sat on", prediction, 1, 1) for prediction in (" sat", " sat on", " sat under", " sat!")),
    *((KNOW_RAN, "The cat", " sat on", prediction, 0, 0.25) for prediction in (" ran", " ran on")),
    *((KNOW_RAN, "The cat", " sat on", prediction, 0, 0) for prediction in ("sat", " sa", " mat", "", " ", "ran")),
    (EVERY, "The cat", "", " sat", 0, 0.5),
    (EVERY, "", "The cat", "The dog", 1, 1),
    (["byte-level"], "l'", "és", "és!", 1, 1),  # the first token, C3, taken on to the next one, A9 73
    (["byte-level"], "l'", "és", "é", 0, 0.125),
    (["byte-level"], "l'", "été", "és", 0, 0),
    (["byte-level"], "", "🙂🙂", "🙂", 1, 1),
    (["byte-level"], "", "🙂🙂", "🙃", 0, 0),
    (["word bpe"], "The", " hello", " hell", 1, 1),  # hel l l
    (["word bpe"], "The", " hello", " held", 1, 1),  # hel d
    (["word bpe"], "The", " hello", " he", 0, 0),
]


@pytest.mark.parametrize(
    ("name", "context", "continuation", "prediction", "first_token", "dense"),
    [(name, *row) for names, *row in FIRST_TOKENS for name in names],
)
def test_first_token_and_dense(name, context, continuation, prediction, first_token, dense):
    columns = {
        "context": [context],
        "continuation": [continuation],
        "candidates": [[b" sat", b" ran", "é".encode(), b"", b"\xf0"]],
        "probabilities": [[0.5, 0.25, 0.125, 0.0625, 0.03125]],
    }
    completion = rf"\boxed{{{prediction}}}"
    for variant, expected in {"first_token": first_token, "dense": dense}.items():
        assert prefix_matching_reward(of(name), variant)(["?"], [completion], **columns) == [expected]


def test_prefix_matching_as_trl_calls_it():
    reward = prefix_matching_reward(of("byte-level"), "dense")
    columns = {
        "context": ["The cat", "The cat", ""],
        "continuation": [" sat on", " sat on", "The"],
        "candidates": [[b" ran", b" ran"], [], [b"x"]],
        "probabilities": [[0.5, 0.25], [], [1.0]],
        "completion_ids": [[0], [1], [2]],
        "trainer_state": object(),
        "log_extra": print,
        "log_metric": print,
    }
    prompts = [[{"role": "user", "content": "?"}]] * 3
    completions = [
        [{"role": "assistant", "content": r"\boxed{ ran}"}],
        [{"role": "assistant", "content": r"\boxed{ ran}"}, {"role": "assistant", "content": r"\boxed{ sat}"}],
        [{"role": "assistant", "content": None}],
    ]
    copies = [[dict(message) for message in completion] for completion in completions]
    assert reward(prompts=prompts, completions=completions, **columns) == [0.75, 1, 0]
    assert completions == copies
    assert prefix_matching_reward(of("byte-level"))([], [], continuation=[]) == []
    names = [prefix_matching_reward(of("llama"), variant).__name__ for variant in ("prefix", "first_token", "dense")]
    assert names == ["prefix_matching_reward", "first_token_reward", "dense_reward"]


def test_prefix_matching_refuses():
    with pytest.raises(ValueError, match="^variant must be one of prefix, first_token, dense, got 'sparse'$"):
        prefix_matching_reward(of("llama"), "sparse")
    with pytest.raises(ValueError, match="^variant dense needs the columns candidates and probabilities"):
        prefix_matching_reward(of("llama"), "dense")(["?"], ["a"], continuation=["b"])


# ---------------------------------------------------------------- answers

ANSWERED = [specimen for specimen in SPECIMENS if not is_shuffled(hp.task(specimen[0], **specimen[1]))]


@pytest.mark.parametrize("specimen", ANSWERED, ids=specimen_id)
def test_answers_over_the_registry(specimen):
    """The answers of rows, in ids, in words, as TRL decodes them and in a box; then with one token changed."""
    name, parameters = specimen
    task = hp.task(name, **parameters)
    tokenizer = task_tokenizer(task)
    for row in zip(*task.sample(np.random.default_rng(5), 8), strict=True):
        prompt, rest = prompt_and_rest(task, *row)
        asked, said = tokenizer.decode(prompt), tokenizer.decode(rest)
        for graded in (False, True):
            reward = answer_reward(task, graded)
            assert reward([asked], [said]) == reward(["?"], [said], prompt_ids=[prompt]) == [1]
            assert reward([asked], [tokenizer.decode(rest, skip_special_tokens=True)], completion_ids=[rest]) == [1]
            assert answer_reward(task, graded, in_box=True)([asked], [rf"\boxed{{{said}}}"]) == [1]
            assert reward([asked], ["no_such_word"]) == [0]
        if not task.is_language and not hasattr(task, "members"):
            _check_changed_answers(task, prompt)


def _check_changed_answers(task, prompt):
    answer = task.solve(prompt)
    other = [index for index, token in enumerate(task.vocabulary) if token not in ("<pad>", "<eos>")]
    for place, token in enumerate(answer):
        wrong = [*answer[:place], other[0] if token != other[0] else other[1], *answer[place + 1 :]]
        said = task.spell(task.vocabulary[token] for token in wrong)
        [exact], [graded] = (answer_reward(task, graded)(["?"], [said], [wrong], [prompt]) for graded in (False, True))
        if type(task).is_answer is Task.is_answer:  # elsewhere there may be several right ones
            assert exact == 0
        assert graded == exact or graded == place / len(answer) or (task.is_text and exact < graded < 1)


SORT = hp.task("sort-4", vocab_size=10)  # tokens 0..9, 10 is <sep>, 11 is <pad>
ANSWERS = [  # completion, ids, exact, graded; the prompt is 3 1 2 1
    ("1 1 2 3", [1, 1, 2, 3], 1, 1),
    ("1 1 2 3", None, 1, 1),
    (" 1 1  2 3\n", None, 1, 1),
    ("1 1 2 3", [1, 1, 2, 3, 11], 1, 1),
    ("1 1 2 3", [1, 1, 2, 3, 11, 5], 1, 1),  # the words are other ones: then these count
    ("1 1 2 3", [1, 1, 10, 2, 3], 0, 2 / 5),
    ("1 1 2 3", [11, 1, 1, 2, 3], 0, 0),
    ("1 1 2 3", [101, 102, 103], 1, 1),  # another model's ids
    ("1 1 2 3", [1, 1, 2, -9], 1, 1),
    ("1 1 3 2", [1, 1, 3, 2], 0, 1 / 2),
    ("1 1 2", [1, 1, 2], 0, 3 / 4),
    ("1 1 2 3 3", [1, 1, 2, 3, 3], 0, 4 / 5),
    ("1 2 2 3", None, 0, 1 / 4),
    ("2 1 2 3", None, 0, 0),
    ("", [], 0, 0),
    ("", [11], 0, 0),
    ("1 1 2 three", None, 0, 3 / 4),
    ("The answer is 1 1 2 3", None, 1, 1),
    (r"\boxed{1 1 2 3}", None, 1, 1),
]


@pytest.mark.parametrize(("completion", "ids", "exact", "graded"), ANSWERS)
def test_answers_by_hand(completion, ids, exact, graded):
    for reward, expected in ((answer_reward(SORT), exact), (answer_reward(SORT, graded=True), graded)):
        for prompt in ("3 1 2 1 <sep>", "3 1 2 1", [{"role": "user", "content": "3 1 2 1"}]):
            assert reward([prompt], [completion], completion_ids=[ids]) == [expected]
        said = [{"role": "assistant", "content": completion}]
        assert reward([[{"role": "user", "content": "Sort!"}]], [said], [ids], [[3, 1, 2, 1]]) == [expected]


@pytest.mark.parametrize(
    ("completion", "exact", "graded"),
    [
        (r"<think>\boxed{1}</think>They are \boxed{1 1 2 3}", 1, 1),
        (r"\boxed{ 1 1 2 3 <pad> 3}", 1, 1),
        (r"\boxed{1 1 3 2}", 0, 1 / 2),
        (r"\boxed{1, 1, 2, 3}", 1, 1),
        (r"\boxed{}", 0, 0),
        ("1 1 2 3", 0, 0),
        (r"\boxed{1 1 2 3", 0, 0),
    ],
)
def test_answers_in_boxes(completion, exact, graded):
    for expected, options in ((exact, {}), (graded, {"graded": True})):
        reward = answer_reward("sort-4", in_box=True, **options)
        assert reward(["?"], [completion], completion_ids=[[1, 1, 2, 3]], prompt_ids=[[3, 1, 2, 1]]) == [expected]


@pytest.mark.parametrize("completion", ["1 1 2 three", "The answer is 1 1 2 3", r"\boxed{1 1 2 3}", "1, 1, 2, 3"])
def test_strictly_words_are_tokens_as_they_stand(completion):
    for graded in (False, True):
        assert answer_reward(SORT, graded, strict=True)(["3 1 2 1"], [completion]) == [0]
    assert answer_reward(SORT, in_box=True, strict=True)(["3 1 2 1"], [r"So \boxed{1 1 2 3}"]) == [1]
    assert answer_reward(SORT, in_box=True, strict=True)(["3 1 2 1"], [r"So \boxed{1, 1, 2, 3}"]) == [0]


def test_answers_of_mixtures_and_languages():
    mixed = hp.task("sort-3+reverse-3", vocab_size=9)
    assert answer_reward(mixed)(["3 1 2"] * 3, ["1 2 3", "2 1 3", "1 3 2"]) == [1, 1, 0]
    assert answer_reward(mixed, graded=True)(["3 1 2"] * 3, ["1 2 3", "2 1 3", "1 3 2"]) == [1, 1, 1 / 3]
    for graded in (False, True):
        rewards = answer_reward("nesting-9", graded)(["(3 (1 1)"] * 2, ["3) <eos>", "3"])
        assert rewards == [1, 0]


def test_answer_reward_changes_nothing_and_has_a_name():
    prompts, completions, ids = ["3 1 2 1"], [[{"role": "assistant", "content": "1 1 2 3"}]], [[1, 1, 2, 3]]
    assert answer_reward(SORT)(prompts=prompts, completions=completions, completion_ids=ids, log_extra=print) == [1.0]
    assert (prompts, completions, ids) == (["3 1 2 1"], [[{"role": "assistant", "content": "1 1 2 3"}]], [[1, 1, 2, 3]])
    assert [answer_reward(SORT, graded).__name__ for graded in (False, True)] == [
        "answer_reward",
        "graded_answer_reward",
    ]


def test_answer_reward_refuses():
    for name in ("sort-4", "addition-2+sort-4"):
        with pytest.raises(ValueError, match="shuffled rows have no answer to verify; leave out shuffle_tokens"):
            answer_reward(hp.task(name, shuffle_tokens=True))
    with pytest.raises(ValueError, match="unknown task 'srot': did you mean sort"):
        answer_reward("srot-4")
    with pytest.raises(ValueError, match="the prompt's 'Sort' is no token of the task"):
        answer_reward("sort-4")(["Sort 3 1"], ["1 3"])


def test_rewards_need_neither_torch_nor_trl():
    script = "import sys, hf_procedural.rl; print({'torch', 'trl', 'transformers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "set()"

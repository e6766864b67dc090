"""The papers' settings by name: ``load_dataset("procedural", "lee2026-web")``. Names are author, year and setting."""

import dataclasses

from .chomsky import KINDS
from .clrs import ALGORITHMS
from .physics_grammars import GRAMMARS


@dataclasses.dataclass(frozen=True)
class Preset:
    """A task or mixture with parameters, where the setting comes from, and what it was used for."""

    task: str
    parameters: dict
    source: str
    note: str = ""


_JIANG = "Jiang et al. 2026, arXiv:2601.21725"
_MERRILL = "Merrill et al. 2024, arXiv:2404.08819"
_FFL = "Liu et al. 2023, arXiv:2306.00946"
_DELETANG = "Deletang et al. 2023, arXiv:2207.02098"
_POLI = "Poli et al. 2024, arXiv:2403.17844"
_ARORA = "Arora et al. 2023, arXiv:2312.04927"
_BASED = "Arora et al. 2024, Based, arXiv:2402.18668"
_ZOOLOGY = "HazyResearch/zoology at d88d6f5, of January 2026"
_LEE = "Lee et al. 2026, arXiv:2603.10055"
_WU = "Wu et al. 2022, arXiv:2206.10139"
_RI = "Ri and Tsuruoka 2022, arXiv:2203.10326"
_HU = "Hu et al. 2025, arXiv:2502.19249"
_KRISHNA = "Krishna et al. 2021, arXiv:2109.04953"
_STEP = f"{_KRISHNA}; tasks of Zou et al. 2020, arXiv:2004.01853"
_DOCUMENTS = "100,000 documents to train on, 5,000 to validate"
_ALLEN_ZHU = "Allen-Zhu 2025, arXiv:2512.17351"
_LIME = "Wu et al. 2021, arXiv:2101.06223"
_EXAMPLES = "5,000,000 examples"
_GRAU = "Grau-Moya et al. 2024, arXiv:2401.14953"
_MARKEEVA = "Markeeva et al. 2024, arXiv:2406.04229"
_BLOEM = "Bloem 2025, arXiv:2506.20057"
_DEEP = {"length": 2048, "p_open": 0.5, "max_depth": 16}
_AT_SCALE = "arXiv:2609.39827"
_INTEGERS = "written as integers (coding integers): 500 steps of 512 rows of 4,096 tokens of SmolLM3's tokenizer"
_T5 = "T5-small, 80,000 steps of 128 rows out of 1,000,000"
_MIXED = f"mixed by us, the paper trains on one at a time; {_T5}"


def _languages_of_ri() -> dict[str, Preset]:
    presets = {}
    for words in ("uniform", "zipf", "log_linear"):
        pairs = {"distribution": words, "style": "dependency"}
        presets[f"ri2022-words_{words}"] = Preset("words-16000", {"distribution": words}, _RI, "no structure")
        presets[f"ri2022-nesting_{words}"] = Preset("nesting-8000", pairs, _RI, "transferred best")
        presets[f"ri2022-flat_{words}"] = Preset("flat-8000", pairs, _RI)
    return presets


_AKYUREK = "Akyurek et al. 2024, arXiv:2401.12973"
_GUO = "Guo et al. 2026, arXiv:2605.10129"
_MITA = "Mita et al. 2026, arXiv:2605.16758"


def _playground_of_allen_zhu() -> dict[str, Preset]:
    presets = {}
    for n in (225, 300, 375):
        words = {"k": 8, "mini_vocab": 50, "min_tlen": 1, "max_tlen": 2}
        presets[f"allenzhu2025-depo1_k8_{n}"] = Preset(f"depo-{n}", words, _ALLEN_ZHU, "words of 1 or 2 tokens")
    for n in (75, 100, 125):
        presets[f"allenzhu2025-depo2_k16_{n}"] = Preset(f"depo-{n}", {"k": 16}, _ALLEN_ZHU, "words of 5 to 7 tokens")
    for n in (70, 90, 110):
        presets[f"allenzhu2025-brevo1_{n}"] = Preset(f"brevo-{n}", {}, _ALLEN_ZHU, "a token for each node")
    for n in (30, 40, 50):
        presets[f"allenzhu2025-brevo2_{n}"] = Preset(f"brevo-{n}", {"multi": True}, _ALLEN_ZHU, "nodes are words")
    for length in (10, 13, 16):
        presets[f"allenzhu2025-mano_{length}"] = Preset(f"mano-{length}", {}, _ALLEN_ZHU, "modulo 23")
    for grammar in GRAMMARS:
        source = _ALLEN_ZHU if grammar in ("cfg3j", "cfg3k") else f"{_ALLEN_ZHU}; of Part 1, arXiv:2305.13673"
        presets[f"allenzhu2025-lano_{grammar}"] = Preset(f"lano-{grammar}", {}, source, "the length of rows is ours")
    presets["allenzhu2025-capo"] = Preset(
        "capo-50000", {}, f"{_ALLEN_ZHU}; bioS of Part 3.1, arXiv:2309.14316", "how many people, and who, is ours"
    )
    return presets


_MAD = {  # what the suite varies beside its baseline, one thing at a time
    "in_context_recall": {"vocab_size": (32, 64, 128), "length": (256, 512, 1024)},
    "fuzzy_in_context_recall": {"vocab_size": (32, 64, 128), "length": (256, 512, 1024)},
    "noisy_in_context_recall": {
        "vocab_size": (48, 80, 144),
        "length": (256, 512, 1024),
        "frac_noise": (0.4, 0.6, 0.8),
    },
    "selective_copying": {
        "vocab_size": (32, 64, 128),
        "length": (512, 1024),
        "num_tokens_to_copy": (32, 64, 96),
    },
    "compression": {"vocab_size": (32, 64, 128), "length": (64, 128, 256)},
    "memorization": {"vocab_size": (512, 1024, 2048, 4096, 8192)},
}


def _suite_of_mad() -> dict[str, Preset]:
    presets = {}
    for name, changes in _MAD.items():
        rows = "12,800 rows to train on, 1,280 to test"
        baseline = f"baseline; {rows}; harder with 6,400, 3,200, 1,600 and 800"
        if name == "memorization":
            rows = "256 rows to train on, 1,280 to test"
            baseline = f"baseline; {rows}"
        presets[f"poli2024-{name}"] = Preset(f"mad_{name}", {}, _POLI, baseline)
        for key, values in changes.items():
            for value in values:
                presets[f"poli2024-{name}_{key}_{value}"] = Preset(f"mad_{name}", {key: value}, _POLI, rows)
    return presets


def _mqar(variant: str, sizes: dict[int, int], weights: list[int] | None, source: str, note: str) -> Preset:
    """A mixture of numbers of pairs, each with its length."""
    lengths = {f"{variant}-{pairs}.length": length for pairs, length in sizes.items()}
    weighted = {"weights": weights} if weights else {}
    return Preset("+".join(f"{variant}-{pairs}" for pairs in sizes), lengths | weighted, source, note)


def _presets_of_zoology() -> dict[str, Preset]:
    rows = "100,000 rows to train on, 3,000 to test; Figure 2"
    mixed = "180,000 rows to train on"
    tested = "1,000 rows of each to test on"
    shares = [5, 1, 1, 1, 1]
    squares = {4: 64, 9: 128, 16: 256, 25: 256, 36: 256}
    harder = {4: 64, 9: 64, 16: 128, 36: 256, 64: 512, 144: 1024, 256: 2048}
    presets = {
        f"arora2023-mqar_{length}": Preset(
            f"mqar-{pairs}", {"length": length, "random_non_queries": False}, _ARORA, rows
        )
        for length, pairs in ((64, 4), (128, 8), (256, 16), (512, 64))
    }
    trained = {4: 64, 8: 128, 16: 256, 32: 256, 64: 256}
    presets["arora2024-mqar"] = _mqar("mqar", trained, shares, _BASED, mixed)
    longer = {4: 64, 8: 64, 16: 64, 32: 128, 64: 256, 128: 512, 256: 1024}
    presets["arora2024-mqar_test"] = _mqar("mqar", longer, None, _BASED, tested)
    for variant in ("forgetting_mqar", "compositional_mqar"):
        presets[f"zoology2026-{variant}"] = _mqar(variant, squares, shares, _ZOOLOGY, mixed)
        presets[f"zoology2026-{variant}_test"] = _mqar(variant, harder, None, _ZOOLOGY, tested)
    return presets


PRESETS = {
    "jiang2026-dyck": Preset("dyck-64", {"length": 2048}, _JIANG, "32.8M tokens; no bound on the depth"),
    "jiang2026-dyck_shuffle": Preset("dyck_shuffle-64", _DEEP, _JIANG, "32.8M tokens"),
    "lee2026-dyck": Preset(
        "dyck-64", _DEEP | {"length": 1024}, _LEE, "164M tokens; the length is that of their NCA rows"
    ),
    "lee2026-web": Preset(
        "nca-10", {"complexity": (0.5, 1.0)}, _LEE, "for web text and maths; 160,000 rows, 164M tokens"
    ),
    "lee2026-code": Preset("nca-10", {"complexity": (0.3, 0.4)}, _LEE, "for code; 160,000 rows, 164M tokens"),
    **{
        f"lee2026-gzip_{low}_{high}": Preset("nca-10", {"complexity": (low / 100, high / 100)}, _LEE, "band study")
        for low, high in ((20, 30), (30, 40), (40, 50), (50, 100))
    },
    "wu2021-mixed": Preset("lime-induct+lime-deduct+lime-abduct", {}, _LIME, _EXAMPLES),
    **{
        f"wu2021-{mode}": Preset(f"lime-{mode}", {}, _LIME, note)
        for mode, note in (
            ("induct", f"{_EXAMPLES}, as for the mixture"),
            ("deduct", f"{_EXAMPLES}, as for the mixture"),
            ("abduct", f"{_EXAMPLES}, as for the mixture"),
            ("rewrite_multistep_hard", _EXAMPLES),
            ("rewrite_multistep_easy", "budget not published"),
        )
    },
    "wu2022-set": Preset("simpler-set", {}, _WU, f"65 % of natural pretraining's benefit; {_T5}"),
    "wu2022-identity": Preset("simpler-copy", {}, _WU, _T5),
    "wu2022-unary": Preset("simpler-unary", {}, _WU, _MIXED),
    "wu2022-binary": Preset("simpler-binary", {}, _WU, _MIXED),
    "wu2022-set_operations": Preset("simpler-set_operations", {}, _WU, _MIXED),
    "wu2022-all": Preset("simpler-all", {}, _WU, _MIXED),
    "krishna2021-our_tasks": Preset("nonsense-composite", {}, _KRISHNA, _DOCUMENTS),
    "krishna2021-step_reordering": Preset("nonsense-sentence_reordering", {}, _STEP, _DOCUMENTS),
    "krishna2021-step_next": Preset("nonsense-next_sentence_generation", {}, _STEP, _DOCUMENTS),
    "krishna2021-step_masked": Preset("nonsense-masked_document_generation", {}, _STEP, _DOCUMENTS),
    "krishna2021-step": Preset(
        "nonsense-sentence_reordering+nonsense-next_sentence_generation+nonsense-masked_document_generation",
        {},
        _STEP,
        "the three in equal parts, which is our choice",
    ),
    **_languages_of_ri(),
    **_suite_of_mad(),
    **_presets_of_zoology(),
    "ri2022-nesting_parenthesis": Preset("nesting-16000", {"style": "parenthesis"}, _RI),
    "ri2022-flat_parenthesis": Preset("flat-16000", {"style": "parenthesis"}, _RI),
    **{f"hu2025-dyck_{k}": Preset(f"dyck-{k}", _DEEP, _HU, "best after 65.5M tokens") for k in (8, 16, 32, 64)},
    **{
        f"hu2025-dyck_shuffle_{k}": Preset(f"dyck_shuffle-{k}", _DEEP, _HU, "best after 32.8M tokens")
        for k in (8, 16, 32, 64)
    },
    "hu2025-dyck_1": Preset("dyck-1", _DEEP, _HU, "length and depth are those of k-Dyck"),
    "hu2025-repository": Preset(
        "dyck_shuffle-64", {"length": 2048, "p_open": 0.51, "max_depth": 8}, _HU, "the defaults of their code"
    ),
    "hu2025-ww": Preset("ww-64", {"length": 2048, "shortest": 10, "longest": 510}, _HU, "control"),
    "hu2025-random_binary": Preset(
        "words-2", {"distribution": "uniform", "sentences": False, "length": 2048}, _HU, "control"
    ),
    "hu2025-random_integers": Preset(
        "words-128", {"distribution": "uniform", "sentences": False, "length": 2048}, _HU, "control; 128 is ours"
    ),
    "akyurek2024-regbench": Preset(
        "regbench-12", {}, _AKYUREK, "5,000 automata to train on, a row of each, 250 to validate and 250 to test"
    ),
    **{
        f"deletang2023-{task}": Preset(
            f"chomsky-{task}",
            {"length": 40, "test_length": 500},
            _DELETANG,
            f"level {kind.level}; batches of 128, up to 1,000,000 steps; theirs have one length in a batch",
        )
        for task, kind in KINDS.items()
    },
    "grau2024-utm": Preset("utm-17", {}, _GRAU, "programs that grow while they run"),
    "grau2024-utm_markov": Preset("utm-17", {"sampler": "markov"}, _GRAU, "by the counts that the repository ships"),
    "grau2024-script": Preset(
        "utm-9", {"maximum_steps": 100, "program_length": 100}, _GRAU, "the defaults of their code's train.py"
    ),
    **{
        f"merrill2024-{group}": Preset(
            f"word_problem-{group}", {"length": 20, "min_length": 2}, _MERRILL, "up to 5,000,000 rows of each length"
        )
        for group in ("A5", "A4_x_Z5", "Z60")
    },
    "liu2023-ffl": Preset("flip_flop-512", {}, _FFL, "FFL(0.8): to train on; 16,000,000 rows"),
    "liu2023-ffl_sparse": Preset("flip_flop-512", {"p_ignore": 0.98}, _FFL, "FFL(0.98): a test of far reads"),
    "liu2023-ffl_dense": Preset("flip_flop-512", {"p_ignore": 0.1}, _FFL, "FFL(0.1): a test of near reads"),
    "scale2026-set": Preset("filled_set-2048", {"vocab_size": 999, "score_all": True}, _AT_SCALE, _INTEGERS),
    "scale2026-dyck_shuffle": Preset(
        "dyck_shuffle-64", {"length": 2048, "p_open": 0.5, "max_depth": 8}, _AT_SCALE, _INTEGERS
    ),
    "scale2026-mp_struct_core": Preset("mp_struct_core-2048", {}, _AT_SCALE, _INTEGERS),
    "scale2026-nca": Preset(
        "nca-10",
        {"length": 1406, "complexity": (0.5, 1.0), "rules": None, "burn_in": 11},
        _AT_SCALE,
        f"{_INTEGERS}; a rule for each row",
    ),
    **_playground_of_allen_zhu(),
    **{
        f"mita2026-{name}": Preset(f"{name}-1024", {}, _MITA, "100,000 rows; 500 steps of 32 before natural text")
        for name in ("mp_struct", "mp_struct_core")
    },
    "guo2026-rnn": Preset("rnn_language-50277", {}, _GUO, "1,000 networks, 100 rows of each; 500 steps of 32"),
    "guo2026-dyck_shuffle": Preset(
        "dyck_shuffle-64", {"length": 2048, "p_open": 0.51, "max_depth": 8}, _GUO, "what they compare with"
    ),
    **{
        f"markeeva2024-{algorithm}": Preset(
            f"clrs-{algorithm}", {"max_tokens": 8192}, _MARKEEVA, "10,000 rows of each size; sizes to train on"
        )
        for algorithm in ALGORITHMS
    },
    "bloem2025-lstm": Preset(
        "iterated_rnn-128", {"layers": 4, "min_networks": 0}, _BLOEM, "rows from no network among them; embeddings ours"
    ),
}

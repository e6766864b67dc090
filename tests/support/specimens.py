"""Small instances of every task, and what is right about their rows."""

import numpy as np

# (name, parameters): small, with enough prompts for all three splits. Every task of the registry is among them.
SPECIMENS = [
    ("sort-6", {"vocab_size": 20}),
    ("reverse-5", {"vocab_size": 20}),
    ("identity-5", {"vocab_size": 12}),
    ("set-6", {"vocab_size": 9}),
    ("filled_set-20", {"vocab_size": 30}),
    ("filled_set-24", {"vocab_size": 12, "score_all": True}),
    ("union-7", {"vocab_size": 20}),
    ("union-6", {"vocab_size": 9}),
    ("delete-5", {"vocab_size": 7}),
    ("stack-9", {"vocab_size": 6}),
    ("dyck-3", {"length": 16}),
    ("dyck-3", {"length": 15, "p_open": 0.4, "max_depth": 4}),
    ("dyck_shuffle-4", {"length": 14, "max_depth": 3}),
    ("dyck_shuffle-4", {"length": 14, "max_depth": 6, "balanced": True}),
    ("eca-110", {"width": 16, "steps": 3}),
    ("eca-90", {"width": 12, "steps": 1}),
    ("haystack-4", {"vocab_size": 40}),
    ("haystack-3", {"vocab_size": 13}),
    ("addition-2", {}),
    ("addition-3", {"min_digits": 1, "score_all": True}),
    ("reversed_addition-3", {"min_digits": 2}),
    ("multiplication-3", {}),
    ("multiplication-2", {"min_digits": 1, "score_all": True}),
    ("sorting-5", {"vocab_size": 20}),
    ("simpler-set", {"min_length": 4, "length": 9, "num_tokens": 30}),
    ("simpler-set_operations", {"min_length": 6, "length": 12, "num_tokens": 9}),
    ("simpler-get_index", {"min_length": 4, "length": 14, "num_tokens": 30}),
    ("simpler-all", {"min_length": 7, "length": 15, "num_tokens": 20}),
    ("nca-3", {"grid": 4, "length": 40, "complexity": None, "rules": 50}),
    ("nca-4", {"grid": 6, "length": 50, "complexity": [0.1, 0.3], "rules": 20, "temperature": 0.01}),
    ("nca-5", {"grid": 3, "patch": 1, "length": 25, "complexity": None, "rules": None, "dt": 2, "identity_bias": 0.5}),
    ("sort-4+nca-3", {"vocab_size": 20, "grid": 4, "nca.length": 40, "complexity": None}),
    ("lime-induct", {"vocab_size": 80}),
    ("lime-abduct", {"vocab_size": 68}),
    ("lime-rewrite_multistep_easy", {"vocab_size": 90, "steps": 3}),
    ("lime-induct+lime-deduct+lime-abduct", {"vocab_size": 100}),
    ("nonsense-copy_bulleted", {"vocab_size": 26}),
    ("nonsense-composite", {"vocab_size": 100}),
    ("nonsense-sentence_reordering", {"vocab_size": 26, "required_tokens": 40}),
    ("nonsense-masked_document_generation", {"vocab_size": 26, "required_tokens": 40, "min_span": 5, "max_span": 20}),
    ("words-40", {"length": 70, "distribution": "log_linear"}),
    ("words-2", {"length": 24, "distribution": "uniform", "sentences": False}),
    ("nesting-9", {"length": 80}),
    ("nesting-30", {"length": 50, "style": "parenthesis", "distribution": "uniform", "p_open": 0.6}),
    ("flat-30", {"length": 70, "distribution": "log_linear", "language_seed": 3}),
    ("flat-9", {"length": 50, "style": "parenthesis"}),
    ("ww-8", {"length": 40, "shortest": 2, "longest": 9}),
    ("regbench-5", {"vocab_size": 9, "min_num_in_context_examples": 3, "max_num_in_context_examples": 6}),
    ("regbench-12", {"max_len_per_example": 8}),
    ("chomsky-parity_check", {"length": 14}),
    ("chomsky-solve_equation", {"length": 12, "min_length": 7}),
    ("chomsky-binary_multiplication", {"length": 13, "test_length": 30}),
    ("chomsky-stack_manipulation", {"length": 9, "min_length": 9}),
    ("utm-17", {"length": 40}),
    ("utm-3", {"memory_size": 4, "maximum_steps": 200, "length": 24, "sampler": "markov", "min_output": 5}),
    ("utm-5", {"length": 30, "program_length": 40, "min_output": 3}),
    ("chomsky-reverse_string", {"length": 12, "blanks": True}),
    ("word_problem-S3", {"length": 9}),
    ("word_problem-A4_x_Z5", {"length": 6, "min_length": 2, "test_length": 12}),
    ("flip_flop-24", {"p_ignore": 0.4}),
    ("flip_flop-30", {"min_length": 20, "test_length": 48}),
    ("mano-3", {}),
    ("mano-2", {"operators": "asd", "value_mod": 11, "knowledge_augment": False, "score_all": False}),
    ("depo-6", {"k": 4}),
    ("depo-9", {"k": 6, "m": 3, "mini_vocab": 4, "min_tlen": 1, "max_tlen": 2, "qa": True, "separator": True}),
    ("brevo-8", {}),
    ("brevo-7", {"multi": True, "qa": True}),
    ("lano-cfg3b", {"length": 200}),
    ("lano-cfg3e2", {"length": 60}),
    ("capo-30", {}),
    ("capo-7", {"permute": True, "reverse_md": True, "score_all": False}),
    ("mano-2+depo-4+brevo-6+capo-5", {"k": 3, "score_all": False}),
    ("mad_in_context_recall-16", {}),
    ("mad_in_context_recall-12", {"vocab_size": 9, "multi_query": False, "form": "test"}),
    ("mad_noisy_in_context_recall-20", {"frac_noise": 0.6, "form": "training"}),
    ("mad_fuzzy_in_context_recall-32", {}),
    ("mad_fuzzy_in_context_recall-20", {"vocab_size": 9, "v_motif_size": 1, "multi_query": False}),
    ("mad_selective_copying-24", {"num_tokens_to_copy": 5}),
    ("mad_compression-9", {"vocab_size": 8}),
    ("mad_memorization-20", {"length": 12, "kv_map_seed": 1}),
    ("mqar-3", {"length": 20, "vocab_size": 20}),
    ("mqar-4", {"length": 40, "vocab_size": 64, "power_a": 1.0, "random_non_queries": False}),
    ("forgetting_mqar-3", {"vocab_size": 30, "num_updates": 2, "length": 24}),
    ("compositional_mqar-4", {"vocab_size": 24, "length": 30}),
    ("mqar-3+mqar-4+sort-4", {"mqar.vocab_size": 24, "mqar-3.length": 16, "vocab_size": 20}),
    ("mp_struct-90", {"p_wh_goal": 0.5, "p_c_wh": 0.5}),
    ("mp_struct-70", {"enable_merge": False, "strip_lexical": False, "agree_match_ratio": 0.5}),
    ("mp_struct_core-150", {"use_complex_args": True}),
    ("mp_struct_core-120", {"use_head_diversity": False}),
    ("rnn_language-40", {"length": 30, "hidden_size": 12, "temperature": 0.05}),
    ("rnn_language-300", {"length": 24, "activation": "tanh", "models": 5}),
    ("clrs-insertion_sort", {"lengths": [4, 6]}),
    ("clrs-binary_search", {"lengths": 5, "trace": False}),
    ("clrs-kmp_matcher", {"lengths": 10}),
    ("clrs-topological_sort", {"lengths": 5}),
    ("clrs-bridges", {"lengths": 5, "p": 0.6}),
    ("clrs-dijkstra", {"lengths": [4, 5, 7]}),
    ("iterated_rnn-6", {"length": 40, "symbols": 20}),
    ("iterated_rnn-4", {"length": 24, "symbols": 9, "layers": 2, "seed_length": 3, "min_networks": 0, "spread": 0.5}),
    ("reasoning_gym-coin_flip", {"length": 1000}),
    ("reasoning_gym-number_sequence", {"length": 999, "config": {"min_terms": 5, "max_terms": 6}}),
    ("set-6", {"vocab_size": 9, "shuffle_tokens": True}),
    ("dyck-3", {"length": 16, "shuffle_tokens": True}),
    ("addition-3", {"shuffle_tokens": True}),
    ("sort-4+addition-2", {"vocab_size": 20, "shuffle_tokens": True}),
    ("haystack-3+multiplication-2", {"vocab_size": 20}),
    ("sort-4+reasoning_gym-gcd", {"sort.vocab_size": 20}),
    ("sort-4+chomsky-compute_sqrt", {"chomsky.length": 12, "test_length": 40}),
    ("sort-4+set-6+eca-30+dyck-2", {"vocab_size": 20, "width": 12, "steps": 2, "length": 16, "weights": [3, 2, 1, 1]}),
]


def specimen_id(specimen) -> str:
    """A specimen as a word: ``sort-6,vocab_size=20``."""
    name, parameters = specimen
    return ",".join([name, *(f"{key}={value}" for key, value in parameters.items())]).replace(" ", "")


def parts_of(task) -> list:
    """The members of a mixture, or the task itself."""
    return getattr(task, "members", [task])


def is_shuffled(task) -> bool:
    """Whether rows have lost their answers: then no oracle can judge one."""
    return any(part.parameters.get("shuffle_tokens", False) for part in parts_of(task))


def is_right(task, input_ids, labels) -> bool:
    """Whether a row is the one that the oracle, `solve` or `accepts`, makes of its prompt or word."""
    return task.is_row(input_ids, labels)


def prompt_and_rest(task, input_ids, labels) -> tuple[list[int], list[int]]:
    """The prompt of a row, and what is behind it: of targets that stand apart, these, else the rest of the row."""
    if task.apart:
        return task.question(input_ids, labels)
    prompt = [] if task.is_language else task.prompt_of(input_ids, labels)
    return prompt, [int(token) for token in input_ids[len(prompt) :]]


def row_of(mixture, member, input_ids, labels):
    """A mixture's row in a member's ids and width, or None where it cannot be one of the member's."""
    own = {token: index for index, token in enumerate(member.vocabulary)}
    words = [mixture.vocabulary[token] for token in input_ids]
    used, padding = words[: member.max_length], words[member.max_length :]
    if any(word not in own for word in used) or any(word != "<pad>" for word in padding):
        return None
    targets = [None if label == -100 else mixture.vocabulary[label] for label in labels]
    if any(targets[member.max_length :]) or any(word not in own for word in targets if word is not None):
        return None
    ids = np.array([own[word] for word in used], np.int32)
    return ids, np.array([-100 if word is None else own[word] for word in targets[: member.max_length]])


def members_of(mixture, input_ids, labels) -> list:
    """The members of a mixture of which a row is a right one, each with the row in its ids."""
    rows = [(member, row_of(mixture, member, input_ids, labels)) for member in mixture.members]
    return [(member, row) for member, row in rows if row is not None and _is_of(member, *row)]


def _is_of(member, input_ids, labels) -> bool:
    try:
        return is_right(member, input_ids, labels)
    except ValueError:  # an oracle may stumble over the row of another member
        return False

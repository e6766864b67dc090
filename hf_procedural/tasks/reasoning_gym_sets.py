"""What is to be known of each data set of reasoning-gym before it is asked, as it was seen in version 0.1.25.

docs/guides/reasoning-gym.md has all that was seen, and the command that looks anew.
"""

_BY_LENGTH = {  # bytes of a row, of a power of two, in which nine of ten items fit at least
    64: """
        basic_arithmetic number_sequence
    """,
    128: """
        chain_sum coin_flip complex_arithmetic count_bits count_primes gcd lcm products simple_equations
        spell_backward
    """,
    256: """
        base_conversion bf calendar_arithmetic decimal_arithmetic decimal_chain_sum fraction_simplification
        letter_counting power_function prime_factorization syllogism time_intervals
    """,
    512: """
        advanced_geometry binary_alternation bitwise_arithmetic caesar_cipher color_cube_rotation countdown
        course_schedule cryptarithm dice family_relationships graph_color gsm_symbolic isomorphic_strings
        knights_knaves leg_counting maze mini_sudoku number_filtering number_format palindrome_generation
        puzzle24 ransom_note rush_hour sentence_reordering simple_geometry sudoku survo word_ladder
        word_sequence_reversal word_sorting
    """,
    1024: """
        ab aiw arc_1d binary_matrix game_of_life game_of_life_halting group_anagrams intermediate_integration
        jugs kakurasu largest_island letter_jumble list_functions manipulate_matrix n_queens number_sorting
        path_star polynomial_equations polynomial_multiplication pool_matrix propositional_logic quantum_lock
        rotate_matrix rubiks_cube self_reference shortest_path simple_integration sokoban string_insertion
        tsumego
    """,
    2048: """
        acre emoji_mystery figlet_font futoshiki knight_swap palindrome_partitioning rotten_oranges
        spiral_matrix string_manipulation string_splitting string_synthesis zebra_puzzles
    """,
    4096: """
        boxnet circuit_logic mahjong_puzzle modulo_grid needle_haystack rearc tower_of_hanoi
    """,
    8192: """
        arc_agi codeio rectangle_count
    """,
}

LENGTHS = {name: length for length, names in _BY_LENGTH.items() for name in names.split()}

_NONE = "it gives no answer that scores in reasoning-gym 0.1.25"
REFUSED = {
    **dict.fromkeys(("boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"), _NONE),
    "codeio": "its items are made by running thousands of programs that come with it, some of which write files",
    "intermediate_integration": "it scores by sympy, which may take minutes over a wrong answer",
}

# Items that follow the order of sets of strings, which differs from process to process unless PYTHONHASHSEED is 0.
ORDERED = frozenset({"isomorphic_strings", "knight_swap", "polynomial_multiplication", "ransom_note", "word_ladder"})

SEEDS_32 = frozenset({"pool_matrix"})  # which seeds NumPy, that takes no more than 32 bits

# Sets that take milliseconds to construct, and for which a new seed does as well.
_KEPT = """
    arc_agi base_conversion caesar_cipher count_primes emoji_mystery figlet_font group_anagrams letter_counting
    letter_jumble n_queens rearc sentence_reordering spell_backward spiral_matrix sudoku word_ladder
    word_sequence_reversal word_sorting
"""
KEPT = frozenset(_KEPT.split())

# Sets that run an answer as Python to score it: by eval, for which ours reads a literal,
LITERALS = frozenset({"binary_matrix", "n_queens", "spiral_matrix", "string_insertion"})
# and by sympy, to which ours hands nothing but this: numbers, operators, and names of one letter or of a function.
FORMULAS = frozenset({"countdown", "polynomial_multiplication", "puzzle24", "simple_integration"})
# Of these, those of numbers alone.
NUMBERS = frozenset({"countdown", "puzzle24"})

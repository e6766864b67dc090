"""The rewards of RePro, and judges that answer, talk nonsense, are too slow or die."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.judge_server import serve
from support.rigged import save_rigged
from support.running import ROOT

from hf_procedural.models.prompting import read_template
from hf_procedural.recycle import judges, rewards
from hf_procedural.recycle.pieces import MARKER
from hf_procedural.text.tokenizers import END_OF_TEXT, train_tokenizer

TEMPLATES = ROOT / "recipes" / "templates"
REQUEST = read_template(TEMPLATES / "dataman.txt", "text")
COMPARE = read_template(TEMPLATES / "structure.txt", "text", "paraphrase")


def ratings(overall) -> str:
    return "\n".join(["O", *["5"] * 13, str(overall)])


def judge_of(answer, tokenizer=None, positions=None, max_tokens=29) -> judges.Judge:
    """A judge that answers each question by `answer`."""
    return judges.Judge(lambda questions: list(map(answer, questions)), max_tokens, tokenizer, positions)


def length_as_score(question: str) -> str:
    """The number of words between Text: and Domain: as overall score."""
    return ratings(len(re.search("Text: (.*?)\n*Domain", question, re.DOTALL)[1].split()))


def rewarded(reward, completions, texts, **columns):
    return reward(prompts=["p"] * len(texts), completions=completions, text=texts, **columns)


def test_what_is_read_of_a_completion():
    said = [f"{MARKER} a", f"\n{MARKER}\n\n a b \n", f"Sure. {MARKER} a {MARKER} b", "a", "", MARKER, MARKER.lower()]
    assert [rewards.rephrased(each) for each in said] == ["a", "a b", f"a {MARKER} b", "", "", "", ""]
    assert rewards.rephrased([{"role": "assistant", "content": f"<think>\n\n</think>\n\n{MARKER} a"}]) == "a"
    formatted = rewarded(rewards.format_reward, [*said, f"<think>\n\n</think>\n\n{MARKER} a"], [""] * 8)
    assert formatted == [1, 1, 0, 0, 0, 1, 0, 1]
    assert rewarded(rewards.format_reward, [f"<think>so</think>{MARKER} a"], [""]) == [0]


@pytest.mark.parametrize(
    ("text", "paraphrase", "value"),
    [
        ("a" * 100, "b" * 125, 1),
        ("a" * 100, "b" * 126, 0),
        ("a" * 100, "", 1),
        ("", "", 1),
        ("", "b", 0),
        ("é🙂", "bb", 1),
    ],
)
def test_length(text, paraphrase, value):
    assert rewarded(rewards.length_reward, [f"{MARKER} {paraphrase}"], [text]) == [value]


def test_length_without_a_marker_is_that_of_an_empty_text():
    assert rewarded(rewards.length_reward, ["b" * 1000], ["a"]) == [1]


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        (ratings(5), 5),
        (ratings(1), 1),
        (f"  {ratings('3.0 ')}\n", 3),
        (ratings(4) + "\nmore", 4),
        (ratings(6), None),
        (ratings(0), None),
        (ratings("nan"), None),
        (ratings("N/A"), None),
        ("5\n" * 14, None),
        ("5", None),
        ("", None),
    ],
)
def test_overall_score(answer, score):
    assert rewards.overall_score(answer) == score


@pytest.mark.parametrize(
    ("answer", "value"),
    [("1", 1), ("0", 0), ("Answer: 1 \n", 1), ("<think>\n\n</think>\n\n0", 0), ("yes", None), ("2", None), ("", None)],
)
def test_verdict(answer, value):
    assert rewards.verdict(answer) == value


def test_quality_is_the_difference_of_scores():
    quality = rewards.quality_reward(judge_of(length_as_score), REQUEST)
    said = [f"{MARKER} a b c", f"{MARKER} a", f"{MARKER} a b"]
    assert rewarded(quality, said, ["a", "a b c", "a b"]) == [2, -2, 0]
    assert rewarded(quality, said, ["a", "a b c", "a b"], score=[5.0, None, 2.5]) == [-2, -2, -0.5]


def test_what_cannot_be_parsed_counts_as_nought_and_is_told(caplog):
    logged = {}
    quality = rewards.quality_reward(judge_of(lambda question: "good" if "bad" in question else ratings(4)), REQUEST)
    found = rewarded(quality, [f"{MARKER} bad", f"{MARKER} fine"], ["a", "b"], log_metric=logged.__setitem__)
    assert found == [-4, 0] and logged == {"quality/unparsable": 0.25}
    assert "quality: 1 of the judge's 4 answers cannot be parsed and count as 0, such as 'good'" in caplog.text
    structure = rewards.structure_reward(judge_of(lambda question: "maybe"), COMPARE)
    assert rewarded(structure, [f"{MARKER} a"], ["b"], log_metric=logged.__setitem__) == [0]
    assert logged["structure/unparsable"] == 1


def test_structure_sees_both_texts():
    asked = []
    judge = judge_of(lambda question: asked.append(question) or str(int("- x" in question.split("Now compare.")[1])))
    structure = rewards.structure_reward(judge, COMPARE)
    said = [f"{MARKER} - x", f"{MARKER} x, {{text}}"]
    assert rewarded(structure, said, ["original {paraphrase}", "original"]) == [1, 0]
    assert asked[0].count("original {paraphrase}\nParaphrase:\n- x\n") == 1
    assert asked[1].count("original\nParaphrase:\nx, {text}\n") == 1


def test_meaning_is_a_threshold():
    scores = {"a": 0.65, "b": 0.6499999, "": 0.0}

    def bert_score(texts, originals):
        return np.array([scores[text] for text in texts])

    logged = {}
    meaning = rewards.meaning_reward(bert_score, 0.65)
    said = [f"{MARKER} a", f"{MARKER} b", "no marker"]
    assert rewarded(meaning, said, ["x", "y", "z"], log_metric=logged.__setitem__) == [1, 0, 0]
    assert logged["meaning/bert_score"] == pytest.approx((0.65 + 0.6499999) / 3)


@given(st.text(max_size=300), st.integers(2, 40), st.integers(2, 60))
def test_a_text_is_shortened_to_its_ends(text, characters, tokens):
    found = judge_of(str).shorten(text, characters, tokens)
    kept = text if len(text) <= characters else text[: characters // 2] + text[-(characters // 2) :]
    assert found == kept.strip() or len(found) <= 4 * tokens + 3
    if found != kept.strip():
        beginning, _, end = found.partition("...")
        assert kept.strip().startswith(beginning) and kept.rstrip().endswith(end.rpartition("...")[2])


def test_tokens_are_counted_by_the_judges_tokenizer():
    tokenizer = train_tokenizer(["ab " * 50], 257)  # bytes
    judge = judge_of(str, tokenizer)
    assert judge.shorten("x" * 10, 100, 10) == "x" * 10
    assert judge.shorten("0123456789a", 100, 10) == "01234...6789a"
    assert judge.shorten("é" * 10, 100, 10).replace("...", "") in ("é" * 4, "é" * 5, "é" * 6)
    narrow = judge_of(str, tokenizer, positions=50, max_tokens=9)
    assert narrow.shorten("x" * 30, 100, 100, others=20) == "x" * 10 + "..." + "x" * 10
    with pytest.raises(judges.JudgeError, match="50 positions has no room"):
        narrow.shorten("x" * 30, 100, 100, others=39)


def test_a_question_is_asked_once():
    asked = []
    judge = judge_of(lambda question: asked.append(question) or question.upper())
    assert judge(["a", "b", "a"]) == ["A", "B", "A"] and judge(["b", "c"]) == ["B", "C"] and judge([]) == []
    assert asked == ["a", "b", "c"]


# Servers


def test_a_server_is_asked_greedily_in_a_chat():
    with serve(lambda question, number: question[::-1]) as server:
        judge = judges.load_judge(server.url, max_tokens=29)
        assert judge(["abc", "de", "abc"]) == ["cba", "ed", "cba"]
        first, *others = server.asked
    assert len(others) == 2
    assert all(body["temperature"] == 0 and body["max_tokens"] == 29 and body["model"] == "judge" for body in others)
    assert [message["role"] for message in others[0]["messages"]] == ["system", "user"]


def test_answers_keep_their_order():
    with serve(lambda question, number: 0.01 * (number % 3) if number < 0 else question) as server:
        questions = [str(number) for number in range(100)]
        assert judges.load_judge(server.url, max_tokens=8, batch_size=7)(questions) == questions


def test_a_server_of_several_models_needs_a_name():
    with serve(lambda question, number: "1", models=("a", "b")) as server:
        with pytest.raises(ValueError, match="serves a, b: name the model"):
            judges.load_judge(server.url, max_tokens=8)
        assert judges.load_judge(server.url, max_tokens=8, model="b")(["x"]) == ["1"]
        assert server.asked[-1]["model"] == "b"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (500, "Internal Server Error|500"),
        (404, "404"),
        ({"choices": []}, "gives no answer"),
        ({"error": "nonsense"}, "gives no answer"),
        ([1, 2], "gives no answer"),
        ({"choices": [{"index": 0, "message": {"role": "assistant", "content": [1]}}]}, "content is list, not text"),
        (1.5, "no answer within 0.2 s, 1 times"),
    ],
)
def test_a_server_that_gives_no_answer(answer, told):
    with serve(lambda question, number: answer) as server, pytest.raises(judges.JudgeError, match=told):
        judges.load_judge(server.url, max_tokens=8, timeout=0.2, retries=0)


def test_a_server_that_is_not_there():
    with serve(lambda question, number: "1") as server:
        url = server.url
    with pytest.raises(judges.JudgeError, match=rf"judge {url} gives no answer: Connection error"):
        judges.load_judge(url, max_tokens=8, retries=0)


def test_a_passing_failure_is_tried_again():
    with serve(lambda question, number: 503 if number == 2 else "1") as server:
        assert judges.load_judge(server.url, max_tokens=8)(["x"]) == ["1"]
        assert len(server.asked) == 3


def test_a_server_that_dies_in_the_middle():
    with serve(lambda question, number: "1" if number < 5 else 500) as server:
        judge = judges.load_judge(server.url, max_tokens=8, retries=0, batch_size=1)
        assert judge(["a", "b"]) == ["1", "1"]
        with pytest.raises(judges.JudgeError):
            judge(["c", "d", "e", "f"])
        assert judge(["a", "b"]) == ["1", "1"]  # remembered


# Models in this process


def test_a_local_model_answers(tmp_path):
    tokenizer = train_tokenizer(["a b"], 257)
    chain = ["?", "1", END_OF_TEXT]
    save_rigged(tmp_path / "judge", tokenizer, chain, positions=64)
    judge = judges.load_judge(str(tmp_path / "judge"), max_tokens=8, batch_size=2)
    assert judge(["well?", "so?", "really, would you say so?"]) == ["1", "1", "1"]
    assert judge.positions == 64 and judge.tokenizer is not None
    structure = rewards.structure_reward(judge, "{text}{paraphrase}?")
    assert rewarded(structure, [f"{MARKER} {'a' * 500}"], ["b" * 500]) == [1]


def test_there_is_no_such_local_model(tmp_path):
    with pytest.raises(ValueError, match="no model there"):
        judges.load_judge(str(tmp_path / "nothing"), max_tokens=8)

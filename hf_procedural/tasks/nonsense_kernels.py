"""The loops of `nonsense`: documents of random words, what the sub-tasks d1 to d21 and STEP make of them, and answers.

Ids: words are below `full_stop`, which the keywords follow. `keywords[d]` has the first keyword of sub-task d and how
many there are; behind them stand the class or target tokens that only answers have.
"""

import numpy as np

from .kernels import below, njit, uniform


@njit
def write(state, input_ids, numbers, sizes, keywords, texts, zero, ends):
    """Rows of sub-tasks: of the one in `numbers`, or of 3 different ones of those. Where answers begin, and rows end.

    `sizes`: the means of sentences and of words, and how many words there are. `ends`: <sep>, <eos>.
    """
    mean_sentences, mean_words, full_stop = sizes
    document = np.empty((mean_sentences + 3, mean_words + 9), np.int32)  # up to 3 tokens may be put in
    lengths = np.empty(mean_sentences + 3, np.int64)
    drawn = np.zeros(3 if len(numbers) > 1 else 1, np.int32)
    starts, stops = np.empty((2, len(input_ids)), np.int64)
    for row in range(len(input_ids)):
        cells = input_ids[row]
        count = max(1, mean_sentences - 3 + below(state, 7))
        for i in range(count):
            lengths[i] = _sentence(state, document[i], mean_words, full_stop)
        _distinct(state, len(numbers), drawn)
        for task in drawn:
            _change(state, numbers[task], document, lengths, count, keywords, full_stop)
        end = 0
        for i in range(count):
            end = _copy(cells, end, document[i], 0, lengths[i])
        cells[end] = ends[0]
        starts[row] = end = end + 1
        for task in drawn:
            end = _answer(state, numbers[task], document, lengths, count, keywords, full_stop, texts, zero, cells, end)
        cells[end] = ends[1]
        stops[row] = end + 1
    return starts, stops


@njit
def _sentence(state, out, mean_words, full_stop):
    """Random words and a full stop; their number."""
    words = max(1, mean_words - 5 + below(state, 11))
    for i in range(words):
        out[i] = below(state, full_stop)
    out[words] = full_stop
    return words + 1


@njit
def _distinct(state, n, out):
    """Different numbers below n, in random order."""
    for i in range(len(out)):
        new = False
        while not new:
            out[i] = below(state, n)
            new = True
            for j in range(i):
                new = new and out[j] != out[i]


@njit
def _change(state, task, document, lengths, count, keywords, full_stop):
    """Puts the keywords of a sub-task into a document."""
    if task <= 2:
        return
    first, kinds = keywords[task]
    if task == 7 or task == 8:  # which put tokens in, where others mark words
        i = below(state, count)
        words = document[i]
        if task == 7:  # quotes around some words, but behind a keyword that opens the sentence
            begin = 0 if words[0] <= full_stop else 1
            begin += below(state, lengths[i] - begin)
            end = begin + 1 + below(state, lengths[i] - begin)
            _insert(words, lengths[i], end, first + 1)
            _insert(words, lengths[i] + 1, begin, first)
        else:
            _insert(words, lengths[i], 0, first)
        lengths[i] += 2 if task == 7 else 1
        return

    marks = 1  # how many words become keywords
    if task == 4 or task == 5 or task == 6 or task == 19:
        marks = 3
    elif task == 9:
        marks = below(state, 2)
    elif task == 12:
        marks = 3 + 2 * below(state, 2)
    elif task == 13:
        marks = 2 + below(state, 4)
    elif task == 15 or task == 20:
        marks = 2
    elif task == 16 or task == 17:
        marks = 1 + below(state, 4)
    # Numbers and the keywords that are sorted or joined differ; others may be equal.
    kind = np.empty(marks, np.int32)
    if task == 6 or task == 15 or task == 16 or task == 17 or task == 19 or task == 20:
        _distinct(state, kinds, kind)
    else:
        for i in range(marks):
            kind[i] = below(state, kinds)
    if task == 20:  # both in one sentence
        i = below(state, count)
        _mark(state, document[i], lengths[i] - 1, first + kind[0], full_stop)
        _mark(state, document[i], lengths[i] - 1, first + kind[1], full_stop)
        return
    left = marks
    for i in range(count):  # takes each set of sentences with the same probability
        if left and below(state, count - i) < left:
            left -= 1
            stop = lengths[i] - (2 if task == 19 else 1)  # a clause to join has a word behind its keyword
            _mark(state, document[i], stop, first + kind[left], full_stop)


@njit
def _insert(words, length, place, word):
    for i in range(length, place, -1):
        words[i] = words[i - 1]
    words[place] = word


@njit
def _mark(state, words, stop, keyword, full_stop):
    """Puts a keyword in place of any of the words before `stop` that is none."""
    free = 0
    for i in range(stop):
        free += words[i] <= full_stop
    skip = below(state, free)
    for i in range(stop):
        if words[i] <= full_stop:
            if skip == 0:
                words[i] = keyword
                return
            skip -= 1


@njit
def _copy(cells, end, words, start, stop):
    """Writes words[start:stop] from `end` on, and gives the new end."""
    for i in range(start, stop):
        cells[end] = words[i]
        end += 1
    return end


@njit
def _say(cells, end, text):
    i = 0
    while text[i] >= 0:
        cells[end] = text[i]
        end += 1
        i += 1
    return end


@njit
def _answer(state, task, document, lengths, count, keywords, full_stop, texts, zero, cells, end):
    """Writes the answer of a sub-task from `end` on, and gives the new end."""
    if task <= 2:
        i = 0 if task == 1 else count - 1
        return _copy(cells, end, document[i], 0, lengths[i])

    first, kinds = keywords[task]
    lines, places, kind = np.empty((3, 5), np.int64)  # the sentences with a keyword, where it stands, which it is
    marked = 0
    for i in range(count):
        for place in range(lengths[i]):
            if first <= document[i, place] < first + kinds:
                lines[marked] = i
                places[marked] = place
                kind[marked] = document[i, place] - first
                marked += 1
                break
    # Answers of fixed words: check_keyword, classify_keyword, majority_keyword, threshold_number, compare_numbers.
    if task == 9:
        return _say(cells, end, texts[0 if marked == 0 else 1])
    if task == 10:
        return _say(cells, end, texts[2 if kind[0] < 5 else 3])
    if task == 12:
        return _say(cells, end, texts[4 if 2 * kind[:marked].sum() < marked else 5])
    if task == 14:
        return _say(cells, end, texts[6 if kind[0] < 50 else 7])
    if task == 15:
        return _say(cells, end, texts[8 if kind[0] > kind[1] else 9])

    words = document[lines[0]]
    place = places[0]
    length = lengths[lines[0]]
    if task == 16 or task == 17:  # largest_number, sum_of_numbers
        end = _say(cells, end, texts[10 if task == 16 else 11])
        cells[end] = zero + (kind[:marked].max() if task == 16 else kind[:marked].sum())
        end += 1
    elif task == 7:  # copy_quoted
        stop = place + 1
        while words[stop] != first + 1:
            stop += 1
        end = _copy(cells, end, words, place + 1, stop)
        if cells[end - 1] == full_stop:
            return end
    elif task == 19:  # join_clauses
        end = _say(cells, end, texts[12])
        for j in range(marked):
            end = _copy(cells, end, document[lines[j]], places[j], lengths[lines[j]] - 1)
    elif task == 20:  # break_clauses
        second = place + 1
        while not first <= words[second] < first + kinds:
            second += 1
        end = _copy(cells, end, words, 0, second)
        cells[end] = full_stop
        end = _copy(cells, end + 1, words, 0, place)
        end = _copy(cells, end, words, second, length - 1)
    elif task == 21:  # truncate_sentence
        end = _copy(cells, end, words, 0, place)
    else:
        return _copied(state, task, document, lengths, lines, places, kind, marked, first + kinds, texts, cells, end)
    cells[end] = full_stop
    return end + 1


@njit
def _copied(state, task, document, lengths, lines, places, kind, marked, results, texts, cells, end):
    """The answers that are whole sentences."""
    if task == 8:  # copy_bulleted
        return _copy(cells, end, document[lines[0]], 1, lengths[lines[0]])
    if task == 11 or task == 18:  # replace_class_keyword, paraphrase_words
        result = kind[0] // 3 if task == 11 else 3 * kind[0] + below(state, 3)
        cells[end + places[0]] = results + result
        _copy(cells, end, document[lines[0]], 0, places[0])
        return _copy(cells, end + places[0] + 1, document[lines[0]], places[0] + 1, lengths[lines[0]])
    if task == 13:  # topic_segregation
        for topic in range(3):
            end = _say(cells, end, texts[13])
            cells[end] = results + topic
            end += 1
            for j in range(marked):
                if kind[j] // 3 == topic:
                    end = _copy(cells, end, document[lines[j]], 0, lengths[lines[j]])
        return end
    order = np.arange(marked)
    if task == 5:
        for i in range(marked - 1):
            j = i + below(state, marked - i)
            order[i], order[j] = order[j], order[i]
    elif task == 6:
        order = np.argsort(kind[:marked])
    for j in order:
        end = _copy(cells, end, document[lines[j]], 0, lengths[lines[j]])
    return end


@njit
def write_step(state, input_ids, step, mean_words, full_stop, sizes, mask, ends):
    """Rows of sentence reordering (0), next-sentence generation (1) or masked-document generation (2). Where answers
    begin, and rows end.

    `sizes`: tokens that a document exceeds, those of an answer of (1), the shortest and the longest span of (2).
    `mask`: <extra_id_0>. `ends`: <sep>, <eos>.
    """
    required, following, shortest, longest = sizes
    document = np.empty(required + mean_words + 6, np.int32)
    begins = np.empty(required + 2, np.int64)
    starts, stops = np.empty((2, len(input_ids)), np.int64)
    for row in range(len(input_ids)):
        cells = input_ids[row]
        length = 0
        count = 0
        begins[0] = 0
        while length <= required:
            length += _sentence(state, document[length:], mean_words, full_stop)
            count += 1
            begins[count] = length
        end = length  # of the prompt
        answer = 0  # the answer is document[answer:stop]
        stop = length
        if step == 0:
            order = np.arange(count)
            end = 0
            for i in range(count):
                j = i + below(state, count - i)
                order[i], order[j] = order[j], order[i]
                end = _copy(cells, end, document, begins[order[i]], begins[order[i] + 1])
        elif step == 1:
            answer = required - following
            stop = required
            end = _copy(cells, 0, document, 0, answer)
        else:
            _copy(cells, 0, document, 0, length)
            span = shortest + below(state, longest - shortest + 1)
            begin = below(state, required - span + 1)
            for i in range(begin, begin + span):
                chance = uniform(state)
                if chance < 0.8:
                    cells[i] = mask
                elif chance < 0.9:
                    cells[i] = below(state, full_stop)
        cells[end] = ends[0]
        starts[row] = end + 1
        end = _copy(cells, end + 1, document, answer, stop)
        cells[end] = ends[1]
        stops[row] = end + 1
    return starts, stops

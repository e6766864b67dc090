"""The loops of RegBench, compiled by Numba: random automata, their minimal forms and words."""

import numpy as np

from .kernels import _IGNORE, below, between, mix, njit

_TRIES = 10_000  # automata that are drawn for a row of a split, at most


@njit
def _draw(state, nodes, edges, alphabet, others, degrees, letters, targets):
    """An automaton as the reference draws it, each state's edges in the order of their letters. Gives its states.

    `nodes`: the least and the most states; `edges`: the most of a state; `alphabet`: all letters, in any order;
    `others`, the same numbers as their places in any order, is for the draws of states.
    """
    count = between(state, nodes[0], nodes[1])
    size = between(state, nodes[0], len(alphabet))
    for i in range(size):
        other = i + below(state, len(alphabet) - i)
        alphabet[i], alphabet[other] = alphabet[other], alphabet[i]
    others[:count] = np.arange(count)
    for node in range(count):
        degree = between(state, 1, edges)
        degrees[node] = degree
        for i in range(degree):
            other = i + below(state, size - i)
            letter = alphabet[other]
            alphabet[i], alphabet[other] = letter, alphabet[i]
            # Of the others but this node: it stands at the end while these are drawn.
            if i == 0:
                place = 0
                while others[place] != node:
                    place += 1
                others[place], others[count - 1] = others[count - 1], others[place]
            other = i + below(state, count - 1 - i)
            target = others[other]
            others[i], others[other] = target, others[i]
            place = i
            while place > 0 and letters[node, place - 1] > letter:
                letters[node, place] = letters[node, place - 1]
                targets[node, place] = targets[node, place - 1]
                place -= 1
            letters[node, place] = letter
            targets[node, place] = target
    return count


@njit
def _classes(count, degrees, letters, targets, classes, refined, first):
    """Which states have the same words, by Moore's refinement: the number of its class for each. Gives how many."""
    classes[:count] = 0
    number = 1
    while True:
        new = 0
        for node in range(count):
            found = -1
            for known in range(new):
                other = first[known]
                same = classes[node] == classes[other] and degrees[node] == degrees[other]
                edge = 0
                while same and edge < degrees[node]:
                    same = letters[node, edge] == letters[other, edge]
                    same = same and classes[targets[node, edge]] == classes[targets[other, edge]]
                    edge += 1
                if same:
                    found = known
                    break
            if found < 0:
                first[new] = node
                found = new
                new += 1
            refined[node] = found
        classes[:count] = refined[:count]
        if new == number:
            return number
        number = new


@njit
def _minimal(count, degrees, letters, targets, small_degrees, small_letters, small_targets, scratch):
    """The minimal automaton, its states in the order in which a search from the start, letter by letter, meets them.

    Gives its number of states and a hash that is the same for automata with the same words.
    """
    classes, refined, first, place = scratch
    number = _classes(count, degrees, letters, targets, classes, refined, first)
    place[:number] = -1
    place[classes[0]] = 0
    refined[0] = classes[0]  # the classes in the order in which they are met
    met = 1
    done = 0
    hashed = np.uint64(0)
    while done < met:
        node = first[refined[done]]
        small_degrees[done] = degrees[node]
        hashed = mix(hashed ^ np.uint64(degrees[node]))
        for edge in range(degrees[node]):
            target = classes[targets[node, edge]]
            if place[target] < 0:
                place[target] = met
                refined[met] = target
                met += 1
            small_letters[done, edge] = letters[node, edge]
            small_targets[done, edge] = place[target]
            hashed = mix(hashed ^ (np.uint64(letters[node, edge]) << np.uint64(32)) ^ np.uint64(place[target]))
        done += 1
    return met, hashed


@njit
def fill(state, input_ids, labels, nodes, edges, words, longest, separator, low, high, kept):
    """Words of a random automaton in each row, of one whose hash is in low..high. Gives the rows that it wrote.

    They are fewer where a row's automaton was not found. `kept` holds the minimal automata, if it has room for them:
    numbers of states, and of each state its edges, their letters and their targets.
    """
    n, width = input_ids.shape
    alphabet = np.arange(1, separator).astype(np.int32)
    most = nodes[1]
    others = np.empty(most, np.int32)
    degrees, small_degrees = np.empty(most, np.int32), np.empty(most, np.int32)
    letters, small_letters = np.empty((most, edges), np.int32), np.empty((most, edges), np.int32)
    targets, small_targets = np.empty((most, edges), np.int32), np.empty((most, edges), np.int32)
    scratch = (np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32))
    counts, all_degrees, all_letters, all_targets = kept
    for row in range(n):
        tries = 0
        while True:
            size = _draw(state, nodes, edges, alphabet, others, degrees, letters, targets)
            size, hashed = _minimal(
                size, degrees, letters, targets, small_degrees, small_letters, small_targets, scratch
            )
            if low <= hashed <= high:
                break
            tries += 1
            if tries == _TRIES:
                return row
        if row < len(counts):
            counts[row] = size
            all_degrees[row] = small_degrees
            all_letters[row] = small_letters
            all_targets[row] = small_targets
        end = 0
        for word in range(between(state, words[0], words[1])):
            if word:
                input_ids[row, end] = separator
                labels[row, end] = _IGNORE
                end += 1
            node = 0
            for _ in range(between(state, 1, longest)):
                edge = below(state, small_degrees[node])
                input_ids[row, end] = labels[row, end] = small_letters[node, edge]
                node = small_targets[node, edge]
                end += 1
        labels[row, 0] = _IGNORE
        input_ids[row, end:] = 0
        labels[row, end:] = _IGNORE
    return n

#!/usr/bin/env bash
# reasoning-gym 0.1.25: with one seed, isomorphic_strings, ransom_note and polynomial_multiplication ask other questions in
# each process (and knight_swap and word_ladder have other answers), since they draw in the order of sets of strings, which
# follows PYTHONHASHSEED. So a run that is resumed, or has several workers that do not fork, has other data, and an answer
# that is scored in another process by its index is scored against another question.
# Output seen:
#   reasoning-gym 0.1.25: of 20 items of one seed, equal in two processes: isomorphic_strings 0, ransom_note 0,
#   polynomial_multiplication 0, gcd 20; with PYTHONHASHSEED=0 all
# Exits 0 while it is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q reasoning-gym==0.1.25
cat > "$folder/items.py" <<'PYTHON'
import json
import reasoning_gym

names = ["isomorphic_strings", "ransom_note", "polynomial_multiplication", "gcd"]
print(json.dumps({name: [item["question"] for item in reasoning_gym.create_dataset(name, seed=1, size=20)] for name in names}))
PYTHON
cd "$folder"
for hash in 1 2 0; do PYTHONHASHSEED=$hash venv/bin/python items.py > "items_$hash"; done
PYTHONHASHSEED=0 venv/bin/python items.py > items_again
cmp items_0 items_again
venv/bin/python - <<'PYTHON'
import json
from importlib.metadata import version

first, second = (json.load(open(f"items_{hash}")) for hash in (1, 2))
equal = {name: sum(a == b for a, b in zip(first[name], second[name])) for name in first}
told = ", ".join(f"{name} {count}" for name, count in equal.items())
print(f"reasoning-gym {version('reasoning-gym')}: of 20 items of one seed, equal in two processes: {told}; with PYTHONHASHSEED=0 all")
assert equal.pop("gcd") == 20 and max(equal.values()) < 20
PYTHON

#!/usr/bin/env bash
# lm-eval's TaskManager.load takes "a registered name, a YAML file path or an inline config" (its docstring). The path of
# a task's YAML loads; that of a group's ends in a TypeError, since the group's list of members is taken for its name.
#
# Seen with lm_eval 0.4.13: "a task by its path: ['one']", "a group by its path: TypeError: unhashable type: 'list'".
# Exits 0 as long as it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lm_eval==0.4.13 datasets==5.2.0
cd "$folder"
echo '{"question": "a", "answer": "b"}' > rows.jsonl
cat > one.yaml <<YAML
task: one
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{ question }}"
doc_to_target: "{{ answer }}"
YAML
printf 'group: both\ntask: [one]\n' > both.yaml
"$folder/venv/bin/python" - <<'PYTHON'
import sys

from lm_eval.tasks import TaskManager

manager = TaskManager(include_path=".", include_defaults=False)
print("a task by its path:", list(manager.load(["one.yaml"])["tasks"]))
try:
    print("a group by its path:", list(manager.load(["both.yaml"])["tasks"]))
except TypeError as error:
    print(f"a group by its path: TypeError: {error}")
    sys.exit(0)
sys.exit(1)
PYTHON

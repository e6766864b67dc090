#!/usr/bin/env bash
# webdataset 1.0.2: samples whose keys have a dot are read as one sample where they agree up to it. TarWriter takes the
# keys as they are (__key__ "c4-0.1-000000" ...), and the reader splits each name at its first dot: a hundred rows come
# back as one sample with a hundred fields ("1-000000.json" ...), and decode, select and batched have no row to work on.
# No error and no warning. A key without dots gives them back. Expected: TarWriter refuses the key, as it refuses a
# missing one. Seen on 2026-11-29:
#   webdataset 1.0.2: 100 rows written; read with keys c4-0.1-000000: 1, with c4-01-000000: 100
# Exits 0 while it is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q webdataset==1.0.2 numpy==2.4.6 braceexpand==0.1.7 pyyaml==6.0.3
cd "$folder"
venv/bin/python - <<'PYTHON'
import importlib.metadata
import warnings

import webdataset

warnings.simplefilter("error", UserWarning)


def read(prefix):
    with webdataset.TarWriter("rows.tar") as writer:
        for row in range(100):
            writer.write({"__key__": f"{prefix}-{row:06d}", "json": [row, row + 1]})
    return len(list(webdataset.WebDataset("rows.tar", shardshuffle=False)))


dotted, plain = read("c4-0.1"), read("c4-01")
version = importlib.metadata.version("webdataset")
print(f"webdataset {version}: 100 rows written; read with keys c4-0.1-000000: {dotted}, with c4-01-000000: {plain}")
assert (dotted, plain) == (1, 100)
PYTHON

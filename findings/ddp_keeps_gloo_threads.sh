#!/usr/bin/env bash
# torch 2.13.0: destroy_process_group() ends gloo's threads, and that of the store, unless a DistributedDataParallel was
# made in the group: then they run on until the process ends, also when the DDP model was freed before. So leaving the
# group at the end of a program does not mean that the interpreter ends without foreign threads.
# Output seen (threads beside Python's own, before and after):
#   torch 2.13.0: without DDP 4 -> 0, with a DDP that is freed 4 -> 4
# Exits 0 while it is so; needs Linux and no GPU.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cat > "$folder/group.py" << 'END'
import gc, os, sys, time
import torch
import torch.distributed as dist

def threads():
    names = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
    return sum(name.startswith(("gloo", "pt_gloo", "pt_tcpstore")) for name in names)

dist.init_process_group("gloo", init_method="tcp://127.0.0.1:29941", rank=0, world_size=1)
if sys.argv[1] == "ddp":
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    del model
gc.collect()
before = threads()
dist.destroy_process_group()
gc.collect()
time.sleep(0.5)
print(f"{before} -> {threads()}")
END
plain=$("$folder/venv/bin/python" "$folder/group.py" plain 2> /dev/null)
ddp=$("$folder/venv/bin/python" "$folder/group.py" ddp 2> /dev/null)
version=$("$folder/venv/bin/python" -c 'import torch; print(torch.__version__.split("+")[0])')
echo "torch $version: without DDP $plain, with a DDP that is freed $ddp"
test "${plain##* }" = 0 && test "${ddp##* }" -gt 0

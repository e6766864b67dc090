#!/usr/bin/env bash
# accelerate 1.15.0 with torch 2.13.0: on a machine without a GPU, `accelerate launch script.py` (and with --cpu) sets
# OMP_NUM_THREADS to 1, so that training uses one core of however many, where `python script.py` uses all. The rule that
# gives each process its share of the cores asks for --cpu and num_processes >= 1, and num_processes is 0 here unless it
# is given. No line of the launcher's warning tells it. A training of ours made 18 steps/s instead of 30 on two cores.
# Output seen on two cores:
#   accelerate 1.15.0: python 2, launch 1, launch --cpu 1, launch --cpu --num_processes 1 2 of 2 cores
# Exits 0 while it is so; needs two cores and no GPU.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 accelerate==1.15.0 numpy
cd "$folder"
echo "import torch; print(torch.get_num_threads())" > script.py
export HF_HOME="$folder/home" CUDA_VISIBLE_DEVICES=
unset OMP_NUM_THREADS MKL_NUM_THREADS
alone=$(venv/bin/python script.py)
launched=$(venv/bin/accelerate launch script.py 2> /dev/null)
cpu=$(venv/bin/accelerate launch --cpu script.py 2> /dev/null)
told=$(venv/bin/accelerate launch --cpu --num_processes 1 script.py 2> /dev/null)
version=$(venv/bin/python -c 'import accelerate; print(accelerate.__version__)')
echo "accelerate $version: python $alone, launch $launched, launch --cpu $cpu, launch --cpu --num_processes 1 $told of $(nproc) cores"
test "$alone" -gt 1 && test "$launched" = 1 && test "$cpu" = 1 && test "$told" -gt 1

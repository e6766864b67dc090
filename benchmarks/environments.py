"""Measures the environments: whether their rewards are `task.score`, how fast they verify, and how many they serve.

    python benchmarks/environments.py openenv      # a minute and a half on two CPU cores; needs OpenEnv
    python benchmarks/environments.py verifiers    # as long; needs verifiers
    python benchmarks/environments.py openenv --clients 64 --seconds 60 --completions 10000 --task sort-16

Throughput is compared with the same server where every reply is worth 1: the difference is what the verifier takes.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import random
import socket
import sys
import time
import urllib.request
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # for what its completions are like
from support.completions import random_completion

import hf_procedural as hp
from hf_procedural.environments import Questions


def openenv(args) -> None:
    """OpenEnv: a server process, and clients in this one."""
    from hf_procedural.environments import openenv as ours

    class Constant(ours.ProceduralEnvironment):
        """A session where every reply is right."""

        def __init__(self, supply):
            super().__init__(supply)
            supply.usual.score = lambda question, completion: 1.0

    def serve(port, environment):
        ours.serve(ours.app(args.task, environment=environment), port=port)

    @contextlib.contextmanager
    def server(environment=ours.ProceduralEnvironment):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = multiprocessing.get_context("fork").Process(target=serve, args=(port, environment))
        process.start()
        try:
            while True:
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                    break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.kill()
            process.join()

    async def episodes(address, rows, completions) -> list[float]:
        async with ours.ProceduralEnv(base_url=address) as env:
            rewards = []
            for row, completion in zip(rows, completions, strict=True):
                await env.reset(row=row)
                rewards.append((await env.step(ours.ProceduralAction(reply=completion))).reward)
        return rewards

    questions, task, draw = Questions(args.task), hp.task(args.task), random.Random(0)
    rows = range(args.completions)
    completions = [random_completion(task, questions[row].prompt_ids, draw) for row in rows]
    scores = [
        task.score(questions[row].prompt_ids, completion) for row, completion in zip(rows, completions, strict=True)
    ]

    few = min(1_000, args.completions)
    seconds = [], []
    with server() as verified, server(Constant) as constant:
        rewards = asyncio.run(episodes(verified[0], rows, completions))
        for _ in range(7):
            for times, (address, _) in zip(seconds, (verified, constant), strict=True):
                start = time.perf_counter()
                asyncio.run(episodes(address, rows[:few], completions[:few]))
                times.append(time.perf_counter() - start)
    same, mean = sum(map(float.__eq__, rewards, scores)), sum(scores) / len(scores)
    print(f"openenv {args.task}: {same:,} of {len(rows):,} rewards are task.score (mean {mean:.3f})")
    fast, fastest = (few / min(times) for times in seconds)
    print(f"openenv {args.task}: {fast:.0f} episodes/s, constant reward {fastest:.0f}/s: {fast / fastest:.2f}")

    async def client(address, end) -> int:
        done = 0
        async with ours.ProceduralEnv(base_url=address) as env:
            while time.monotonic() < end:
                question = questions[(await env.reset()).metadata["row"]]
                completion = completions[question.number % len(completions)]
                result = await env.step(ours.ProceduralAction(reply=completion))
                assert result.done and result.reward == questions.score(question, completion)
                done += 1
        return done

    async def crowd(address, process) -> None:
        end = time.monotonic() + args.seconds
        clients = [asyncio.create_task(client(address, end)) for _ in range(args.clients)]
        memory = []
        while time.monotonic() < end:
            await asyncio.sleep(args.seconds / 12)
            memory.append(process.memory_info().rss / 1e6)
        counts = await asyncio.gather(*clients)
        in_mb = " ".join(f"{each:.0f}" for each in memory)
        print(
            f"openenv {args.task}: {len(counts)} clients for {args.seconds} s, no error: {sum(counts):,} episodes, "
            f"{min(counts):,} to {max(counts):,} each; RSS in MB: {in_mb}"
        )

    with server() as (address, pid):
        asyncio.run(crowd(address, psutil.Process(pid)))


def verifiers(args) -> None:
    """verifiers: scoring of traces, and whole rollouts by its own runner against a model that is a server of ours."""
    import tempfile

    import verifiers.v1 as vf
    from support.judge_server import serve
    from verifiers.v1.cli.eval.runner import run_eval
    from verifiers.v1.configs.cli.eval import EvalConfig

    from hf_procedural.environments import verifiers as ours

    config = ours.ProceduralConfig(id="hf-procedural-verifiers", task_name=args.task, rows=args.completions)
    tasks, task, draw = list(ours.ProceduralTaskset(config)), hp.task(args.task), random.Random(0)
    completions = [random_completion(task, each.data.prompt_ids, draw) for each in tasks]
    scores = [task.score(each.data.prompt_ids, completion) for each, completion in zip(tasks, completions, strict=True)]

    def trace_of(each, completion):
        asked = {"message": {"role": "user", "content": each.data.prompt}, "sampled": False}
        said = {"message": {"role": "assistant", "content": completion}, "sampled": True, "parent": 0}
        about = vf.TraceTask(type="QuestionTask", data=each.data, key=each.key, hash=each.hash)
        agent = vf.AgentInfo(config=vf.AgentConfig(), name="agent")
        return vf.Trace(task=about, state=vf.State(), agent=agent, nodes=[asked, said])

    async def scored(traces) -> float:
        start = time.perf_counter()
        for each, trace in zip(tasks, traces, strict=False):
            await each.score(trace)
        return time.perf_counter() - start

    traces = list(map(trace_of, tasks, completions))
    asyncio.run(scored(traces))
    same, mean = sum(trace.reward == score for trace, score in zip(traces, scores, strict=True)), sum(scores)
    print(f"verifiers {args.task}: {same:,} of {len(tasks):,} rewards are task.score (mean {mean / len(tasks):.3f})")

    replies = {each.data.prompt: completion for each, completion in zip(tasks, completions, strict=True)}
    few = min(64, args.completions)

    def rollouts(url, folder) -> float:
        config = {"env": {"taskset": {"id": "hf-procedural-verifiers", "task_name": args.task}}, "rich": None}
        config |= {"client": {"base_url": url}, "select": {"limit": few}, "output_dir": folder, "push": False}
        start = time.perf_counter()
        episodes = asyncio.run(run_eval(EvalConfig.model_validate(config)))
        assert all(episode.ok for episode in episodes)
        return time.perf_counter() - start

    async def constant(self, trace: vf.Trace) -> float:
        return 1.0

    constant.__name__ = "answer"
    verified, constant = ours.QuestionTask.answer, vf.reward(constant)
    times = {(what, reward): [] for what in ("scorings", "rollouts") for reward in (verified, constant)}
    with serve(lambda question, number: replies[question]) as server, tempfile.TemporaryDirectory() as folder:
        for _ in range(3):
            for reward in (verified, constant):
                ours.QuestionTask.answer = reward
                times["scorings", reward].append(asyncio.run(scored(traces[:1_000])) * few / min(1_000, len(traces)))
                times["rollouts", reward].append(rollouts(server.url, folder))
    for what in ("scorings", "rollouts"):
        fast, fastest = (few / min(times[what, reward]) for reward in (verified, constant))
        print(f"verifiers {args.task}: {fast:,.0f} {what}/s, constant reward {fastest:,.0f}/s: {fast / fastest:.2f}")


FRAMEWORKS = {"openenv": openenv, "verifiers": verifiers}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", choices=list(FRAMEWORKS))
    parser.add_argument("--task", default="sort-16")
    parser.add_argument("--completions", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    FRAMEWORKS[args.framework](args)

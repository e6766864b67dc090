"""A taskset of verifiers 0.4: the questions of a task, asked of a model in one reply or in steps.

    vf-eval hf-procedural-verifiers --env.taskset.task-name sort-8 -n 20    # any task, by the module of this name
    hf-procedural environment sort-8 --kind verifiers --output_dir DIR      # a package of one task

    ProceduralTaskset   loads questions by number, finitely or without an end; its tasks score what was replied
    ProceduralEnv       asks: once, or step by step, where our engine plays the user
    ChatHarness         what talks to the model: a chat without tools, in this process

What verifiers takes where a package names nothing else is an agent with a shell in a sandbox of its maker's: there a
question is answered by writing a program. Here a model answers by itself, and nothing is installed or sent elsewhere.
"""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import model_validator

from .episodes import Episode, Question, Questions, arguments, questions_of

try:
    import openai
    import verifiers.v1 as vf
    from verifiers.v1.dialects.chat import message_to_wire
except ImportError as error:
    raise ImportError(f"this environment needs verifiers: pip install 'hf-procedural[verifiers]' ({error})") from error

__all__ = ["ChatHarness", "ProceduralConfig", "ProceduralEnv", "ProceduralTaskset"]

_ASKED = ("seed", "split", "turns", "strict")  # what `Questions` takes besides the task, and decides a score


class ProceduralConfig(vf.TasksetConfig):
    """Which questions, as flags under ``--env.taskset.``."""

    task_name: str = "sort-8"
    """A task or a mixture, see hf-procedural list."""
    parameters: dict[str, Any] = {}
    """Of the task, as JSON: '{"vocab_size": 20}'."""
    seed: int = 0
    """Of the rows."""
    split: str = "train"
    """train, validation or test."""
    template: str | None = None
    """Of the text that is asked: a file, or the name of one of ours."""
    turns: bool = False
    """Whether a question is asked in steps, of a task that has some."""
    strict: bool = False
    """Whether the words of an answer are taken as they stand."""
    rows: int | None = None
    """How many questions there are; without an end by default."""

    @model_validator(mode="after")
    def _has_questions(self):
        if self.rows is not None and self.rows < 1:
            raise ValueError(f"rows must be at least 1, got {self.rows}")
        self.questions()
        return self

    def questions(self) -> Questions:
        return questions_of(self.asked(), self.template)

    def asked(self) -> str:
        """The arguments of `Questions` as JSON, without the template, whose path is this machine's."""
        return json.dumps(arguments(self.task_name, {name: getattr(self, name) for name in _ASKED}, self.parameters))


class QuestionData(vf.TaskData):
    """A question, with all that it takes to score a reply wherever it is read."""

    row: int
    asked: str
    prompt_ids: list[int]


class QuestionTask(vf.Task[QuestionData]):
    @vf.reward
    async def answer(self, trace: vf.Trace) -> float:
        """``task.score`` of the last reply; of a question in steps, the share of steps whose reply is right."""
        questions = questions_of(self.data.asked)
        replies = [message.content or "" for message in trace.assistant_messages]
        if not replies:
            return 0.0
        if not questions.turns:
            question = Question(self.data.row, self.data.prompt_ids, self.data.prompt_text)
            return questions.score(question, replies[-1])
        episode = Episode(questions, self.data.row)
        for reply in replies[: episode.turns]:
            episode.step(reply)
        return episode.reward

    async def validate(self, runtime: vf.Runtime) -> bool:
        """Whether the task's own solution is right, for ``vf-validate``."""
        episode = Episode(questions_of(self.data.asked), self.data.row)
        for answer in episode.answers():
            episode.step(answer)
        return episode.reward == 1


class ProceduralTaskset(vf.Taskset[QuestionTask, ProceduralConfig]):
    """Task i is row i."""

    def __init__(self, config):
        super().__init__(config)
        self.INFINITE = config.rows is None

    def load(self) -> Iterator[QuestionTask]:
        asked, questions = self.config.asked(), self.config.questions()
        number = 0
        while self.config.rows is None or number < self.config.rows:
            question = questions[number]
            data = QuestionData(
                name=f"{questions.task.config_name}#{number}",
                prompt=question.text,
                row=number,
                asked=asked,
                prompt_ids=question.prompt_ids,
            )
            yield QuestionTask(data, self.config.task)
            number += 1


class ProceduralEnvConfig(vf.SingleAgentEnvConfig):
    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())


class ProceduralEnv(vf.SingleAgentEnv, vf.Env[ProceduralEnvConfig]):  # ty: ignore[invalid-generic-class]
    """A single agent, as ``vf-replay`` wants it."""

    async def run(self, task, agents):
        questions = questions_of(task.data.asked)
        if not questions.turns:
            await agents.agent.run(task)
            return
        said = [said for said, _ in questions.steps(task.data.prompt_ids)]
        async with agents.agent.interaction(task) as interaction:
            segment = await interaction.turn()
            for step in said[1:]:
                if segment.terminated:
                    break
                segment = await interaction.turn(step)


class ChatHarness(vf.Harness[vf.HarnessConfig]):
    """Sends the conversation to the model and takes its reply: no tools, no process of its own."""

    APPENDS_SYSTEM_PROMPT = True
    SUPPORTS_RESUME = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(self, ctx, trace, runtime, endpoint, secret, mcp_urls, data) -> vf.ProgramResult:
        system, prompt = self.resolve_prompt(data)
        messages: list[Any] = [{"role": "system", "content": system}] if system else []
        if isinstance(prompt, str):
            messages.append({"role": "user", "content": prompt})
        else:
            messages += [message_to_wire(message) for message in prompt or ()]
        try:
            async with openai.AsyncOpenAI(base_url=endpoint, api_key=secret, timeout=None) as client:
                await client.chat.completions.create(model=ctx.model, messages=messages)
        except openai.OpenAIError as error:
            return vf.ProgramResult(exit_code=1, stdout="", stderr=str(error))
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")

"""A resources server of NeMo Gym 0.4 and 0.5: scores replies to rows of `nemo_gym_package`.

A row says which question it is, so that one server scores those of any task.
"""

import json
from typing import Any

from .episodes import Question, questions_of

try:
    from nemo_gym.base_resources_server import (
        BaseResourcesServerConfig,
        BaseVerifyRequest,
        BaseVerifyResponse,
        SimpleResourcesServer,
    )
except ImportError as error:
    raise ImportError(f"this environment needs NeMo Gym: pip install nemo-gym ({error})") from error


class ProceduralVerifyRequest(BaseVerifyRequest):
    """A row with the model's response to it."""

    questions: dict[str, Any]
    row: int
    prompt_ids: list[int]


class ProceduralVerifyResponse(ProceduralVerifyRequest, BaseVerifyResponse):
    """The same with its reward."""


class ProceduralResourcesServer(SimpleResourcesServer):
    config: BaseResourcesServerConfig

    async def verify(self, body: ProceduralVerifyRequest) -> ProceduralVerifyResponse:
        """The reward is ``task.score`` of the text of the response."""
        questions = questions_of(json.dumps(body.questions))
        question = Question(body.row, body.prompt_ids, "")
        reward = questions.score(question, text_of(body.response.model_dump()))
        return ProceduralVerifyResponse(**body.model_dump(), reward=reward)


def text_of(response: dict) -> str:
    """What the model said, of a response of OpenAI's Responses API: the text of its messages, without reasoning."""
    texts = []
    for item in response["output"]:
        if item["type"] == "message":
            content = item["content"]
            pieces = [{"type": "output_text", "text": content}] if isinstance(content, str) else content
            texts += [piece["text"] for piece in pieces if piece["type"] == "output_text"]
    return "".join(texts)

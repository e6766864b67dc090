"""How much of a text's meaning another one keeps: BERTScore (Zhang et al. 2020, arXiv:1904.09675).

The computation is that of the package bert-score, without idf weights and without rescaling. Around it: empty texts
score 0 without a model (with transformers 5 the package ends on them), long ones are cut at the model's positions also
where its tokenizer names no length (as DeBERTa's), and memory does not grow with the number of pairs.
"""

import collections
import importlib.util

import numpy as np
import torch
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from .. import upstream
from ..data.tokenization import load_tokenizer
from ..files import why_unloadable
from ..models.build import positions_of
from ..models.suited import check_place, check_text, check_vocabulary

if importlib.util.find_spec("bert_score") is None:
    raise ImportError("BERTScore needs bert-score: pip install 'hf-procedural[recycle]'")

_SCORE = "bert_score.utils:bert_cos_score_idf"


class BertScore:
    """BERTScore F1 of pairs of texts, by the hidden states of an encoder.

    Args:
        model: a folder or Hub id. RePro (Yu and Xiong 2025) takes microsoft/deberta-large-mnli and 0.65 as threshold.
        layer: whose hidden states are compared, from 1; the layers above it are not loaded. 18 of that model.
        device: default: a GPU where there is one.
        batch_size: pairs at a time.

    Raises ValueError in one line where the model cannot be had or has fewer layers.
    """

    def __init__(self, model: str, layer: int, device=None, batch_size: int = 32):
        check_place(model)
        try:
            config = AutoConfig.from_pretrained(model, trust_remote_code=False)
        except Exception as error:  # missing, unreachable, damaged, of an unknown kind
            raise ValueError(f"{model}: no model for BERTScore there ({why_unloadable(model, error)})") from error
        layers = 0 if config.is_encoder_decoder else getattr(config, "num_hidden_layers", 0)
        if not layers:
            raise ValueError(f"{model} is a {config.model_type}; BERTScore takes an encoder, such as BERT or DeBERTa")
        if not 1 <= layer <= layers:
            raise ValueError(f"layer must be in 1..{layers} of {model}, got {layer}")
        config.num_hidden_layers = layer
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer = load_tokenizer(model)
        check_text(model, self.tokenizer)
        self.batch_size = batch_size
        level = logging.get_verbosity()
        logging.set_verbosity_error()  # the head and the layers above are left over: they are to be
        try:
            loaded = AutoModel.from_pretrained(model, config=config, dtype=torch.float32, trust_remote_code=False)
            self.model = loaded.eval().to(self.device)
        except Exception as error:
            raise ValueError(f"{model}: the model cannot be loaded: {' '.join(str(error).split())}") from error
        finally:
            logging.set_verbosity(level)
        check_vocabulary(model, self.model, self.tokenizer)
        positions = _positions(self.model)
        if positions is not None:
            self.tokenizer.model_max_length = min(self.tokenizer.model_max_length, positions)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.convert_ids_to_tokens(0)  # padding is masked: any token does

    def __call__(self, texts: list[str], originals: list[str]) -> np.ndarray:
        """F1 of each text and its original, float64 [n]; 0 where one of them is empty or nothing but white space."""
        f1 = np.zeros(len(texts))
        pairs = zip(texts, originals, strict=True)
        order = [at for at, (text, original) in enumerate(pairs) if text.strip() and original.strip()]
        order.sort(key=lambda at: -max(len(texts[at]), len(originals[at])))  # what takes most memory comes first
        weights = collections.defaultdict(lambda: 1.0)
        weights |= dict.fromkeys((self.tokenizer.sep_token_id, self.tokenizer.cls_token_id), 0)
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            references = [originals[at] for at in batch]
            candidates = [texts[at] for at in batch]
            options = {"batch_size": 2 * len(batch), "device": self.device}
            f1[batch] = self._f1(references, candidates, idf_dict=weights, **options)
        return f1

    def _f1(self, references: list[str], candidates: list[str], **options) -> np.ndarray:
        """Raises ImportError in one line where bert-score takes or gives something else than it did."""
        score = upstream.need(_SCORE)
        try:
            scores = score(model=self.model, refs=references, hyps=candidates, tokenizer=self.tokenizer, **options)
        except TypeError as error:
            raise upstream.lacking(_SCORE) from error
        if scores.shape != (len(candidates), 3):
            raise upstream.lacking(_SCORE)
        precision, recall, f1 = scores.T.double().cpu().numpy()
        if not np.allclose(f1 * (precision + recall), 2 * precision * recall, atol=1e-4, equal_nan=True):
            raise upstream.lacking(_SCORE)
        return f1


def _positions(model) -> int | None:
    """The longest text in tokens that a model has positions for; None where its configuration knows no limit."""
    positions = positions_of(model.config)
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    first = getattr(table, "padding_idx", None)  # RoBERTa's kin count from behind the padding
    return positions if first is None or positions is None else positions - first - 1

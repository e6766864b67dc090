"""What we use of lm-evaluation-harness (lm-eval); one line where it is not installed."""

try:
    from lm_eval.api.instance import Instance
    from lm_eval.api.metrics import mean, mean_stderr
    from lm_eval.api.registry import metric_registry
    from lm_eval.api.samplers import ContextSampler
    from lm_eval.api.task import ConfigurableTask, TaskConfig
    from lm_eval.api.task import Task as HarnessTask
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.models.utils import normalize_gen_kwargs
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import handle_non_serializable, sanitize_list
except ImportError as error:
    raise ImportError(f"this recipe needs lm-eval: pip install 'hf-procedural[eval]' ({error})") from error


def metric(name: str, aggregation="mean", higher_is_better: bool = True) -> dict:
    """An entry of a task's `metric_list`; the aggregation is one of lm-eval's by name, or a function of all values."""
    return {"metric": name, "aggregation": aggregation, "higher_is_better": higher_is_better}


__all__ = [
    "HFLM",
    "ConfigurableTask",
    "ContextSampler",
    "HarnessTask",
    "Instance",
    "TaskConfig",
    "TaskManager",
    "evaluate",
    "handle_non_serializable",
    "mean",
    "mean_stderr",
    "metric",
    "metric_registry",
    "normalize_gen_kwargs",
    "sanitize_list",
]

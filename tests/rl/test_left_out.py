"""What the losses of TRL are divided by, where dynamic sampling has left groups out."""

import copy

import pytest
import torch

import hf_procedural as hp
from hf_procedural.models.build import new_config, new_model
from hf_procedural.rl import prompts
from hf_procedural.rl.grpo import GRPO, RLArguments

TASK = hp.task("sort-4", vocab_size=10)
LOSSES = ("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "vespo", "luspo")


def trainer_of(model, loss_type, batches, folder):
    """A trainer that is in a step of so many batches of 4 rows."""
    args = RLArguments(
        output_dir=str(folder),
        max_steps=1,
        max_completion_length=5,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=batches,
        num_generations=2,
        loss_type=loss_type,
        importance_sampling_level="sequence" if loss_type == "luspo" else "token",
        beta=0.1,
        use_cpu=True,
        bf16=False,
    )
    trainer = GRPO(
        copy.deepcopy(model),
        lambda prompts, **columns: [0.0] * len(prompts),
        args,
        questions=prompts.TaskPrompts(TASK, 0, "train"),
        measure=lambda trainer: {},
        tokenizer=hp.tokenizer(TASK),
    )
    trainer.model.train()
    return trainer


def batch_of(generator, rows: int) -> dict[str, torch.Tensor]:
    def ids(width):
        return torch.randint(1, len(TASK.vocabulary), (rows, width), generator=generator)

    lengths = torch.randint(2, 6, (rows, 1), generator=generator)
    noise = [torch.randn(rows, 5, generator=generator) / 10 - 2 for _ in range(2)]
    return {
        "prompt_ids": ids(3),
        "prompt_mask": torch.ones(rows, 3, dtype=torch.long),
        "completion_ids": ids(5),
        "completion_mask": (torch.arange(5) < lengths).long(),
        "advantages": torch.randn(rows, generator=generator),
        "old_per_token_logps": noise[0],
        "ref_per_token_logps": noise[1],
    }


def loss_of(trainer, batches: list[dict]) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of the losses of batches, which a step has, and its gradient."""
    trainer.current_gradient_accumulation_steps = len(batches)
    trainer._buffered_inputs = batches
    total = sum(trainer.compute_loss(trainer.model, batch) for batch in batches)
    total.backward()
    return total.detach(), torch.cat([weight.grad.flatten() for weight in trainer.model.parameters()])


@pytest.mark.parametrize("loss_type", LOSSES)
def test_a_loss_is_that_of_what_is_left_in(loss_type, tmp_path):
    torch.manual_seed(0)
    model = new_model(new_config(hp.tokenizer(TASK), 16, num_hidden_layers=1, num_attention_heads=1, hidden_size=8))
    kept, masked = batch_of(torch.Generator().manual_seed(1), 4), batch_of(torch.Generator().manual_seed(2), 4)
    masked |= {"advantages": torch.zeros(4), "completion_mask": torch.zeros(4, 5, dtype=torch.long)}
    tokens = {"num_items_in_batch": kept["completion_mask"].sum()}
    alone = loss_of(trainer_of(model, loss_type, 1, tmp_path), [kept | tokens])
    flags = [{"left_out": torch.zeros(4, dtype=torch.bool)}, {"left_out": torch.ones(4, dtype=torch.bool)}]
    batches = [kept | tokens | flags[0], masked | tokens | flags[1]]
    trainer = trainer_of(model, loss_type, 2, tmp_path)
    together = loss_of(trainer, batches)
    assert alone[0] != 0
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)

"""What the tests of packing and mixing read."""

import pytest

from hf_procedural.text import batches


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of few documents, so that small streams have several."""
    monkeypatch.setattr(batches, "BATCH", 200)
    monkeypatch.setattr(batches, "BATCH_DOCUMENTS", 3)

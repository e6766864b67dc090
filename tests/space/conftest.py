"""What gradio does to the process that makes a page is taken back."""

import pytest


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """A page without analytics sets this variable for good (gradio 6.31): other tests' processes would inherit it."""
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "True")

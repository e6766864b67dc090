"""Rows with and without padding."""

import pytest


@pytest.fixture(params=[True, False], ids=["padded", "variable"])
def padded(request):
    return request.param

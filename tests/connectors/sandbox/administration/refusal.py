"""How a client is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests


def refused(call: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    """The status with which a client's call is refused."""
    with pytest.raises(requests.HTTPError) as caught:
        call(*args, **kwargs)
    assert caught.value.response is not None
    return caught.value.response.status_code

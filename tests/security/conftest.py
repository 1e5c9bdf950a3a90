"""Attackers and their victims: the fixtures of the process tests, and what measures harm."""

import importlib.util
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "e2e"))

_spec = importlib.util.spec_from_file_location("e2e_conftest", HERE.parent / "e2e/conftest.py")
_e2e = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_e2e)

pytest_configure = _e2e.pytest_configure
suite = _e2e.suite
whole = _e2e.whole


@pytest.fixture
def front(whole):
    """The whole suite's gateway, which must live and be ready after the test as before it."""
    yield whole.front
    assert whole.front.popen.poll() is None, whole.front.tail()
    assert whole.front.probe("/readyz") == 200, whole.front.page("/readyz")

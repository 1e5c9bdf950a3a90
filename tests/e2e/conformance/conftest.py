"""One running suite for all conformance tests, and the kinds that they are about."""

import pytest

import suite as suite_module


def pytest_generate_tests(metafunc):
    """A test that takes `kind` runs for each; `method` for each that changes something."""
    import kinds  # pylint: disable=import-outside-toplevel
    if "kind" in metafunc.fixturenames:
        needs = getattr(metafunc.function, "needs", ())
        chosen = [kind for kind in kinds.all_kinds().values() if kind.has(*needs)]
        metafunc.parametrize("kind", chosen, ids=[kind.name for kind in chosen])


@pytest.fixture(name="world", scope="session")
def world_fixture(tmp_path_factory):
    from world import World  # pylint: disable=import-outside-toplevel
    made = suite_module.Suite(tmp_path_factory.mktemp("conformance"))
    try:
        yield World(made)
        checks = [made.run(name, "check", f"--database={made.databases[name]}", check=False)
                  for name in suite_module.SERVICES]
    finally:
        made.close()
    for check in checks:
        assert check.returncode == 0, check.stdout + check.stderr

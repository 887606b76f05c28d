"""The Helix source: the contract's suite, and what is Helix's own."""

from pathlib import Path

import pytest

from tests.contract.helix_folder import Folder

pytest.register_assert_rewrite("kreslo.connectors.testing.source_suite")

from kreslo.connectors.testing.source_suite import SourceSuite  # noqa: E402


@pytest.fixture
def world(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class TestHelixSource(SourceSuite):
    pass

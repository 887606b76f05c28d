"""What the connector's pages say is what there is."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

import connectors.ident
from connectors.ident.datasets import DATASETS
from connectors.ident.options import BranchOptions, IdentOptions

FOLDER = Path(connectors.ident.__file__).parent
ROOT = FOLDER.parents[1]


@pytest.mark.parametrize("page", ["README.md", "README.ru.md"])
def test_every_setting_dataset_and_column_is_named(page: str) -> None:
    text = (FOLDER / page).read_text(encoding="utf-8")
    columns = {column.name for dataset in DATASETS.values() for column in dataset.columns}
    for name in {*IdentOptions.model_fields, *BranchOptions.model_fields, *DATASETS, *columns}:
        assert f"`{name}`" in text, name


def test_what_quality_calls_done_has_its_proof() -> None:
    rules = YAML(typ="safe").load(FOLDER / "quality.yaml")["rules"]
    for name, rule in rules.items():
        if rule["status"] == "done":
            assert (ROOT / rule["proof"]).exists(), name
        else:
            assert rule["reason"], name

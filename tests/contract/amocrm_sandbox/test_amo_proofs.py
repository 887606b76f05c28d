"""The sandbox's page names a test for each behaviour: they exist, and each has a socket under it."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = Path(__file__).parents[3] / "connectors/amocrm/sandbox/README.md"


def test_every_proof_that_the_page_names_is_a_test_here() -> None:
    proofs = PAGE.read_text(encoding="utf-8").partition("## What proves it")[2]
    named = set(re.findall(r"`(test_\w+)`", proofs))
    assert len(named) > 40
    written = "\n".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    assert named - set(re.findall(r"^async def (test_\w+)\(", written, re.MULTILINE)) == set()

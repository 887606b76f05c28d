"""What `kreslo status` prints of a state."""

import pytest

from kreslo.cli.status import show
from kreslo.sync.status import BridgeStatus


def test_what_the_crm_s_side_warns_of_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        [
            BridgeStatus(
                name="a", source="ident", target="amocrm", live=True, ready=True, notices=["Токен [1]"]
            )
        ]
    )
    assert "Токен [1]" in capsys.readouterr().out

"""The settings of the iDent source."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from connectors.ident import connector
from connectors.ident.options import IdentOptions
from kreslo.connectors.contract import source_connector

LEAST = {"database": "SERVER=clinic;UID=reader;PWD=topsecret", "timezone": "Europe/Moscow"}


def test_the_connector_is_found_by_its_name() -> None:
    assert source_connector("ident") is connector


def test_the_least_is_a_database_and_a_time_zone() -> None:
    options = IdentOptions(**LEAST)
    assert (
        options.id,
        options.page,
        options.overlap,
        options.query_timeout,
        options.allow_writable_login,
    ) == (
        "ident",
        500,
        timedelta(minutes=5),
        timedelta(seconds=60),
        False,
    )


def test_the_password_is_not_shown() -> None:
    options = IdentOptions(**LEAST)
    assert "topsecret" not in repr(options) + str(options) + options.model_dump_json()


def test_keys_that_yaml_reads_as_numbers_are_texts() -> None:
    options = IdentOptions(**LEAST, branches={7: {"area_code": "473"}}, cancel_reasons={3: "Перенос"})
    assert list(options.branches) == ["7"]
    assert options.cancel_reasons == {"3": "Перенос"}


@pytest.mark.parametrize(
    ("codes", "code"), [({}, ""), ({1: "473", 2: "473", 3: ""}, "473"), ({1: "473", 2: "495"}, "")]
)
def test_the_area_code_is_the_only_one_or_none(codes: dict[int, str], code: str) -> None:
    branches = {id_: {"area_code": own} for id_, own in codes.items()}
    assert IdentOptions(**LEAST, branches=branches).area_code() == code


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"timezone": "Moscow"}, 'no time zone "Moscow"'),
        ({"branches": {1: {"timezone": "MSK.3"}}}, 'no time zone "MSK.3"'),
        ({"branches": {1: {"phone": "1"}}}, "Extra inputs are not permitted"),
        ({"overlap": "5 minutes"}, "a duration is a number and a unit"),
        ({"overlap": "0s"}, "must be longer than nothing"),
        ({"page": 0}, "greater than or equal to 1"),
        ({"queries": {"visits": "a.sql"}}, "no dataset visits; there are appointments"),
        ({"id": "Мой iDent"}, "String should match pattern"),
        ({"database": " "}, "empty"),
        ({"databse": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        IdentOptions(**{**LEAST, **wrong})

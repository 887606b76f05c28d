"""Loading: files that cannot be read, the environment, and the endpoints as their connectors judge them."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from mapping_files import ENDPOINTS, ENVIRON, VISITS, read
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from kreslo.connectors.contract import SourceConnector, TargetConnector
from kreslo.mapping import endpoints
from kreslo.mapping.faults import MappingError
from kreslo.mapping.load import MappingFile, load, load_text
from kreslo.mapping.model import FieldMode, Phase


class Branch(BaseModel):
    model_config = ConfigDict(extra="forbid")
    address: str


class ClinicOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str = "ident"
    database: SecretStr
    timezone: str
    branches: dict[str, Branch] = {}
    page: int = 500


class CrmOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    webhook: SecretStr

    @field_validator("webhook")
    @classmethod
    def _https(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith("https://"):
            raise ValueError("A webhook begins with https://")
        return value


def _privacy_note(options: Any) -> str | None:
    return "Данные уйдут за границу." if ".com" in options.webhook.get_secret_value() else None


def _never(*_: object) -> Any:
    raise AssertionError("loading must not open a connector")


@pytest.fixture(autouse=True)
def connectors(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceConnector(name="ident", title="iDent", options=ClinicOptions, build=_never)
    target = TargetConnector(
        name="bitrix24", title="Битрикс24", options=CrmOptions, build=_never, privacy_note=_privacy_note
    )
    monkeypatch.setattr(endpoints, "source_connector", lambda _: source)
    monkeypatch.setattr(endpoints, "target_connector", lambda _: target)
    monkeypatch.setattr(
        endpoints, "connector_names", lambda group: ["ident"] if group == "kreslo.sources" else ["bitrix24"]
    )


def judged(text: str, environ: dict[str, str] | None = None) -> MappingFile:
    return load_text(text, "mappings/clinic.yaml", environ=ENVIRON if environ is None else environ)


def problems(text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(MappingError) as caught:
        judged(text, environ)
    return [
        f"{problem.at.line}:{problem.at.column} {problem.message}"
        for problem in caught.value.problems
        if problem.at
    ]


# --- files ------------------------------------------------------------------------------------------------------


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "clinic.yaml"
    path.write_text("\ufeff" + ENDPOINTS + VISITS, encoding="utf-8")
    file = load(path, environ=ENVIRON)
    assert (file.name, file.path) == ("clinic", str(path))


def test_what_is_no_readable_file_is_told_without_a_traceback(tmp_path: Path) -> None:
    missing = tmp_path / "нет.yaml"
    with pytest.raises(MappingError) as caught:
        load(missing)
    assert str(caught.value) == f"{missing}: there is no such file"
    with pytest.raises(MappingError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: this is a directory, not a mapping file"


def test_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "clinic.yaml"
    path.write_bytes(b"bridge: clinic\n# " + "Клиника".encode("cp1251") + b"\n")
    with pytest.raises(MappingError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:2:1: this is not UTF-8; save the file in that encoding"


# --- environment ------------------------------------------------------------------------------------------------


def test_the_environment_fills_the_endpoints_in() -> None:
    file = judged(
        ENDPOINTS.replace("${DB}", "${DRIVER:-sqlite}:///${DB}") + VISITS, {**ENVIRON, "DB": "a.db"}
    )
    assert file.source.options["database"] == "sqlite:///a.db"
    assert file.target.options["webhook"] == ENVIRON["HOOK"]


@pytest.mark.parametrize("environ", [{}, {"DB": ""}])
def test_an_unset_variable_is_told_where_it_stands(environ: dict[str, str]) -> None:
    assert problems(ENDPOINTS + VISITS, {"HOOK": ENVIRON["HOOK"], **environ}) == [
        "2:38 the environment variable DB is not set; set it, for instance in .env"
    ]


def test_an_empty_default_is_a_default() -> None:
    assert judged(ENDPOINTS.replace("${DB}", "${DB:-}") + VISITS, {"HOOK": ENVIRON["HOOK"]})


def test_a_wrong_name_of_a_variable_is_told() -> None:
    assert problems(ENDPOINTS.replace("${DB}", "a${my-db}") + VISITS) == [
        '2:40 "${my-db}" is not the name of an environment variable'
    ]


def test_a_check_apart_from_the_clinic_needs_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "source_connector", _never)
    text = ENDPOINTS.replace("Europe/Moscow", '"${ZONE}"') + VISITS
    file = load_text(text, "clinic.yaml", environ={}, judged=False)
    assert file.source.options["database"] == "${DB}"


# --- endpoints --------------------------------------------------------------------------------------------------


def test_endpoints_are_settings() -> None:
    text = ENDPOINTS.replace("Europe/Moscow", "Asia/Omsk, id: omsk, every: 1m, page: 100") + VISITS
    file = judged(text)
    assert file.source.connector == "ident"
    assert file.source.options == {
        "database": ENVIRON["DB"],
        "timezone": "Asia/Omsk",
        "id": "omsk",
        "page": 100,
    }
    assert (file.source.every, file.source.cron) == (60.0, "")
    assert (file.endpoints.source_id, file.endpoints.zone) == ("omsk", ZoneInfo("Asia/Omsk"))


def test_the_sources_id_is_the_connectors_own_by_default() -> None:
    assert judged(ENDPOINTS + VISITS).endpoints.source_id == "ident"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ident,", "idnt,", ['2:21 no source connector "idnt"; did you mean "ident"? (installed: ident)']),
        ("bitrix24", "bitrix", ['3:21 no target connector "bitrix"; did you mean "bitrix24"? (installed: bitrix24)']),
        ("connector: ident, ", "", ["2:9 `source:` needs `connector:`, such as ident"]),
        ('database: "${DB}", ', "", ["2:9 `source:` needs `database:`"]),
        ("webhook:", "webhok:", ["3:9 `target:` needs `webhook:`", '3:31 `target:` has no key "webhok"; did you mean "webhook"?']),
        ('"${HOOK}"', "http://x", ["3:40 `webhook:` a webhook begins with https://"]),
        ("Europe/Moscow", "Moscow", ['2:57 no time zone "Moscow"; write an IANA name such as Europe/Moscow']),
        (", timezone: Europe/Moscow", "", ["2:9 `source:` needs `timezone:`, the clinic's own, such as Europe/Moscow"]),
        ("Europe/Moscow", "Europe/Moscow, page: many", ["2:78 `page:` input should be a valid integer, unable to parse string as an integer"]),
        ("Europe/Moscow", "Europe/Moscow, branches: {1: {adress: А}}", ["2:86 `branches.1:` needs `address:`", '2:87 `branches.1:` has no key "adress"']),
        ("Europe/Moscow", "Europe/Moscow, every: 5", ['2:79 `every:` must be a duration such as 30d, 2h, 90m or 5s, not "5"']),
        ("Europe/Moscow", 'Europe/Moscow, cron: "0 14 * *"', ['2:78 `cron:` has five fields, such as "0 14 * * *", not "0 14 * *"']),
        ("Europe/Moscow", 'Europe/Moscow, every: 5s, cron: "0 14 * * *"', ["2:83 `every:` and `cron:` exclude each other; keep one"]),
        ('"${HOOK}"', '"${HOOK}", abroad: "да"', ['3:59 write `abroad: "acknowledged by …, on …"`: who took the responsibility, and when']),
    ],
)  # fmt: skip
def test_wrong_endpoints_are_told(old: str, new: str, expected: list[str]) -> None:
    assert problems(ENDPOINTS.replace(old, new) + VISITS) == expected


def test_a_missing_endpoint_is_told() -> None:
    assert problems("bridge: clinic\n" + VISITS) == [
        "1:1 `source:` is missing; it names a connector and its options",
        "1:1 `target:` is missing; it names a connector and its options",
    ]


def test_a_crm_abroad_must_be_acknowledged() -> None:
    abroad = {**ENVIRON, "HOOK": "https://clinic.bitrix24.com/rest/1/x/"}
    assert problems(ENDPOINTS + VISITS, abroad) == [
        '3:9 Данные уйдут за границу. (`abroad: "acknowledged by …, on …"`)'
    ]
    text = ENDPOINTS.replace('"${HOOK}"', '"${HOOK}", abroad: "acknowledged by И. И. Иванов, on 2025-03-01"')
    assert judged(text + VISITS, abroad).abroad.startswith("acknowledged by")


# --- secrets ----------------------------------------------------------------------------------------------------


def test_secrets_of_the_file_are_not_shown_in_messages() -> None:
    text = ENDPOINTS.replace('"${HOOK}"', '"http://portal/rest/1/hush/"').replace(
        '"${DB}"', '"SERVER=x;PWD=hush2"'
    )
    with pytest.raises(MappingError) as caught:
        judged(text + VISITS)
    assert "hush" not in str(caught.value)
    assert "  target: {connector: bitrix24, webhook: ****" in str(caught.value)


@pytest.mark.parametrize("secret", ["https://portal/rest/1/hush/", "PWD=hush;", "token=hush"])
def test_secrets_of_a_file_that_is_no_yaml_are_not_shown_either(secret: str) -> None:
    with pytest.raises(MappingError) as caught:
        judged(f"bridge: a: {secret}")
    assert "hush" not in str(caught.value)


def test_secrets_are_not_in_the_settings_representation() -> None:
    assert "s3cret" not in repr(judged(ENDPOINTS + VISITS))


# --- what is read -----------------------------------------------------------------------------------------------


def test_defaults() -> None:
    draft = read(ENDPOINTS + VISITS + "enquiry: {into: leads, stages: {new: Новый}}\ncontact: {}\n").draft
    assert draft.appointment is not None
    assert draft.appointment.title.source.startswith("Приём {appointment.starts_at")
    assert (draft.appointment.notes, draft.appointment.cancelled_unseen) == (True, False)
    assert draft.appointment.primary_after.days == 183
    assert draft.enquiry is not None
    assert draft.enquiry.stale_after.days == 3
    assert draft.contact is not None
    assert (draft.contact.scope, draft.contact.on_deleted) == ("horizon", "review")
    assert (draft.horizon.past.days, draft.horizon.future.days) == (30, 365)


def test_shapes_of_fields_and_stages() -> None:
    draft = read(
        ENDPOINTS
        + """\
appointment:
  funnel: "Приёмы"
  stages:
    upcoming: "Записан"
    tomorrow: {stage: "Завтра", at: "14:30", message: true}
  fields:
    "ДМС": true
    SOURCE_ID: {text: "WEB", mode: fill, never_clear: true}
    "Причина": {value: appointment.comment, basis: "согласие пациента"}
    "Итог": "{appointment.amount:.0f} руб."
    184994: appointment.room
"""
    ).draft.appointment
    assert draft is not None
    tomorrow = draft.stages[Phase.TOMORROW]
    assert (tomorrow.name.text, str(tomorrow.at), tomorrow.message) == ("Завтра", "14:30:00", True)
    insured, source, reason, total, room = draft.fields
    assert insured.kinds == {bool}
    assert (source.constant, source.mode, source.never_clear) == ("WEB", FieldMode.FILL, True)
    assert reason.value.source == "appointment.comment"
    assert total.kinds == {str}
    assert room.name.text == "184994"

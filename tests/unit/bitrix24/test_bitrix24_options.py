import pytest
from b24_wire import CODE, WEBHOOK
from pydantic import ValidationError

from connectors.bitrix24 import Bitrix24Options
from connectors.bitrix24.options import privacy_note


def options(**values: object) -> Bitrix24Options:
    return Bitrix24Options.model_validate({"webhook": WEBHOOK, **values})


@pytest.mark.parametrize(
    "webhook",
    [
        f"http://clinic.bitrix24.ru/rest/17/{CODE}/",
        f"https://clinic.bitrix24.ru/rest/{CODE}/",
        f"https://clinic.bitrix24.ru/rest/x/{CODE}/",
        "https://clinic.bitrix24.ru/",
        "",
    ],
)
def test_a_webhook_that_is_none_is_refused_without_being_shown(webhook: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        options(webhook=webhook)
    assert CODE not in str(refusal.value)


@pytest.mark.parametrize("webhook", [WEBHOOK, WEBHOOK.rstrip("/"), f"http://127.0.0.1:8080/rest/1/{CODE}"])
def test_a_webhook_may_lack_its_last_slash_and_a_sandbox_may_do_without_https(webhook: str) -> None:
    assert options(webhook=webhook).base_url.endswith(f"{CODE}/")


def test_the_secrets_are_in_no_repr() -> None:
    shown = repr(options(hook_token="hook-secret"))
    assert CODE not in shown
    assert "hook-secret" not in shown


@pytest.mark.parametrize("wrong", [{"timeout": 30}, {"plan": "gold"}, {"key_field": "KEY"}, {"unknown": 1}])
def test_a_wrong_setting_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        options(**wrong)


@pytest.mark.parametrize(
    ("host", "warned"),
    [
        ("clinic.bitrix24.ru", False),
        ("clinic.bitrix24.by", False),
        ("clinic.bitrix24.kz", False),
        ("clinic.bitrix24.com", True),
        ("clinic.bitrix24.eu", True),
        ("clinic.bitrix24.de", True),
        ("clinic.bitrix24.com.tr", True),
        ("bitrix24.ru.bitrix24.com", True),
        ("crm.clinic.example", False),
        ("127.0.0.1", False),
    ],
)
def test_a_foreign_cloud_draws_a_warning(host: str, warned: bool) -> None:
    note = privacy_note(options(webhook=f"https://{host}/rest/17/{CODE}/"))
    assert (note is not None) == warned
    assert CODE not in (note or "")

"""`kreslo demo` as a user runs it: processes, ports, a clinic on disk; and what a person does in it by hand."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

pytestmark = pytest.mark.slow

PATIENTS = "120"
KRESLO = [sys.executable, "-m", "kreslo"]
ENV = {key: value for key, value in os.environ.items() if not key.startswith("KRESLO_")}
SECONDS = 5.0
"""Within which a change in the clinic must be seen in the CRM."""


class Demo(msgspec.Struct):
    """A running demo. `crm`, `page`: addresses."""

    process: "subprocess.Popen[bytes]"
    crm: str
    page: str
    clinic: Path

    def do(self, *command: str) -> str:
        """`kreslo clinic …`; its output."""
        done = subprocess.run(
            [*KRESLO, "clinic", *command, "--database", str(self.clinic)],
            env=ENV,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deals(self) -> list[dict[str, Any]]:
        found = httpx.get(f"{self.crm}/_control/state", params={"only": "deals"}, trust_env=False, timeout=30)
        return list(found.json()["deals"])

    def leads(self) -> list[dict[str, Any]]:
        found = httpx.get(f"{self.crm}/_control/state", params={"only": "leads"}, trust_env=False, timeout=30)
        return list(found.json()["leads"])

    def deal_of(self, number: str) -> dict[str, Any] | None:
        """The card that was made for this appointment."""
        found = [deal for deal in self.deals() if f"ident/appointment/{number}" in deal["fields"].values()]
        assert len(found) < 2
        return found[0] if found else None


def soon(seen: Callable[[], bool], what: str) -> float:
    """How long it took until it was seen; fails after five seconds."""
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        if seen():
            return time.monotonic() - began
        time.sleep(0.1)
    pytest.fail(f"not seen within {SECONDS} s: {what}")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that has told everything; the clinic stands still, so that only our own hands move it."""
    folder = tmp_path_factory.mktemp("demo")
    ports = ["--port", "0", "--crm-port", "0"]
    command = [*KRESLO, "demo", "--speed", "0", "--patients", PATIENTS, "--dir", str(folder), *ports]
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, env=ENV, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _settled(process, folder)
        finally:
            process.kill()
            process.wait()


def _settled(process: "subprocess.Popen[bytes]", folder: Path) -> Demo:
    until = time.monotonic() + 180
    while time.monotonic() < until:
        assert process.poll() is None, (folder / "output.txt").read_text(encoding="utf-8")
        if (folder / "demo.json").exists():
            told = json.loads((folder / "demo.json").read_bytes())
            demo = Demo(process, told["crm"], told["page"], Path(told["clinic"]))
            answer = httpx.get(f"{demo.page}status", trust_env=False, timeout=30).json()
            if answer["bridges"][0]["ready"] and answer["bridges"][0]["settled"]:
                return demo
        time.sleep(0.3)
    pytest.fail("the demo did not settle: " + (folder / "output.txt").read_text(encoding="utf-8"))


def number_in(text: str) -> str:
    return re.findall(r"№ (\d+)", text.splitlines()[0])[-1]


def test_a_booking_made_by_hand_is_one_card_that_moves(demo: Demo) -> None:
    person = ["--name", "Проверкина Анна Львовна", "--phone", "+7 900 555-77-01"]
    number = number_in(demo.do("book", *person, "--at", _day(5)))
    soon(lambda: demo.deal_of(number) is not None, "the card of a new booking")
    card = demo.deal_of(number)
    assert card is not None
    assert (card["funnel"], card["stage"]) == ("Приёмы", "Записан на приём")
    assert len(card["contact_ids"]) == 1
    before = len(demo.deals())
    first_time = card["named"]["Дата и время визита"]

    moved = number_in(demo.do("move", number, "--at", _day(6)))
    assert moved != number
    soon(lambda: (demo.deal_of(number) or {})["named"]["Дата и время визита"] != first_time, "the new time")
    assert (demo.deal_of(number) or {})["id"] == card["id"]

    demo.do("arrive", moved)
    demo.do("finish", moved, "--amount", "4500")
    soon(lambda: (demo.deal_of(number) or {})["stage"] == "Визит состоялся", "the completed visit")
    done = demo.deal_of(number)
    assert done is not None
    assert done["id"] == card["id"]
    assert float(done["fields"]["OPPORTUNITY"]) == 4500
    assert len(demo.deals()) == before


def test_a_cancelled_booking_is_the_same_card_cancelled(demo: Demo) -> None:
    person = ["--name", "Отменов Илья Игоревич", "--phone", "+7 900 555-77-02"]
    number = number_in(demo.do("book", *person, "--at", _day(7)))
    soon(lambda: demo.deal_of(number) is not None, "the card of a new booking")
    card = demo.deal_of(number)
    assert card is not None
    demo.do("cancel", number)
    soon(lambda: (demo.deal_of(number) or {})["stage"] == "Визит отменён", "the cancelled visit")
    assert (demo.deal_of(number) or {})["id"] == card["id"]


def test_an_enquiry_is_one_lead(demo: Demo) -> None:
    demo.do("enquiry", "--phone", "+7 900 555-77-03", "--name", "Пётр")

    def leads() -> list[dict[str, Any]]:
        return [
            lead for lead in demo.leads() if any("5557703" in re.sub(r"\D", "", p) for p in lead["phones"])
        ]

    soon(lambda: len(leads()) == 1, "the enquiry's lead")
    assert leads()[0]["stage"] == "Новый"


def test_ident_is_served_the_demos_leads_as_tickets(demo: Demo) -> None:
    key = {"IDENT-Integration-Key": "kreslo-demo-exchange"}
    asked = {"url": f"{demo.page}ident/GetTickets", "trust_env": False, "timeout": 30}
    assert httpx.get(**asked).status_code == 401
    tickets = httpx.get(**asked, headers=key).json()
    ready = {f"demo-lead-{lead['id']}" for lead in demo.leads() if lead["stage"] == "Записан на консультацию"}
    assert ready
    assert ready <= {ticket["Id"] for ticket in tickets}


def test_the_page_shows_what_happened(demo: Demo) -> None:
    page = httpx.get(demo.page, trust_env=False, timeout=30)
    assert page.status_code == 200
    assert "ident/appointment/" in page.text
    assert demo.crm in page.text
    health = httpx.get(f"{demo.page}health", trust_env=False, timeout=30)
    assert health.status_code == 200


def test_a_second_demo_is_told_that_the_port_is_taken(demo: Demo, tmp_path: Path) -> None:
    port = demo.page.rstrip("/").rpartition(":")[2]
    command = [*KRESLO, "demo", "--patients", PATIENTS, "--dir", str(tmp_path), "--port", port]
    second = subprocess.run(
        command, env=ENV, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 2
    assert port in second.stderr
    assert "Traceback" not in second.stderr


# The last of those that use the fixture: it ends the demo.
def test_ctrl_c_stops_the_demo_and_its_sandbox(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 0
    assert _gone(demo.crm)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_the_sandbox_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    script = f"""
import asyncio
from pathlib import Path
from kreslo.sandbox.child import sandbox_process

async def main():
    async with sandbox_process("bitrix24", port=0, log=Path({str(tmp_path / "sandbox.log")!r})) as url:
        print(url, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", script], env=ENV, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        assert httpx.get(f"{url}/_control/stats", trust_env=False, timeout=30).status_code == 200
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
        assert _gone(url)


def test_once_ends_with_a_clean_audit(tmp_path: Path) -> None:
    command = [*KRESLO, "demo", "--once", "--patients", PATIENTS, "--dir", str(tmp_path / "once")]
    done = subprocess.run(
        command, env=ENV, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counted = json.loads(done.stdout.splitlines()[-1])
    assert counted["violations"] == 0
    assert counted["patients"] == int(PATIENTS)
    assert counted["cards"] == counted["chains"] > 0
    assert counted["enquiry_cards"] > 0
    assert counted["claimed"] > 0
    assert counted["requests"] > 0
    # The five algorithms: upcoming, completed, cancelled, rescheduled, an enquiry without a visit.
    shown = ("Записан на приём", "Визит состоялся", "Визит отменён", "Визит перенесён", "Не записался")
    assert set(shown) <= set(counted["by_stage"])


def test_a_clinic_that_drops_files_ends_with_a_clean_audit(tmp_path: Path) -> None:
    command = [*KRESLO, "demo", "--source", "helix", "--once", "--patients", PATIENTS]
    done = subprocess.run(
        command, env=ENV, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counted = json.loads(done.stdout.splitlines()[-1])
    assert counted["violations"] == 0
    assert counted["patients"] == int(PATIENTS)
    assert counted["cards"] == counted["chains"] > 0
    assert counted["enquiry_cards"] == counted["enquiries"] > 0
    # The second case study's six funnels.
    assert set(counted["by_funnel"]) == {
        "Оповещение о визите",
        "Рекомендации",
        "NPS",
        "Профосмотр",
        "Заявки с сайта",
        "Первичные обращения",
    }
    assert min(counted["campaigns"].values()) > 0


def _day(days: int) -> str:
    return time.strftime("%d.%m.%Y 12:00", time.localtime(time.time() + days * 86_400))


def _gone(url: str) -> bool:
    until = time.monotonic() + 15
    while time.monotonic() < until:
        try:
            httpx.get(f"{url}/_control/stats", trust_env=False, timeout=2)
        except httpx.TransportError:
            return True
        time.sleep(0.1)
    return False

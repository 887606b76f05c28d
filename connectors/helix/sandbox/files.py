"""The demo clinic's exports: one file a task, as 1C programmers really write them, each in another way."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape, quoteattr

from connectors.helix.sandbox.clinic import AHEAD, Books, Form, Listed, Visit
from connectors.helix.sandbox.people import DOCTORS, Person

_STATUS = {"booked": "Записан", "arrived": "Пришёл", "done": "Завершён", "cancelled": "Отменён"}
_VISITS = ("Код записи", "Код пациента", "ФИО", "Телефон", "Дата и время", "Врач", "Специальность", "Статус")
_DONE = (*_VISITS[:-1], "Сумма, руб.")


def visits(folder: Path, books: Books, now: datetime, chance: Random | None = None) -> Path:
    """The snapshot of what is booked: cp1251, by hand. With `chance`, now and then a row that nobody can read."""
    until = now.date() + timedelta(days=AHEAD)
    known = {person.id: person for person in books.people}
    ahead = [visit for visit in books.visits if now.date() <= visit.start.date() < until]
    rows = [[*_cells(known[visit.patient], visit), _STATUS[visit.state]] for visit in ahead]
    if chance is not None and rows and chance.random() < 0.25:
        spoilt = chance.choice(rows)
        extra = [*spoilt]
        extra[0], extra[4] = "", chance.choice(("завтра после обеда", "", "31.02.2026 10:00"))
        rows.insert(chance.randrange(len(rows)), extra)
    text = _csv(("Записи на приём",), (_VISITS, *rows), (f"Итого: {len(rows)}",))
    return put(folder, f"visits_{now:%Y-%m-%d_%H%M%S}.csv", text.encode("cp1251", "replace"))


def took_place(folder: Path, books: Books, done: Iterable[Visit], now: datetime) -> None:
    """Visits of people from the waiting list have a file of their own."""
    found: dict[bool, list[Visit]] = {}
    for visit in done:
        found.setdefault(visit.waited, []).append(visit)
    for waited, visits_ in found.items():
        name = "waitlist" if waited else "done"
        completed(folder, books, visits_, f"{name}_{now:%Y-%m-%d_%H%M%S}.csv")


def completed(folder: Path, books: Books, done: Iterable[Visit], name: str) -> Path:
    """UTF-8 with a BOM; amounts grouped by NBSP, zero printed as nothing."""
    known = {person.id: person for person in books.people}
    rows = [[*_cells(known[visit.patient], visit), _money(visit.amount)] for visit in done]
    return put(folder, name, _csv((), (_DONE, *rows), ()).encode("utf-8-sig"))


def patients(folder: Path, books: Books, now: datetime) -> Path:
    rows = "".join(
        "\t<Пациент>"
        f"<КодПациента>{person.id}</КодПациента><ФИО>{escape(person.name)}</ФИО>"
        f"<Телефон>{escape(person.phone)}</Телефон><ДатаРождения>{person.born:%Y-%m-%d}</ДатаРождения>"
        f"<НомерМедкарты>{person.card}</НомерМедкарты><Представитель>{escape(person.guardian)}</Представитель>"
        f"<ОтказОтРассылки>{'Да' if person.refused else 'Нет'}</ОтказОтРассылки></Пациент>\n"
        for person in books.people
    )
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Пациенты>\n{rows}</Пациенты>\n'
    return put(folder, f"patients_{now:%Y-%m-%d_%H%M%S}.xml", text.encode())


def forms(folder: Path, sent: Sequence[Form], now: datetime) -> Path:
    rows = [
        {
            "ID": form.id,
            "Имя": form.name,
            "Телефон": form.phone,
            "Дата заявки": f"{form.at:%d.%m.%Y %H:%M:%S}",
        }
        for form in sent
    ]
    data = json.dumps(rows, ensure_ascii=False, indent=1).encode()
    return put(folder, f"forms_{now:%Y-%m-%d_%H%M%S}.json", data)


def recommendations(folder: Path, books: Books, rows: Sequence[Listed], now: datetime) -> Path:
    """cp866, as a report that somebody made for a printer."""
    titles = (
        "Код пациента",
        "ФИО",
        "Телефон",
        "Дата и время приёма",
        "Врач",
        "Специализация",
        "Отметка врача",
    )
    cells = [
        [str(row.patient), *_who(books, row), _when(row.start), *DOCTORS[row.doctor], row.mark]
        for row in rows
    ]
    text = _csv(("Рекомендации пациентам",), (titles, *cells), ())
    return put(folder, f"recommendations_{now:%Y-%m-%d_%H%M%S}.csv", text.encode("cp866", "replace"))


def poll(folder: Path, books: Books, rows: Sequence[Listed], now: datetime) -> Path:
    """A text with tabs in UTF-16, as Excel saves it; no ids."""
    known = {person.id: person for person in books.people}
    titles = ("Пациент", "Контакт", "Дата рождения", "Дата и время визита", "Доктор")
    cells = [
        [*_who(books, row), f"{known[row.patient].born:%d.%m.%Y}", _when(row.start), DOCTORS[row.doctor][0]]
        for row in rows
    ]
    text = "".join("\t".join(each) + "\r\n" for each in (titles, *cells))
    return put(folder, f"nps_{now:%Y-%m-%d_%H%M%S}.txt", text.encode("utf-16"))


def invitations(folder: Path, books: Books, rows: Sequence[Listed], now: datetime) -> Path:
    """XML in windows-1251; no ids either."""
    body = "".join(
        f"\t<Клиент ФИО={quoteattr(name)} Телефон={quoteattr(phone)} ПоследнийВизит={quoteattr(_when(row.start))}/>\n"
        for row in rows
        for name, phone in [_who(books, row)]
    )
    text = f'<?xml version="1.0" encoding="windows-1251"?>\n<Профосмотр>\n{body}</Профосмотр>\n'
    return put(folder, f"checkup_{now:%Y-%m-%d_%H%M%S}.xml", text.encode("cp1251", "xmlcharrefreplace"))


def put(folder: Path, name: str, data: bytes) -> Path:
    """Written under another name first: what has its own name is complete."""
    path, temporary = folder / name, folder / f"{name}.tmp"
    temporary.write_bytes(data)
    temporary.replace(path)
    return path


def _cells(person: Person, visit: Visit) -> list[str]:
    doctor, specialty = DOCTORS[visit.doctor]
    return [str(visit.id), str(person.id), person.name, person.phone, _when(visit.start), doctor, specialty]


def _who(books: Books, row: Listed) -> tuple[str, str]:
    person = books.people[row.patient - 1]
    return person.name, person.phone


def _when(moment: datetime | None) -> str:
    """1C prints an hour without its leading zero."""
    return f"{moment:%d.%m.%Y} {moment.hour}:{moment:%M:%S}" if moment else ""


def _money(amount: int) -> str:
    return f"{amount:,}".replace(",", "\u00a0") + ",00" if amount else ""


def _csv(above: Sequence[object], rows: Sequence[Sequence[str]], below: Sequence[str]) -> str:
    lines = [*map(str, above), *(";".join(row) for row in rows), *below]
    return "".join(f"{line}\r\n" for line in lines)

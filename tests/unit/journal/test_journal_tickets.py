"""Tickets for iDent: once a card, unchanged, in a stable order; and the timetable, whole."""

from datetime import timedelta

from journal_makers import DAY, HOUR, MOTHER, NOW, OTHER, patient, take
from sqlalchemy import select, text

from kreslo.connectors.model import Entity
from kreslo.journal import BridgeJournal, Journal
from kreslo.journal.schema import tickets, timetable
from kreslo.records.exchange import Interval, Named, Ticket, TimeTable

SECOND = timedelta(seconds=1)


def ticket(id_: str, after: timedelta = timedelta(0), phone: str = MOTHER, name: str = "Анна") -> Ticket:
    return Ticket(id=id_, date_and_time=NOW + after, client_phone=phone, client_full_name=name)


def put(book: BridgeJournal, id_: str, after: timedelta = timedelta(0), phone: str = MOTHER) -> bool:
    return book.put_ticket(Entity.LEAD, id_, ticket(id_, after, phone))


def served(book: BridgeJournal) -> list[str]:
    return [each.id for each in book.tickets(None, None)]


def test_a_card_has_one_ticket_and_it_never_changes(book: BridgeJournal) -> None:
    assert book.put_ticket(Entity.LEAD, "1", ticket("a"))
    assert not book.put_ticket(Entity.LEAD, "1", ticket("b", HOUR, OTHER, "Ольга"))
    assert book.put_ticket(Entity.DEAL, "1", ticket("c", HOUR))
    assert book.tickets(None, None) == [ticket("a"), ticket("c", HOUR)]
    assert book.ticketed(Entity.LEAD, ["1", "2"]) == {"1"}


def test_both_bounds_belong_to_the_window(book: BridgeJournal) -> None:
    for number in range(4):
        put(book, str(number), number * HOUR)
    assert [each.id for each in book.tickets(NOW + HOUR, NOW + 2 * HOUR)] == ["1", "2"]
    assert [each.id for each in book.tickets(NOW + HOUR + SECOND, NOW + 2 * HOUR - SECOND)] == []


def test_pages_are_cut_after_the_window_and_in_one_order(book: BridgeJournal) -> None:
    for id_ in ("c", "a", "b"):
        put(book, id_)
    put(book, "late", HOUR)
    put(book, "early", -HOUR)
    pages = [book.tickets(NOW, None, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [[each.id for each in page] for page in pages] == [["a", "b"], ["c", "late"], []]
    assert [each.id for each in book.tickets(NOW, None, offset=3)] == ["late"]


def test_who_is_forgotten_is_served_no_more_and_does_not_come_back(book: BridgeJournal) -> None:
    take(book, patient("1", MOTHER))
    put(book, "mother")
    put(book, "other", phone=OTHER)
    book.forget("patient:1")
    assert served(book) == ["other"]
    assert not put(book, "mother")
    assert served(book) == ["other"]


def test_another_bridge_sees_nothing_of_it(journal: Journal, book: BridgeJournal) -> None:
    put(book, "1")
    book.put_timetable(TimeTable((), (), ()), NOW)
    other = journal.bridge("second", "ident")
    assert other.tickets(None, None) == []
    assert other.timetable() is None
    assert put(other, "1")


def test_each_post_replaces_the_whole_horizon(book: BridgeJournal) -> None:
    assert book.timetable() is None
    cells = tuple(Interval(1, 7, NOW + number * HOUR, 15, is_busy=False) for number in range(3))
    first = TimeTable((Named(7, "Петров"),), (Named(1, "Центр"),), cells)
    book.put_timetable(first, NOW)
    second = TimeTable(first.doctors, first.branches, cells[1:2])
    book.put_timetable(second, NOW + DAY)
    assert book.timetable() == (second, NOW + DAY)


def test_neither_names_nor_phones_stand_in_plain(journal: Journal, book: BridgeJournal) -> None:
    put(book, "1")
    book.put_timetable(TimeTable((Named(7, "Петров"),), (), ()), NOW)
    with journal._engine.connect() as conn:
        stored = repr([*conn.execute(select(tickets)), *conn.execute(select(timetable))])
    assert MOTHER[1:] not in stored
    assert "Анна".encode().hex() not in stored.encode().hex()
    assert repr("Петров".encode())[2:-1] not in stored
    assert repr("Анна".encode())[2:-1] not in stored


def test_a_journal_of_the_first_schema_gets_the_tables_and_keeps_the_rest(url: str) -> None:
    with Journal.open(url) as journal:
        take(journal.bridge("clinic", "ident"), patient("1", MOTHER))
        with journal._engine.begin() as conn:
            for name in ("tickets", "timetable"):
                conn.execute(text(f"DROP TABLE {name}"))
            conn.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with Journal.open(url) as journal:
        book = journal.bridge("clinic", "ident")
        assert put(book, "1")
        assert book.counts().waiting == 1

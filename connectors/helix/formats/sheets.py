"""XLSX and XLS: the first sheet that shows the columns, with whatever titles stand above its header.

calamine holds one sheet in memory at a time: for eight years of history take a text format.
"""

from collections.abc import Iterator
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from connectors.helix.columns import TITLE_ROWS, Columns, is_empty, is_total
from connectors.helix.options import ProfileOptions
from connectors.helix.tables import Bad, Cell, FileError, Item, Row, Shape, Table, UnfinishedError
from connectors.helix.words import folded


def open_file(path: Path, profile: ProfileOptions, columns: Columns, name: str) -> Table:
    """See `open_table`. Rows are numbered from 1, as Excel shows them."""
    try:
        with path.open("rb") as file:
            book = CalamineWorkbook.from_filelike(file)  # by content; from_path believes the name
        sheets = [profile.sheet] if profile.sheet else list(book.sheet_names)
        if profile.sheet and profile.sheet not in book.sheet_names:
            listed = ", ".join(f"«{each}»" for each in book.sheet_names)
            raise FileError(f"в книге нет листа «{profile.sheet}»; есть {listed}")
        seen: list[list[Cell]] = []
        for each in sheets:
            sheet = book.get_sheet_by_name(each)
            for number, cells in _numbered(sheet):
                if number > TITLE_ROWS + (sheet.start or (0, 0))[0]:
                    break
                seen.append(cells)
                names = columns.match(cells)
                if names is not None:
                    shape = Shape(
                        format=name,
                        header=number,
                        columns=tuple(zip(map(_title, cells), names, strict=True)),
                        why=(f"лист «{each}», заголовки в строке {number}",),
                    )
                    return Table(shape, _items(sheet, number, cells, names))
    except PasswordError as error:
        raise FileError("книга закрыта паролем: сохраните её без пароля") from error
    except CalamineError as error:
        raise UnfinishedError("книга не открывается: она не дописана или повреждена") from error
    raise columns.no_header(seen)


def _items(sheet: CalamineSheet, header: int, titles: list[Cell], names: tuple[str, ...]) -> Iterator[Item]:
    title_words = [folded(title) for title in titles]
    width = 1 + max(place for place, name in enumerate(names) if name)
    for number, cells in _numbered(sheet):
        if number <= header or is_empty(cells) or is_total(cells):
            continue
        if [folded(cell) for cell in cells] == title_words:
            continue
        if len(cells) < width:
            yield Bad(number, f"в строке {len(cells)} колонок вместо {width}")
            continue
        yield Row(number, {name: cells[place] for place, name in enumerate(names) if name})


def _numbered(sheet: CalamineSheet) -> Iterator[tuple[int, list[Cell]]]:
    """Rows with Excel's numbers, whether or not calamine gives the empty ones above the first."""
    first = (sheet.start or (0, 0))[0]
    given = sheet.iter_rows()
    skipped = first if sheet.total_height - sheet.height == first and sheet.height else 0
    for number, cells in enumerate(given, start=1 + skipped):
        yield number, list(cells)


def _title(cell: Cell) -> str:
    return "" if cell is None else str(cell)

"""The formats that 1C can be asked for: text with separators, XLSX, XLS, XML, JSON, DBF. HTML and MXL are refused."""

from connectors.helix.formats.opening import open_table
from connectors.helix.tables import Bad, Cell, FileError, Item, Row, Shape, Table, UnfinishedError

__all__ = ["Bad", "Cell", "FileError", "Item", "Row", "Shape", "Table", "UnfinishedError", "open_table"]

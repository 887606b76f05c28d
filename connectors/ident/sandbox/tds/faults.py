"""SQL Server's own errors, by number (Microsoft Learn, "Database Engine events and errors")."""


class ServerError(Exception):
    """An error that is answered; the connection lives on unless `fatal`."""

    def __init__(self, number: int, message: str, *, severity: int = 16, fatal: bool = False) -> None:
        super().__init__(message)
        self.number = number
        self.message = message
        self.severity = severity
        self.fatal = fatal


def known(number: int, name: str = "", database: str = "PZ") -> ServerError:
    """The error with the words that the server has for it. Raises KeyError for a number that is not here."""
    message, severity, fatal = _KNOWN[number]
    return ServerError(number, message.format(name=name, database=database), severity=severity, fatal=fatal)


_KNOWN = {
    102: ("Incorrect syntax near '{name}'.", 15, False),
    207: ("Invalid column name '{name}'.", 16, False),
    208: ("Invalid object name '{name}'.", 16, False),
    241: ("Conversion failed when converting date and/or time from character string.", 16, False),
    262: ("{name} permission denied in database '{database}'.", 14, False),
    1205: (
        (
            "Transaction (Process ID 51) was deadlocked on lock resources with another process and has been chosen as "
            "the deadlock victim. Rerun the transaction."
        ),
        13,
        False,
    ),
    1222: ("Lock request time out period exceeded.", 16, False),
    2812: ("Could not find stored procedure '{name}'.", 16, False),
    4060: ('Cannot open database "{name}" requested by the login. The login failed.', 11, True),
    8179: ("Could not find prepared statement with handle {name}.", 16, False),
    18456: ("Login failed for user '{name}'.", 14, True),
}


def denied(right: str, table: str, database: str) -> ServerError:
    return ServerError(
        229,
        f"The {right} permission was denied on the object '{table}', database '{database}', schema 'dbo'.",
        severity=14,
    )

"""The command `kreslo`: one module a command."""

import sys


def main() -> None:
    """Runs the command line; exits 0, 1 (a check said no), 2 (a person must mend something), 70 (our own fault) or 130
    (Ctrl-C).
    """
    # Imported here, so that `kreslo.cli` costs nothing to those who only want a piece of it.
    from kreslo.cli.app import build_app  # noqa: PLC0415
    from kreslo.cli.failures import tell_failure, tell_fault  # noqa: PLC0415
    from kreslo.connectors.errors import KresloError  # noqa: PLC0415

    try:
        build_app(sys.argv[1:])(prog_name="kreslo")
    except KresloError as error:
        sys.exit(tell_failure(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the one place where nobody above could know better
        sys.exit(tell_fault(error))

"""What rests in the source's own state is encrypted: AES-256-GCM, the key beside it (made 0600) or in KRESLO_KEY."""

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kreslo.connectors.errors import ConfigurationError

_VARIABLE = "KRESLO_KEY"
_NONCE = 12
_BYTES = 32


class Seal:
    def __init__(self, secret: bytes) -> None:
        # The journal has the same secret: what is derived for us opens nothing of it.
        self._aead = AESGCM(hashlib.sha256(b"kreslo helix state\0" + secret).digest())

    def close(self, data: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._aead.encrypt(nonce, data, None)

    def open(self, sealed: bytes) -> bytes:
        """Raises ConfigurationError where the key is another one."""
        try:
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except InvalidTag as error:
            raise ConfigurationError(
                f"the Helix state cannot be opened with this key: give the right {_VARIABLE} or helix.key, or remove the "
                "state folder and read the files from the beginning"
            ) from error


def seal_in(folder: Path) -> Seal:
    """The folder's seal. Raises ConfigurationError for a key that is none."""
    given = os.environ.get(_VARIABLE, "").strip()
    path = folder / "helix.key"
    if not given and not path.exists():
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(_BYTES)).decode())
    text = given or path.read_text(encoding="ascii").strip()
    for decoder in (bytes.fromhex, lambda value: base64.b64decode(value, validate=True)):
        with contextlib.suppress(ValueError, binascii.Error):
            secret = decoder(text)
            if len(secret) == _BYTES:
                return Seal(secret)
    raise ConfigurationError(
        f"{_VARIABLE if given else path} is no key: expected {_BYTES} bytes in base64 or hex"
    )

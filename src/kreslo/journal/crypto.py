"""Encryption at rest, and tokens to search by without plain text.

One 32-byte secret, in a key file beside the database (made 0600 on first use) or in KRESLO_KEY. From it come two
keys (HKDF-SHA256): one for AES-256-GCM, one for HMAC-SHA256. Without the secret the journal cannot be read.
"""

import base64
import binascii
import contextlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kreslo.connectors.errors import ConfigurationError

KEY_VARIABLE = "KRESLO_KEY"
KEY_BYTES = 32
_NONCE = 12


class Box:
    """Seals and opens payloads, and makes search tokens. `purpose` binds a payload to its column."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ConfigurationError(
                f"the journal's key must be {KEY_BYTES} bytes, this one has {len(secret)}"
            )
        self._aead = AESGCM(_derive(secret, b"kreslo journal payloads"))
        self._mac = _derive(secret, b"kreslo journal tokens")

    def seal(self, data: bytes, purpose: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._aead.encrypt(nonce, data, purpose)

    def open(self, sealed: bytes, purpose: bytes) -> bytes:
        """Raises ConfigurationError where the key does not fit or the payload was changed."""
        try:
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose)
        except InvalidTag as error:
            raise ConfigurationError(
                "the journal's key does not fit what is stored: give the key file that was made with this database, "
                f"or the right {KEY_VARIABLE}",
                detail=f"cannot open {purpose.decode()}",
            ) from error

    def seal_text(self, text: str, purpose: bytes) -> bytes:
        return self.seal(text.encode(), purpose)

    def open_text(self, sealed: bytes, purpose: bytes) -> str:
        return self.open(sealed, purpose).decode()

    def digest(self, data: bytes) -> str:
        """32 hex digits; keyed, so that a guess at the content cannot be checked without the key."""
        return hmac.digest(self._mac, data, "sha256")[:16].hex()

    def token(self, kind: str, text: str) -> str:
        """What `text` is found by: `token("phone", "+79001234567")`."""
        return self.digest(f"{kind}\0{text}".encode())


def key_from_environment() -> bytes | None:
    """The secret in KRESLO_KEY (base64 or hex), None where it is not set. Raises ConfigurationError."""
    text = os.environ.get(KEY_VARIABLE, "").strip()
    return _parse(text, f"the environment variable {KEY_VARIABLE}") if text else None


def read_key_file(path: Path) -> bytes | None:
    """The secret in the file, None where there is no file. Raises ConfigurationError."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the key file {path} cannot be read: {error}") from error
    return _parse(text, f"the key file {path}")


def make_key_file(path: Path) -> bytes:
    """A new secret in a new file that only its owner can read. Raises ConfigurationError."""
    secret = secrets.token_bytes(KEY_BYTES)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(f"the key file {path} cannot be made: {error}") from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(base64.b64encode(secret).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return secret


def _parse(text: str, where: str) -> bytes:
    for decoder in (bytes.fromhex, lambda value: base64.b64decode(value, validate=True)):
        with contextlib.suppress(ValueError, binascii.Error):
            secret = decoder(text)
            if len(secret) == KEY_BYTES:
                return secret
    raise ConfigurationError(f"{where} holds no key: it must be {KEY_BYTES} bytes in base64 or hex")


def _derive(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)

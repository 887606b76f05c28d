"""Records as canonical JSON, and their content hash."""

import hashlib

import msgspec

from kreslo.records.model import Record

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """Canonical JSON: equal records give equal bytes."""
    return _encoder.encode(record)


def decode(data: bytes) -> Record:
    """The record that `encode` wrote. Raises msgspec.ValidationError on anything else."""
    return _decoder.decode(data)


def content_hash(data: bytes) -> str:
    """Hash of `encode`'s bytes, to tell a changed record from one that was only read again."""
    return hashlib.sha256(data).hexdigest()[:32]

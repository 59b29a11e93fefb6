"""What GitHub packs with Snappy is unpacked, or refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.github.snappy import unpack
from tests.support.attestations import pack

# Made by Google's own encoder for Go, of the text below.
TEXT = b'{"a": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "b": "{\\"a\\": \\"aaaa"}' * 3
PACKED = bytes.fromhex("f0011c7b2261223a202261ba010010222c2022620139207b5c22615c223a205c054304227dfe5000fe50007e5000")


def test_what_snappy_packed_is_unpacked() -> None:
    assert unpack(PACKED, limit=1000) == TEXT
    assert unpack(pack(TEXT), limit=1000) == TEXT
    for bad in (b"", b"\xff" * 6, PACKED[:-1], PACKED + b"\x00a", b"\x05\x01\x05"):
        with pytest.raises(ValueError, match="the block"):
            unpack(bad, limit=1000)
    with pytest.raises(ValueError, match="more than is read"):
        unpack(PACKED, limit=100)


@given(st.binary(max_size=60))
def test_whatever_comes_as_a_block_is_unpacked_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        assert len(unpack(data, limit=1 << 16)) <= 1 << 16

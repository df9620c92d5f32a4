"""As much of ASN.1 (DER) as a time stamp of RFC 3161 needs: the question, and whether an answer grants it."""

SHA256 = bytes.fromhex("0609608648016503040201")
"""The object identifier 2.16.840.1.101.3.4.2.1."""
_NULL = b"\x05\x00"
_SEQUENCE, _INTEGER, _BYTES = 0x30, 0x02, 0x04
_GRANTED = (0, 1)
"""PKIStatus granted, and granted with modifications."""


def _put(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    told = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(told))) + told + content


def _number(value: int) -> bytes:
    return _put(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def imprint(digest: bytes) -> bytes:
    """The MessageImprint of a SHA-256."""
    return _put(_SEQUENCE, _put(_SEQUENCE, SHA256 + _NULL) + _put(_BYTES, digest))


def stamp_query(digest: bytes, nonce: int) -> bytes:
    """A TimeStampReq that asks for the authority's certificate too."""
    return _put(_SEQUENCE, _number(1) + imprint(digest) + _number(nonce) + b"\x01\x01\xff")


def is_granted(answer: bytes, digest: bytes, nonce: int) -> bool:
    """Whether a TimeStampResp says that it was granted, and answers this very question.

    Whose signature it bears is for the one who relies on it: ``openssl ts -verify`` with the authority's certificate.
    """
    outer = _take(answer, 0, _SEQUENCE)
    info = _take(answer, outer[0], _SEQUENCE) if outer else None
    status = _take(answer, info[0], _INTEGER) if info else None
    if status is None or int.from_bytes(answer[status[0] : status[1]], "big") not in _GRANTED:
        return False
    # The imprint may spell the algorithm with or without NULL: what follows it is the digest.
    return _put(_BYTES, digest) in answer and SHA256 in answer and _number(nonce) in answer


def _take(data: bytes, at: int, tag: int) -> tuple[int, int] | None:
    """Where the content of the value at this place begins and ends; None where there is none of this kind."""
    if at + 2 > len(data) or data[at] != tag:
        return None
    size, begin = data[at + 1], at + 2
    if size & 0x80:
        more = size & 0x7F
        size, begin = int.from_bytes(data[begin : begin + more], "big"), begin + more
    return (begin, begin + size) if begin + size <= len(data) else None

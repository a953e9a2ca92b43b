"""The order of a delta's words, for the plain kernel; the compiled one's is kernel/canonical.h.

Words are ordered by a hash that is the same everywhere, and where that is the same by their bytes.
What a hash makes is spread evenly, so it is sorted without a comparison (not here, but in C).
docs/delta-format.md defines it.
"""

_K0, _K1 = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
_ALL = 2**64 - 1
_SHORT = 15  # bytes of a word at most that is hashed as one number


def place(word: bytes) -> int:
    """The hash of a word (UTF-8), 32 bits; of no use against who wants words that share one."""
    length = len(word)
    if length > _SHORT:
        return _place_of_long(word, length)
    key = int.from_bytes(word, "little") | (length + 1) << 120
    product = ((key & _ALL) ^ _K1) * (key >> 64 ^ _K0)
    return (product ^ product >> 64) >> 32 & 0xFFFFFFFF


def _place_of_long(word: bytes, length: int) -> int:
    state = _K1 ^ length
    for at in range(0, max(1, length - 16), 16):
        state = _mix(_eight(word, at) ^ _K0 ^ state, _eight(word, at + 8) ^ _K0)
    last = length - 16
    return (_mix(_eight(word, last) ^ _K1 ^ state, _eight(word, last + 8) ^ _K0) ^ state) >> 32


def _eight(word: bytes, at: int) -> int:
    return int.from_bytes(word[at : at + 8], "little")


def _mix(a: int, b: int) -> int:
    """Multiply to 128 bits and fold (the mixing step of Wang Yi's wyhash)."""
    product = a * b
    return (product ^ product >> 64) & _ALL

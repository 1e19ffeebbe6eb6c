"""The hash that finds duplicates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_service.hashing import AmbiguousHash, stored_hash, text_hash

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", 5158252350249958646),
        ("Hello, world", 8565956259293726066),
        ("This one should work", -383734471695024599),
        ("http://example.com/page?id=1", -3340078536160598774),
        ("été", 25632369123002269),
    ],
)
def test_a_text_hashes_as_documented(text: str, expected: int) -> None:
    """spec: tracker 17.1"""
    assert text_hash(text) == expected
    assert stored_hash({"hash_u64": 0, "hash64": 0, "unique_string": text}) == expected


@given(INT64)
def test_both_names_of_the_number_mean_the_same(number: int) -> None:
    """spec: tracker 5.4, Q-31"""
    expected = number or None
    assert stored_hash({"hash_u64": number, "hash64": 0, "unique_string": ""}) == expected
    assert stored_hash({"hash_u64": 0, "hash64": number, "unique_string": ""}) == expected
    assert stored_hash({"hash_u64": number, "hash64": number, "unique_string": ""}) == expected


@pytest.mark.parametrize(
    ("hash_u64", "hash64", "text"), [(1, 2, ""), (1, 0, "a"), (0, 1, "a"), (1, 1, "a"), (-1, 1, "")]
)
def test_two_hashes_for_one_task_are_refused(hash_u64: int, hash64: int, text: str) -> None:
    """spec: tracker 5.4, DESIGN 10"""
    with pytest.raises(AmbiguousHash):
        stored_hash({"hash_u64": hash_u64, "hash64": hash64, "unique_string": text})

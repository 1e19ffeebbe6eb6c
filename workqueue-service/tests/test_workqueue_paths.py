"""Paths are data (spec: workqueue 4.2.1)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue_service.filepath import BadPath, join, normalise

STEPS = st.sampled_from(["a", "b c", "..", ".", "", "~", "~x", "ü", "*", "'", "-rf"])
PATHS = st.builds(lambda head, steps: head + "/".join(steps), st.sampled_from(["", "/", "~", "~/"]), st.lists(STEPS))


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/", "/"),
        ("//", "/"),
        ("/a/b", "/a/b"),
        ("/a//b/", "/a/b"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("~", "~"),
        ("~/", "~"),
        ("~/a", "~/a"),
        ("/~", "~"),
        ("/~/a", "~/a"),
        ("//~//a", "~/a"),
        ("/~a", "/~a"),
        ("~a/b", "~a/b"),
        ("somefile", "~/somefile"),
        ("a/../b", "~/b"),
        (".", "~"),
        ("/a b/ü+*?", "/a b/ü+*?"),
        ("/a\t\u2028b", "/a\t\u2028b"),
    ],
)
def test_each_path_has_one_spelling(path: str, normal: str) -> None:
    """spec: workqueue 4.2.1, 5.6."""
    assert normalise(path) == normal


@pytest.mark.parametrize(
    "path",
    ["", "..", "/..", "/a/../..", "~/..", "~x/..", "/~/../..", "a/../../b", "/a\n", "/a\rb", "/a\0", "/" + "x" * 4096],
)
def test_paths_that_are_refused(path: str) -> None:
    """spec: workqueue 4.2.1, 10 Q15."""
    with pytest.raises(BadPath, match="Possible injection content in filepath"):
        normalise(path)


@given(PATHS | st.text())
def test_a_normal_path_stays_and_leads_nowhere_else(path: str) -> None:
    """spec: workqueue 4.2.1: whatever is accepted stays below the root, in one spelling."""
    try:
        normal = normalise(path)
    except BadPath:
        return
    assert normalise(normal) == normal
    assert normal[0] in "/~"
    assert not {"..", "."} & set(normal.split("/"))
    assert "//" not in normal
    assert normal == "/" or not normal.endswith("/")


@given(st.from_regex(re.compile(r"[/~][A-Za-z0-9/_.*~-]*", re.ASCII), fullmatch=True))
def test_what_the_reference_accepts_is_accepted(path: str) -> None:
    """spec: workqueue 4.2.1; only what leaves the root is refused in addition."""
    if ".." not in path.split("/"):
        normalise(path)


@given(
    st.sampled_from(["/", "~", "/a", "~/a b"]),
    st.text(min_size=1).filter(lambda name: not re.search(r"[/\r\n\0]", name)),
)
def test_a_name_lies_in_its_directory(directory: str, name: str) -> None:
    """spec: workqueue 5.6."""
    assert join(directory, name).endswith("/" + name)
    assert "//" not in join(directory, name)

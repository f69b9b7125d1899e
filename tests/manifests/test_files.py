"""Finding manifests on disk and on standard input."""

from __future__ import annotations

from pathlib import Path

import pytest

from slateboard.manifests import files
from slateboard.protocol.errors import BadManifest, TooLarge


def test_a_folder_gives_its_own_manifests_sorted(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.json", "notes.md", "z.yaml.bak"):
        (tmp_path / name).write_text(name)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/d.yaml").write_text("not a manifest of this folder")
    texts = files.read([str(tmp_path)])
    assert [text["text"] for text in texts] == ["a.yaml", "b.yml", "c.json"]
    assert texts[0]["source"] == str(tmp_path / "a.yaml")


def test_a_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "board").write_text("a: 1")
    assert files.read([str(tmp_path / "board")]) == [{"source": str(tmp_path / "board"), "text": "a: 1"}]


def test_standard_input_is_named_so() -> None:
    assert files.read(["-"], "ä: 1".encode) == [{"source": "standard input", "text": "ä: 1"}]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert files.read([str(tmp_path / "a.yaml")])[0]["text"] == "a: 1"


def test_an_empty_folder_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadManifest, match="holds no manifest") as refused:
        files.read([str(tmp_path)])
    assert ".yaml" in refused.value.remedy


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadManifest, match=r"nowhere.yaml cannot be read: No such file"):
        files.read([str(tmp_path / "nowhere.yaml")])


def test_bytes_that_are_no_utf_8_are_shown_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("ok: 1\nä: ".encode() + b"\xff")
    with pytest.raises(BadManifest, match=r":2:4: found the byte 0xff"):
        files.read([str(tmp_path / "a.yaml")])


def test_ten_megabytes_are_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(10_000_000)
    with pytest.raises(TooLarge, match="smaller than 10 MB"):
        files.read([str(tmp_path / "a.yaml")])
    with pytest.raises(TooLarge, match="standard input"):
        files.read(["-"], lambda: b"x" * 10_000_000)

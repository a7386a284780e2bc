"""A file is replaced whole or not at all."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.errors import StorageError
from gtm_orchestra.state.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_keeps_its_permissions_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    path.chmod(0o666)
    before = os.umask(0o077)
    try:
        replace_file(path, b"new")
        replace_file(tmp_path / "fresh", b"new")
    finally:
        os.umask(before)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o666)
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o600


def test_what_the_check_refuses_changes_nothing_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    read = []

    def refuse(beside: Path) -> None:
        read.append(beside.read_bytes())
        raise ValueError("not fit")

    with pytest.raises(ValueError, match="not fit"):
        replace_file(path, b"new", check=refuse)
    assert read == [b"new"]
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"kept": b"old"}


def test_two_threads_that_replace_one_file_leave_the_last_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "one"
    with ThreadPoolExecutor(1) as other:

        def meanwhile(_beside: Path) -> None:
            other.submit(replace_file, path, b"second").result()

        replace_file(path, b"first", check=meanwhile)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"one": b"first"}


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "no-folder").write_bytes(b"")
    with pytest.raises(StorageError) as caught:
        replace_file(tmp_path / "no-folder" / "x", b"new")
    assert str(caught.value) == (
        "x cannot be written or read: Not a directory; check the disk, then run the same command again"
    )

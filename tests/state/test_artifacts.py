from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.errors import IntegrityError
from gtm_orchestra.state.artifacts import ArtifactStore

if TYPE_CHECKING:
    from pathlib import Path


def test_the_name_is_the_content(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    sha256 = store.put(b"report")
    assert store.put(b"report") == sha256
    assert store.get(sha256) == b"report"


def test_a_file_that_was_changed_on_disk_is_never_served(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    sha256 = store.put(b"report")
    store.path(sha256).write_bytes(b"another")
    assert not store.has(sha256)
    with pytest.raises(IntegrityError, match=f"artifact {sha256[:12]} was changed on disk"):
        store.get(sha256)
    store.put(b"report")
    assert store.get(sha256) == b"report"


def test_publishing_leaves_what_is_right_alone_and_mends_what_is_not(tmp_path: Path) -> None:
    store, folder = ArtifactStore(tmp_path / "store"), tmp_path / "outputs"
    files = {"report.html": store.put(b"report"), "table.csv": store.put(b"a,b")}
    store.publish(folder, files)
    before = (folder / "report.html").stat().st_mtime_ns
    (folder / "table.csv").write_bytes(b"edited")
    store.publish(folder, files)
    assert (folder / "report.html").stat().st_mtime_ns == before
    assert (folder / "table.csv").read_bytes() == b"a,b"


def test_what_was_put_is_synced_with_its_folder_once_and_what_is_gone_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        real(handle)

    (tmp_path / "store").mkdir()
    monkeypatch.setattr(os, "fsync", fsync)
    store = ArtifactStore(tmp_path / "store")
    kept, gone = store.put(b"report"), store.put(b"draft")
    both = [path.stat().st_ino for path in (store.path(kept), tmp_path / "store")]
    assert synced == []
    store.path(gone).unlink()
    store.sync()
    assert synced == both
    store.sync()
    assert synced == both
    # The process that put it may have died before it synced.
    ArtifactStore(tmp_path / "store").put(b"report")
    store.put(b"report")
    store.sync()
    assert synced == both * 2

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from data.errors import InputError
from data.files import only_writer, replacing, writable_folder
from page.render import page_path
from tests.invoke import ROOT


@pytest.mark.parametrize("old", [None, b"old"])
def test_the_new_content_takes_the_place_only_at_the_end(old: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "a"
    if old:
        path.write_bytes(old)
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert (path.read_bytes() if path.exists() else None) == old
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_who_is_reading_the_old_content_reads_on(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        with replacing(path) as file:
            file.write(b"new")
        assert reader.read() == b"old"


def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    script = """
import os, signal, sys
from pathlib import Path
from data.files import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(bytes(10**6))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script, path], cwd=Path(__file__).parents[1], check=False, timeout=60)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2  # the part that was being written shows that the kill came in between


def test_two_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with replacing(path) as outer, replacing(path) as inner:
        outer.write(b"outer")
        inner.write(b"inner")
    assert path.read_bytes() == b"outer"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "absent" / "a"):
        pass


def test_a_missing_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    for _ in range(2):
        assert writable_folder(path, "--result_dir") == path
    assert list(path.iterdir()) == []


@pytest.mark.parametrize("inside", [".", "deeper"])
def test_a_file_in_the_place_of_a_folder_is_refused_with_the_flag(inside: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a file")
    path = tmp_path / "a" / inside
    with pytest.raises(InputError, match=r"^--data_dir .*/a.* cannot be written \(.+\); give a folder that can be$"):
        writable_folder(path, "--data_dir")


def test_a_folder_that_takes_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(dir: Path) -> None:  # noqa: A002
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)  # root may write wherever permission bits forbid it
    with pytest.raises(InputError, match=r"^--result_dir .* cannot be written \(Permission denied\)"):
        writable_folder(tmp_path, "--result_dir")
    page = tmp_path / "p.html"
    with pytest.raises(
        InputError, match=rf"^--audit {page}: cannot be written \(Permission denied\); give a file in a folder that"
    ):
        page_path(page, "--audit")


def test_one_writer_at_a_time_is_in_a_folder(tmp_path: Path) -> None:
    flag = "--result_dir"
    for _ in range(2):
        with only_writer(tmp_path, flag):
            with pytest.raises(InputError, match=rf"^{flag} {tmp_path}: another run writes there"), only_writer(tmp_path, flag):
                pass
            with only_writer(tmp_path.parent, flag):
                pass


def test_a_writer_that_was_killed_keeps_nobody_out(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from data.files import only_writer\n"
        "with only_writer(Path(sys.argv[1]), '--result_dir'): print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], cwd=ROOT, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(InputError, match="another run writes there"), only_writer(tmp_path, "--result_dir"):
            pass
        other.kill()
    with only_writer(tmp_path, "--result_dir"):
        pass

"""Weights that fit a network, those that do not, and files that are no weights or too many."""

import os
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from conv_sheet import lessons
from conv_sheet.errors import DataError, SpecError
from conv_sheet.models import safetensors
from conv_sheet.network import weights
from conv_sheet.network.weights import MOST_BYTES, as_written, checked, load, save
from tests.networks import SMALL, fastai, small


def array(value: np.ndarray[tuple[int, ...], np.dtype[np.generic]], pickled: bool = False) -> bytes:
    """An array as NumPy stores it."""
    stream = BytesIO()
    np.lib.format.write_array(stream, value, allow_pickle=pickled)
    return stream.getvalue()


def archive(folder: Path, **members: bytes) -> Path:
    path = folder / "w.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def test_weights_that_do_not_fit_are_listed_with_both_sides() -> None:
    good = small().initial(0)
    with pytest.raises(DataError, match=r"unknown conv9\.weight.*the network takes conv1\.weight \(3, 2, 3, 2\)"):
        checked(small(), good | {"conv9.weight": np.zeros(2)}, "w.npz")
    with pytest.raises(DataError, match=r"missing fc\.weight"):
        checked(small(), {k: v for k, v in good.items() if k != "fc.weight"})
    with pytest.raises(DataError, match=r"conv1\.weight has \(3, 2, 2, 3\) and must have \(3, 2, 3, 2\)"):
        checked(small(), good | {"conv1.weight": np.zeros((3, 2, 2, 3))})
    with pytest.raises(DataError, match=r"fc\.bias holds NaN"):
        checked(small(), good | {"fc.bias": np.array([0.0, np.nan, 1.0])})


def test_missing_biases_are_zero() -> None:
    weights = {k: v for k, v in small().initial(0).items() if k.endswith("weight")}
    assert not checked(small(), weights)["fc.bias"].any()


def test_what_is_saved_by_us_and_by_numpy_is_read(tmp_path: Path) -> None:
    weights: dict[str, Any] = {
        "a.weight": np.arange(6.0).reshape(2, 3),
        "b": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(3, 2)),
    }
    save(tmp_path / "ours.npz", weights)
    np.savez(tmp_path / "stored.npz", **weights)
    np.savez_compressed(tmp_path / "packed.npz", **weights)
    for path in tmp_path.iterdir():
        read = load(path)
        assert read.keys() == weights.keys()
        for name, value in weights.items():
            np.testing.assert_array_equal(read[name], value)
            assert read[name].dtype == value.dtype


def test_numbers_too_large_for_float64_are_one_line() -> None:
    huge: Any = np.full(3, 1, np.longdouble) * np.finfo(np.longdouble).max
    with pytest.raises(DataError, match=r"fc\.bias holds NaN or infinity"):
        checked(small(), small().initial(0) | {"fc.bias": huge})


def test_a_large_array_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("w.npy", "w", force_zip64=True) as entry:
        for _ in range(300):
            entry.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DataError, match=rf"unpacks to 300 MiB; {MOST_BYTES >> 20} are the most"):
        load(path)


def test_a_header_that_promises_more_than_the_file_holds(tmp_path: Path) -> None:
    content = array(np.zeros(10)).replace(b"(10,), }  ", b"(10**9,),}").replace(b"(10,), }", b"(99999999999,),}")
    with pytest.raises(DataError, match=r"^.*w\.npz: "):
        load(archive(tmp_path, w=content))
    promised = array(np.zeros(10)).replace(b"(10,)", b"(99,)")
    with pytest.raises(DataError, match=r"w is damaged: its header promises 99 values"):
        load(archive(tmp_path, w=promised))


def test_too_many_arrays_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MOST_ARRAYS", 2)
    np.savez(tmp_path / "w.npz", a=np.zeros(1), b=np.zeros(1), c=np.zeros(1))
    with pytest.raises(DataError, match=r"w\.npz has 3 arrays; 2 are the most that are read"):
        load(tmp_path / "w.npz")


def test_an_array_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, **{"conv1.bias": array(np.zeros(1))})
    with zipfile.ZipFile(path, "a") as more, pytest.warns(UserWarning, match="Duplicate name"):
        more.writestr("conv1.bias.npy", array(np.ones(1)))
    with pytest.raises(DataError, match=r"w\.npz has the array conv1\.bias twice"):
        load(path)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"w holds Python objects, which are never read"):
        load(archive(tmp_path, w=array(np.array([{}], dtype=object), pickled=True)))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no array", b"\x93NUMPY\x09\x09"])
def test_other_files_are_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other.npz").write_bytes(content)
    for path in (tmp_path / "other.npz", archive(tmp_path, w=content)):
        with pytest.raises(DataError, match=r"not an \.npz file") as caught:
            load(path)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
@pytest.mark.parametrize("load", [load, safetensors.load])
def test_pipes_devices_and_folders_are_not_opened(tmp_path: Path, load: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path / "pipe", "a named pipe"), (Path("/dev/zero"), "a device"), (tmp_path, "a folder")):
        with pytest.raises(DataError, match=what):
            load(path)


def test_single_precision_is_written_with_few_digits_and_comes_back_exactly() -> None:
    patterns = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint32)
    singles = patterns.view(np.float32)[np.isfinite(patterns.view(np.float32))].reshape(-1, 1)
    for stored in (singles, singles.astype(">f4")):
        written = as_written(stored)
        assert written.shape == singles.shape
        assert all(float(f"{number:.9g}") == number for number in written.flat)
        assert (written.astype(np.float32).view(np.uint32) == singles.view(np.uint32)).all()


def test_double_precision_stays() -> None:
    given = small().initial(0)
    found = checked(small(), given)
    assert all((found[name] == value).all() for name, value in given.items())


def spec_with(folder: Path, weights: str, **network: Any) -> Path:
    """A spec that begins with the weights of a lesson."""
    path = folder / "mine.toml"
    path.write_text(tomli_w.dumps(network | {"weights": weights}), encoding="utf-8")
    return path


def test_a_spec_begins_with_the_weights_of_a_lesson(tmp_path: Path) -> None:
    mine = lessons.load(str(spec_with(tmp_path, "fastai", **fastai().network.spec())))
    assert mine.trained
    assert mine.lesson.weights == "fastai"
    for name, value in mine.tensors().items():
        np.testing.assert_array_equal(value, fastai().tensors[name])
    assert any((mine.tensors(seed=1)[name] != value).any() for name, value in mine.tensors().items())


def test_a_spec_names_a_lesson_that_has_weights_and_they_must_fit(tmp_path: Path) -> None:
    for name, said in (("fastia", "did you mean 'fastai'"), ("kernels", "no lesson of that name has weights")):
        with pytest.raises(SpecError, match=said):
            lessons.load(str(spec_with(tmp_path, name, **SMALL)))
    with pytest.raises(DataError, match="fastai"):
        lessons.load(str(spec_with(tmp_path, "fastai", **SMALL))).tensors()

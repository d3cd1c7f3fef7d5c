"""Folders as users have them: layouts, litter, links, and names that try to be more than names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from advlab.data.file_sources import Folder, ImageNet
from advlab.data.source import LoadOptions
from advlab.errors import DataError
from advlab.store.artifacts import ArtifactStore
from tests.helpers.image_folders import names_and_values, put_image, read_folder


def test_classes_are_the_sorted_folders_and_the_folder_names_the_data(root: Path) -> None:
    for i, name in enumerate(("zebra", "Ant", "bee", "10", "9")):
        put_image(root / name / "x.png", 10 * i)
        put_image(root / name / "a.png", 10 * i + 1)
    data = read_folder(root)
    assert data.name == "images"
    assert data.classes == ("10", "9", "Ant", "bee", "zebra")
    assert names_and_values(data) == [
        ("10", 31), ("10", 30), ("9", 41), ("9", 40), ("Ant", 11), ("Ant", 10), ("bee", 21), ("bee", 20), ("zebra", 1), ("zebra", 0)
    ]  # fmt: skip
    assert Folder(root=str(root), label="mine").label == "mine"


def test_extensions_of_any_case_and_nested_folders(root: Path) -> None:
    for name in ("a.PNG", "b.JPG", "c.JPEG", "deep/er/d.Png"):
        put_image(root / "one" / name)
    for name in ("notes.txt", "x.png.bak", "png", "labels.csv"):
        (root / "one" / name).write_text("no image", encoding="utf-8")
    data = read_folder(root)
    assert len(data) == 4
    assert data.classes == ("one",)


def test_litter_is_passed_over(root: Path) -> None:
    put_image(root / "one" / "x.png", 1)
    put_image(root / "two" / "x.png", 2)
    clean = read_folder(root)
    for name in (".DS_Store", "._x.jpg", "Thumbs.db", ".hidden.png"):
        (root / "one" / name).write_bytes(b"litter")
        (root / name).write_bytes(b"litter")
    put_image(root / ".ipynb_checkpoints" / "x.png")
    put_image(root / "one" / ".ipynb_checkpoints" / "x-checkpoint.png")
    put_image(root / "__MACOSX" / "one" / "x.png")
    put_image(root / "one" / "__MACOSX" / "x.png")
    data = read_folder(root)
    assert names_and_values(data) == [("one", 1), ("two", 2)]
    assert data.digest == clean.digest


def test_an_empty_class_keeps_its_label(root: Path) -> None:
    put_image(root / "a" / "x.png", 1)
    (root / "b").mkdir()
    put_image(root / "c" / "x.png", 3)
    data = read_folder(root)
    assert data.classes == ("a", "b", "c")
    assert data.labels.tolist() == [0, 2]


HOSTILE = [
    "<img src=x onerror=alert(1)>", "=cmd()", "$x$", "with space", "new\nline", "日本語", "émile", "-rf", "a;b,c", "%s{0}",
    "'q'\"q\"", "+1", "@sum", "..." + "x" * 200,
]  # fmt: skip


def test_hostile_names_stay_names(root: Path) -> None:
    usable = [name.replace("/", "_") for name in HOSTILE if not name.startswith(".")]
    for i, name in enumerate(usable):
        put_image(root / name / f"{name[:50]}.png", i)
    data = read_folder(root)
    assert list(data.classes) == sorted(usable)
    assert dict(names_and_values(data)) == {name: i for i, name in enumerate(usable)}


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX systems alone")
def test_names_that_are_no_utf8(root: Path) -> None:
    folder = os.fsencode(root) + b"/caf\xe9"
    os.makedirs(folder)
    try:
        put_image(Path(os.fsdecode(folder + b"/\xff.png")), 7)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    data = read_folder(root)
    assert data.classes == ("caf\\xe9",)
    assert data.classes[0].encode()
    assert len(data) == 1


def test_links(root: Path, tmp_path: Path) -> None:
    put_image(tmp_path / "elsewhere" / "deep" / "x.png", 5)
    put_image(root / "a" / "x.png", 1)
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "linked.png").symlink_to(root / "a" / "x.png")
    (root / "a" / "loop").symlink_to(root / "a")
    (tmp_path / "elsewhere" / "deep" / "up").symlink_to(tmp_path / "elsewhere")
    assert names_and_values(read_folder(root)) == [("a", 1), ("a", 1), ("b", 5)]
    linked = tmp_path / "by link"
    linked.symlink_to(root)
    assert names_and_values(read_folder(linked)) == names_and_values(read_folder(root))
    (root / "a" / "broken.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"broken\.png cannot be read"):
        read_folder(root)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xe0 truncated"])
def test_bad_files_are_named(root: Path, data: bytes, streamed: bool) -> None:
    put_image(root / "a" / "good.png")
    (root / "a" / "bad one.jpg").write_bytes(data)
    if streamed:
        loaded = read_folder(root, memory=0)
        assert len(loaded.bytes(torch.tensor([1]))) == 1
        with pytest.raises(DataError, match=r"bad one\.jpg is corrupt or no image"):
            loaded.bytes(torch.tensor([1, 0]))
    else:
        with pytest.raises(DataError, match=r"bad one\.jpg is corrupt or no image"):
            read_folder(root)


# roots that hold no data


def test_roots_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is no folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"file\.png is no folder"):
        read_folder(put_image(tmp_path / "file.png"))
    with pytest.raises(DataError, match="no image folder is named"):
        Folder().load("test", "", LoadOptions(tmp_path, False, ArtifactStore(tmp_path), (1, 6, 6)))


@pytest.mark.parametrize("layout", [[], ["a/notes.txt"], ["a/.hidden.png"], ["._x.png"]])
def test_no_images(root: Path, layout: list[str]) -> None:
    root.mkdir()
    for name in layout:
        put_image(root / name)
    with pytest.raises(DataError, match="it holds no images"):
        read_folder(root)


@pytest.mark.parametrize(
    "layout", [["x.png"], ["test/x.png"], ["test/x.png", "train/y.png"], ["val/x.png", "train/a/y.png"]]
)
def test_loose_images(root: Path, layout: list[str]) -> None:
    """Folders called train and test are splits, never classes."""
    for name in layout:
        put_image(root / name)
    with pytest.raises(DataError, match="its images lie loose"):
        read_folder(root)


def test_no_size_anywhere(root: Path) -> None:
    put_image(root / "a" / "x.png")
    options = LoadOptions(root.parent, False, ArtifactStore(root.parent / ".cache"))
    with pytest.raises(DataError, match=r"dataset\.size=\.\.\. dataset\.channels="):
        Folder(root=str(root)).load("test", "x", options)
    assert Folder(root=str(root), size=5, channels=3).load("test", "x", options).shape == (3, 5, 5)


# what the model brings along


def test_crop_and_resampling_are_the_models_unless_named(root: Path) -> None:
    root.mkdir()
    (root / "a").mkdir()
    gradient = Image.radial_gradient("L").resize((40, 30))
    gradient.save(root / "a" / "x.png")
    cache = ArtifactStore(root.parent / ".cache")

    def pixels(crop: float, resample: str, /, **keys: Any) -> torch.Tensor:
        options = LoadOptions(root, False, cache, (1, 8, 8), crop, resample)
        return Folder(root=str(root), **keys).load("test", "x", options).bytes(torch.tensor([0]))

    plain = pixels(1.0, "bilinear")
    assert not torch.equal(pixels(0.5, "bilinear"), plain)
    assert not torch.equal(pixels(1.0, "bicubic"), plain)
    assert torch.equal(pixels(0.5, "bilinear"), pixels(1.0, "bilinear", crop=0.5))
    assert torch.equal(pixels(1.0, "bicubic"), pixels(1.0, "bilinear", resample="bicubic"))
    assert torch.equal(pixels(0.5, "bicubic", crop=1.0, resample="bilinear"), plain)


def test_imagenet_says_how_to_name_it(tmp_path: Path) -> None:
    options = LoadOptions(tmp_path, True, ArtifactStore(tmp_path / ".cache"), (3, 6, 6))
    with pytest.raises(DataError, match=r"imagenet does not exist: .*dataset\.root=/path/to/imagenet"):
        ImageNet().load("test", "imagenet", options)
    with pytest.raises(DataError, match=r"typo does not exist"):
        ImageNet(root=str(tmp_path / "typo")).load("test", "imagenet", options)
    put_image(tmp_path / "flat" / "val" / "ILSVRC2012_val_00000001.JPEG")
    with pytest.raises(DataError, match="its images lie loose"):
        ImageNet(root=str(tmp_path / "flat")).load("test", "imagenet", options)
    for where in ("imagenet/val/n01", "direct/n01"):
        put_image(tmp_path / where / "x.JPEG")
    assert ImageNet().load("test", "imagenet", options).classes == ("n01",)
    assert ImageNet(root=str(tmp_path / "direct")).load("test", "imagenet", options).classes == ("n01",)

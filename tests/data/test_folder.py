"""Folders as users have them: layouts, splits, litter, links, names that try to be more than names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from advlab.data import files
from advlab.data.file_sources import Folder, ImageNet
from advlab.data.images import ImageData
from advlab.data.source import LoadOptions
from advlab.errors import DataError
from advlab.store.artifacts import ArtifactStore
from advlab.store.sealed import sha256_file


def put(path: Path, value: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        Image.new("L", (6, 6), value).save(file, {".jpg": "JPEG", ".jpeg": "JPEG"}.get(path.suffix.lower(), "PNG"))
    return path


def read(root: Path, split: str = "test", **keys: Any) -> ImageData:
    source = Folder(root=str(root), split=split, **keys)
    cache = ArtifactStore(root.parent / ".cache")
    return source.load(split, source.label, LoadOptions(root.parent, False, cache, (1, 6, 6)))


def contents(data: ImageData) -> list[tuple[str, int]]:
    """(class name, grey value) of every image."""
    values = data.bytes(torch.arange(len(data)))[:, 0, 3, 3].tolist()
    return [(data.classes[label], value) for label, value in zip(data.labels.tolist(), values, strict=True)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "images"


def test_classes_are_the_sorted_folders_and_the_folder_names_the_data(root: Path) -> None:
    for i, name in enumerate(("zebra", "Ant", "bee", "10", "9")):
        put(root / name / "x.png", 10 * i)
        put(root / name / "a.png", 10 * i + 1)
    data = read(root)
    assert data.name == "images"
    assert data.classes == ("10", "9", "Ant", "bee", "zebra")
    assert contents(data) == [
        ("10", 31), ("10", 30), ("9", 41), ("9", 40), ("Ant", 11), ("Ant", 10), ("bee", 21), ("bee", 20), ("zebra", 1), ("zebra", 0)
    ]  # fmt: skip
    assert Folder(root=str(root), label="mine").label == "mine"


def test_extensions_of_any_case_and_nested_folders(root: Path) -> None:
    for name in ("a.PNG", "b.JPG", "c.JPEG", "deep/er/d.Png"):
        put(root / "one" / name)
    for name in ("notes.txt", "x.png.bak", "png", "labels.csv"):
        (root / "one" / name).write_text("no image", encoding="utf-8")
    data = read(root)
    assert len(data) == 4
    assert data.classes == ("one",)


def test_litter_is_passed_over(root: Path) -> None:
    put(root / "one" / "x.png", 1)
    put(root / "two" / "x.png", 2)
    clean = read(root)
    for name in (".DS_Store", "._x.jpg", "Thumbs.db", ".hidden.png"):
        (root / "one" / name).write_bytes(b"litter")
        (root / name).write_bytes(b"litter")
    put(root / ".ipynb_checkpoints" / "x.png")
    put(root / "one" / ".ipynb_checkpoints" / "x-checkpoint.png")
    put(root / "__MACOSX" / "one" / "x.png")
    put(root / "one" / "__MACOSX" / "x.png")
    data = read(root)
    assert contents(data) == [("one", 1), ("two", 2)]
    assert data.digest == clean.digest


def test_an_empty_class_keeps_its_label(root: Path) -> None:
    put(root / "a" / "x.png", 1)
    (root / "b").mkdir()
    put(root / "c" / "x.png", 3)
    data = read(root)
    assert data.classes == ("a", "b", "c")
    assert data.labels.tolist() == [0, 2]


HOSTILE = [
    "<img src=x onerror=alert(1)>", "=cmd()", "$x$", "with space", "new\nline", "日本語", "émile", "-rf", "a;b,c", "%s{0}",
    "'q'\"q\"", "+1", "@sum", "..." + "x" * 200,
]  # fmt: skip


def test_hostile_names_stay_names(root: Path) -> None:
    usable = [name.replace("/", "_") for name in HOSTILE if not name.startswith(".")]
    for i, name in enumerate(usable):
        put(root / name / f"{name[:50]}.png", i)
    data = read(root)
    assert list(data.classes) == sorted(usable)
    assert dict(contents(data)) == {name: i for i, name in enumerate(usable)}


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX systems alone")
def test_names_that_are_no_utf8(root: Path) -> None:
    folder = os.fsencode(root) + b"/caf\xe9"
    os.makedirs(folder)
    try:
        put(Path(os.fsdecode(folder + b"/\xff.png")), 7)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    data = read(root)
    assert data.classes == ("caf\\xe9",)
    assert data.classes[0].encode()
    assert len(data) == 1


def test_links(root: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "deep" / "x.png", 5)
    put(root / "a" / "x.png", 1)
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "linked.png").symlink_to(root / "a" / "x.png")
    (root / "a" / "loop").symlink_to(root / "a")
    (tmp_path / "elsewhere" / "deep" / "up").symlink_to(tmp_path / "elsewhere")
    assert contents(read(root)) == [("a", 1), ("a", 1), ("b", 5)]
    linked = tmp_path / "by link"
    linked.symlink_to(root)
    assert contents(read(linked)) == contents(read(root))
    (root / "a" / "broken.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"broken\.png cannot be read"):
        read(root)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xe0 truncated"])
def test_bad_files_are_named(root: Path, data: bytes, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root / "a" / "good.png")
    (root / "a" / "bad one.jpg").write_bytes(data)
    if streamed:
        monkeypatch.setattr(files, "IN_MEMORY", 0)
        loaded = read(root)
        assert len(loaded.bytes(torch.tensor([1]))) == 1
        with pytest.raises(DataError, match=r"bad one\.jpg is corrupt or no image"):
            loaded.bytes(torch.tensor([1, 0]))
    else:
        with pytest.raises(DataError, match=r"bad one\.jpg is corrupt or no image"):
            read(root)


# roots that hold no data


def test_roots_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is no folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"file\.png is no folder"):
        read(put(tmp_path / "file.png"))
    with pytest.raises(DataError, match="no image folder is named"):
        Folder().load("test", "", LoadOptions(tmp_path, False, ArtifactStore(tmp_path), (1, 6, 6)))


@pytest.mark.parametrize("layout", [[], ["a/notes.txt"], ["a/.hidden.png"], ["._x.png"]])
def test_no_images(root: Path, layout: list[str]) -> None:
    root.mkdir()
    for name in layout:
        put(root / name)
    with pytest.raises(DataError, match="it holds no images"):
        read(root)


@pytest.mark.parametrize(
    "layout", [["x.png"], ["test/x.png"], ["test/x.png", "train/y.png"], ["val/x.png", "train/a/y.png"]]
)
def test_loose_images(root: Path, layout: list[str]) -> None:
    """Folders called train and test are splits, never classes."""
    for name in layout:
        put(root / name)
    with pytest.raises(DataError, match="its images lie loose"):
        read(root)


def test_no_size_anywhere(root: Path) -> None:
    put(root / "a" / "x.png")
    options = LoadOptions(root.parent, False, ArtifactStore(root.parent / ".cache"))
    with pytest.raises(DataError, match=r"dataset\.size=\.\.\. dataset\.channels="):
        Folder(root=str(root)).load("test", "x", options)
    assert Folder(root=str(root), size=5, channels=3).load("test", "x", options).shape == (3, 5, 5)


# splits


@pytest.mark.parametrize("name", ["test", "val", "validation", "valid", "Test", "VAL"])
def test_splits(root: Path, name: str) -> None:
    for i, folder in enumerate((name, "train")):
        put(root / folder / "a" / "x.png", 10 * i)
        put(root / folder / "b" / "x.png", 10 * i + 1)
    put(root / "docs" / "picture.png")
    assert contents(read(root)) == [("a", 0), ("b", 1)]
    assert contents(read(root, "train")) == [("a", 10), ("b", 11)]
    assert read(root).digest != read(root, "train").digest
    with pytest.raises(DataError, match=r"is divided into .*: type dataset\.split=train or dataset\.split=test"):
        read(root, "all")


def test_undivided_folders(root: Path) -> None:
    put(root / "a" / "x.png")
    assert contents(read(root, "all")) == contents(read(root, "test"))
    with pytest.raises(DataError, match="holds no folder `train`, which training needs"):
        read(root, "train")


def test_a_split_that_is_not_there(root: Path) -> None:
    put(root / "train" / "a" / "x.png")
    with pytest.raises(DataError, match="holds no folder test or val"):
        read(root)


def test_imagenets_unlabelled_test_images_give_way_to_val(root: Path) -> None:
    put(root / "test" / "ILSVRC2012_test_00000001.JPEG", 9)
    put(root / "val" / "n01" / "x.JPEG", 1)
    put(root / "train" / "n01" / "x.JPEG", 2)
    assert [name for name, _ in contents(read(root))] == ["n01"]
    assert int(read(root).bytes(torch.tensor([0])).float().mean()) in (0, 1, 2)


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("abc", "ac", r"test lacks classes that another split of \S+ has \('b'\)"),
        ("ac", "abc", r"train lacks classes that another split of \S+ has \('b'\)"),
        ("abcdefghijkl", "l", r"\('a', 'b', 'c', 'd', 'e', 'f' and 5 more\)"),
        ("ab", "cd", r"\('c', 'd'\)"),
    ],
)
def test_labels_never_shift_between_splits(root: Path, train: str, test: str, said: str) -> None:
    for split, names in (("train", train), ("test", test)):
        for name in names:
            put(root / split / name / "x.png")
    for split in ("train", "test"):
        with pytest.raises(DataError, match=said) as caught:
            read(root, split)
        assert "dataset.root=" in str(caught.value)
    alone = read(root / "test")  # the remedy
    assert alone.classes == tuple(sorted(test))
    for split, names in (("train", test), ("test", train)):  # the other remedy
        for name in names:
            (root / split / name).mkdir(exist_ok=True)
    assert read(root).classes == read(root, "train").classes == tuple(sorted({*train, *test}))
    assert contents(read(root)) == [(name, 100) for name in sorted(test)]


# digest


def test_the_digest_is_of_content_and_treatment(root: Path, tmp_path: Path) -> None:
    put(root / "a" / "x.png", 1)
    put(root / "b" / "y.png", 2)
    first = read(root).digest
    assert read(root).digest == first
    moved = tmp_path / "moved"
    moved.mkdir()
    root.rename(moved / "images")
    root = moved / "images"
    assert read(root).digest == first
    assert {read(root, size=5).digest, read(root, crop=0.5).digest, read(root, fit="squash").digest}.isdisjoint({first})
    assert read(root, resample="bicubic").digest != first
    (root / "_").mkdir()  # an empty class before the others: the same files under other labels
    assert read(root).labels.tolist() == [1, 2]
    assert read(root).digest != first
    (root / "_").rmdir()
    assert read(root).digest == first
    (root / "a" / "x.png").rename(root / "b" / "x.png")  # another class
    relabelled = read(root).digest
    put(root / "b" / "y.png", 3)
    assert len({first, relabelled, read(root).digest}) == 3


def test_bytes_are_read_once_as_long_as_nothing_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(root / "a" / "x.png", 1)
    first = read(root).digest
    asked: list[Path] = []

    def recorded(file: Path) -> str:
        asked.append(file)
        return sha256_file(file)

    monkeypatch.setattr(files, "sha256_file", recorded)
    assert read(root).digest == first
    assert not asked
    put(path, 2)
    os.utime(path, ns=(1, 1))
    assert read(root).digest != first
    assert asked == [path]


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
    put(tmp_path / "flat" / "val" / "ILSVRC2012_val_00000001.JPEG")
    with pytest.raises(DataError, match="its images lie loose"):
        ImageNet(root=str(tmp_path / "flat")).load("test", "imagenet", options)
    for where in ("imagenet/val/n01", "direct/n01"):
        put(tmp_path / where / "x.JPEG")
    assert ImageNet().load("test", "imagenet", options).classes == ("n01",)
    assert ImageNet(root=str(tmp_path / "direct")).load("test", "imagenet", options).classes == ("n01",)

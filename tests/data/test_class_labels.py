"""`dataset.labels` maps folders and files to a network's classes, and says clearly what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advlab.config.compatibility import check_compatibility
from advlab.config.settings import resolve
from advlab.data.class_labels import imagenet_classes
from advlab.data.file_sources import Folder
from advlab.data.images import ImageData
from advlab.data.source import LoadOptions
from advlab.errors import ConfigError, DataError
from advlab.store.artifacts import ArtifactStore
from tests.helpers.image_folders import put_image

#: Imagenette's ten classes (fastai/imagenette): WordNet id, name, and index among ImageNet's thousand
IMAGENETTE = [
    ("n01440764", "tench", 0), ("n02102040", "English springer", 217), ("n02979186", "cassette player", 482),
    ("n03000684", "chain saw", 491), ("n03028079", "church", 497), ("n03394916", "French horn", 566),
    ("n03417042", "garbage truck", 569), ("n03425413", "gas pump", 571), ("n03445777", "golf ball", 574),
    ("n03888257", "parachute", 701),
]  # fmt: skip


def read(root: Path, labels: str | Path, classes: int = 0, split: str = "test", **keys: Any) -> ImageData:
    source = Folder(root=str(root), labels=str(labels), split=split, **keys)
    options = LoadOptions(root.parent, False, ArtifactStore(root.parent / ".cache"), (1, 6, 6), model_classes=classes)
    return source.load(split, source.label, options)


def written(root: Path, text: str, name: str = "labels.csv") -> Path:
    path = root.parent / name
    path.write_text(text, encoding="utf-8")
    return path


def folders(root: Path, *names: str) -> None:
    for i, name in enumerate(names):
        put_image(root / name / f"{i}.png", 10 * i)


def test_the_ids_are_imagenets(root: Path) -> None:
    wnids, names = imagenet_classes()
    assert len(wnids) == len(names) == len(set(wnids)) == 1000
    assert wnids == sorted(wnids)
    assert [(wnids[index], names[index]) for _, _, index in IMAGENETTE][:2] == [
        ("n01440764", "tench"),
        ("n02102040", "English springer"),
    ]
    assert [(wnids[i], names[i]) for i in (65, 281, 999)] == [
        ("n01751748", "sea snake"), ("n02123045", "tabby"), ("n15075141", "toilet tissue")
    ]  # fmt: skip


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("spelling", [str, lambda name: name.lower().replace(" ", "_")])
def test_imagenettes_ten_are_ten_of_a_thousand(column: int, spelling: Any, root: Path) -> None:
    folders(root, *(spelling(line[column]) for line in IMAGENETTE))
    data = read(root, "imagenet")
    assert len(data.classes) == 1000
    wanted = {spelling(line[column]): line[2] for line in IMAGENETTE}
    assert data.labels.tolist() == [wanted[name] for name in sorted(wanted)]
    assert data.classes[482] == "cassette player"
    assert data.remarks == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "b,2\na,7\n"),
        ("x.csv", "folder,class\nb , 2\n\n./a/,7"),
        ("x.csv", '\ufeffname,index\n"b","2"\n"a","7"\n'),
        ("x.yaml", "a: 7\nb: 2\n"),
        ("x.yml", "{b: '2', a: 7}"),
    ],
)
def test_a_file_maps_folders_to_indices(name: str, text: str, root: Path) -> None:
    folders(root, "a", "b")
    data = read(root, written(root, text, name), classes=9)
    assert data.labels.tolist() == [7, 2]
    assert data.classes == tuple(map(str, range(9)))
    assert len(read(root, written(root, text, name)).classes) == 8  # of a network that does not say how many it has


def test_a_file_maps_folders_to_names_and_ids(root: Path) -> None:
    folders(root, "dog", "fish", "box")
    data = read(root, written(root, "fish,n01440764\ndog,english springer\nbox,482\n"), classes=1000)
    assert data.labels.tolist() == [482, 217, 0]  # box, dog, fish
    one = read(root, written(root, "fish,1\ndog,1\nbox,0\n"), classes=2)
    assert one.labels.tolist() == [0, 1, 1]  # several folders may be one class


def test_a_file_labels_files_one_by_one(root: Path) -> None:
    for i, name in enumerate(("x.png", "sub/y.png", "z.png")):
        put_image(root / name, 10 * i)
    data = read(root, written(root, "file,label\nsub/y.png,3\nx.png,0\n"), classes=5)
    assert data.labels.tolist() == [3, 0]
    assert [int(value) for value in data.pixels[:, 0, 0, 0]] == [10, 0]  # type: ignore[index]
    split = root.parent / "split"
    for name in ("train/x.png", "test/x.png"):
        put_image(split / name)
    assert len(read(split, written(root, "x.png,1\n"), classes=5, split="train")) == 1
    with pytest.raises(DataError, match=r"names 'nope\.png', which is no file in"):
        read(root, written(root, "x.png,1\nnope.png,1\n"))
    with pytest.raises(DataError, match="which is no file in"):
        read(root, written(root, "x.png,1\n../split/test/x.png,1\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,1\n", "lacks the class folders 'b': add a line"),
        ("a,1\nb,2\nbb,3\n", "names 'bb', which is no class folder. Did you mean b"),
        ("a,1\nb,2\na,3\n", "names 'a' twice"),
        ("a,1\nb,9\n", "'b' is said to be class 9, but the classes are 0 to 8"),
        ("a,1\nb,-1\n", "'b' is said to be class '-1': give the class's index"),
        ("a,1\nb,tench\n", "give the class's index"),
        ("a,1\nb\n", "line 2 must hold a folder or a file, a comma and a class, got 'b'"),
        ("a,1\nb,2,3\n", "line 2 must hold"),
        ("a,1\nb,\n", "line 2 must hold"),
        ("", "is empty"),
        ("folder,class\n", "is empty"),
    ],
)
def test_what_does_not_fit_is_named(text: str, words: str, root: Path) -> None:
    folders(root, "a", "b")
    with pytest.raises(DataError) as caught:
        read(root, written(root, text), classes=9)
    assert words in str(caught.value)
    assert "labels.csv" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["- a\n", "a: [1]\n", "a: true\n", "a", "a: {b: 1}\n", "a: 'x\n", "!!python/name:os.system {}\n"]
)
def test_yaml_of_another_form(text: str, root: Path) -> None:
    folders(root, "a")
    with pytest.raises(DataError, match=r"x\.yaml (must be a mapping|does not parse)") as caught:
        read(root, written(root, text, "x.yaml"))
    assert len(str(caught.value).splitlines()) == 1


def test_names_that_imagenet_does_not_have(root: Path) -> None:
    folders(root, "English sprnger")
    with pytest.raises(DataError, match=r"'English sprnger' is no class of ImageNet .*Did you mean english springer"):
        read(root, "imagenet")
    folders(root.parent / "two", "tench", "n01440764")
    with pytest.raises(DataError, match=r"'n01440764' and 'tench' are both ImageNet's class 0"):
        read(root.parent / "two", "imagenet")
    folders(root.parent / "three", "3")
    with pytest.raises(DataError, match="'3' is no class of ImageNet"):
        read(root.parent / "three", "imagenet")
    with pytest.raises(
        DataError, match=r"nope\.csv cannot be read \(No such file or directory\): dataset\.labels takes imagenet"
    ):
        read(root, root.parent / "nope.csv")
    (root.parent / "x.csv").write_bytes(b"\xff\xfea,1\n")
    with pytest.raises(DataError, match="is no UTF-8 text"):
        read(root, root.parent / "x.csv")


def test_a_network_with_more_classes_says_how_to_map_them(root: Path) -> None:
    nodes = {
        "dataset": {"name": "folder", "root": str(root)}, "model": {"name": "lenet", "classes": 100, "checkpoint": "x.pt"},
        "experiment": {"name": "isotropy"}, "probe": {"name": "sphere"},
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"lenet has 100 classes, x has 10: .*dataset\.labels=imagenet"):
        check_compatibility("x", (1, 28, 28), 10, resolve(nodes))

"""What is unusual about image files is said, a line a kind, and numeric class folders stand in the order of their numbers."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from advlab.config.settings import resolve
from advlab.data import files
from advlab.data.folders import order_remark
from advlab.data.images import ImageData
from advlab.engine.datasets import load_dataset
from advlab.engine.torch_setup import data_facts
from advlab.store.artifacts import ArtifactStore
from tests.helpers.image_folders import names_and_values, put_image, read_folder

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 6), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 6, 3), dtype=np.uint8)


def colour_of_16_bits() -> bytes:
    """A 6x6 PNG with 16 bits a colour, which Pillow does not write."""
    rows = b"".join(b"\0" + RNG.integers(0, 65536, 18, dtype=np.uint16).astype(">u2").tobytes() for _ in range(6))
    chunks = [(b"IHDR", struct.pack(">II5B", 6, 6, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def frames(path: Path) -> None:
    first, second = (Image.fromarray(array) for array in (COLOUR, 255 - COLOUR))
    first.save(path, save_all=True, append_images=[second])


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(path, exif=exif)


WHITE = Image.new("L", (6, 6), 255)

#: file, how it is written, words of the line about it, whether that is a warning
UNUSUAL: dict[str, tuple[str, Callable[[Path], object], str, bool]] = {
    "glyphs": ("x.png", lambda p: Image.merge("LA", [WHITE, Image.fromarray(GREY)]).save(p), "alpha channel alone", True),
    "cut out": ("x.png", lambda p: Image.fromarray(np.dstack([COLOUR, GREY])).save(p), "have transparent pixels", True),
    "half": ("x.png", lambda p: Image.new("RGBA", (6, 6), (9, 9, 9, 99)).save(p), "have transparent pixels", True),
    "hole": ("x.gif", lambda p: Image.fromarray(GREY // 64).convert("P").save(p, transparency=0), "transparent", True),
    "12 bits": ("x.png", lambda p: Image.fromarray(GREY.astype(np.uint16) * 16 + 15).save(p), "as of 12-bit data", True),
    "16 bits": ("x.png", lambda p: Image.fromarray(GREY.astype(np.uint16) * 256 + 255).save(p), "scaled to 8:", False),
    "16 bits colour": ("x.png", lambda p: p.write_bytes(colour_of_16_bits()), "16 bits a colour", False),
    "palette": ("x.png", lambda p: Image.fromarray(COLOUR).quantize(8).save(p), "have a palette", False),
    "cmyk": ("x.jpg", lambda p: Image.fromarray(COLOUR).convert("CMYK").save(p), "such as CMYK", False),
    "animated": ("x.gif", frames, "several frames", False),
    "turned": ("x.jpg", turned, "EXIF orientation", False),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNUSUAL)
def test_what_is_unusual_is_said_with_a_number_and_an_example(kind: str, root: Path) -> None:
    name, write, words, warns = UNUSUAL[kind]
    for folder in ("a", "b"):
        put_image(root / folder / "plain.png")
        write(root / folder / name)
    lines = [remark for remark in read_folder(root, channels=3).remarks if words in remark.text]
    (line,) = lines
    assert line.warns == warns
    assert line.text.endswith(f": 2, such as {root}/a/{name}")


def test_nothing_is_said_of_plain_files(root: Path) -> None:
    for i, mode in enumerate(("L", "RGB", "1", "RGBA", "LA")):
        put_image(root / "0" / f"{i}.png")
        image = Image.new(mode, (6, 6))
        if mode in ("RGBA", "LA"):
            image.putalpha(255)
        image.save(root / "0" / f"{mode}.png")
    put_image(root / "1" / "x.jpg")
    assert read_folder(root).remarks == ()


def test_files_that_are_passed_over_are_counted(root: Path) -> None:
    put_image(root / "a" / "x.png")
    put_image(root / "b" / "x.png")
    for name in ("a/z.jfif", "a/readme.txt", "b/y", ".hidden", "a/Thumbs.db", "loose.png"):
        put_image(root / "c.png").rename(root / name)
    (remark,) = read_folder(root).remarks
    assert remark.warns
    assert remark.text == (
        f"files that are passed over: 4, such as {root}/loose.png (extensions .jfif, .txt, no extension)"
    )
    (root / "loose.png").unlink()
    assert "passed over: 3, such as" in read_folder(root).remarks[0].text


def test_streamed_images_are_looked_at_here_and_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOOKED_AT", 2)
    for i in range(5):
        put_image(root / "a" / f"{i}.png")
        Image.new("RGBA", (6, 6), (9, 9, 9, 99)).save(root / "a" / f"{i}.png")
    (remark,) = read_folder(root, memory=0).remarks
    assert ": 2, such as" in remark.text


@pytest.mark.parametrize(
    ("names", "order", "said"),
    [
        ([str(i) for i in range(12)], [str(i) for i in range(12)], "0, 1, ..., 11 stand in the order of their numbers"),
        (["2", "3", "10", "11"], ["2", "3", "10", "11"], "not of their letters (10, 11, ..., 3)"),
        (["007", "08", "9", "10"], ["007", "08", "9", "10"], "of their numbers"),
        (["00", "01", "10"], ["00", "01", "10"], ""),
        (["3", "1", "2"], ["1", "2", "3"], ""),
        (["class_2", "class_10", "class_1"], ["class_1", "class_10", "class_2"], "'class_10' before 'class_2'"),
        (["10", "9", "bee", "Ant"], ["10", "9", "Ant", "bee"], "'10' before '9'"),
        (["b", "a2", "a1"], ["a1", "a2", "b"], ""),
    ],
)  # fmt: skip
def test_the_order_of_classes(names: list[str], order: list[str], said: str, root: Path) -> None:
    for i, name in enumerate(order):
        put_image(root / name / "x.png", 10 * i)
    data = read_folder(root)
    assert list(data.classes) == order
    assert names_and_values(data) == [(name, 10 * i) for i, name in enumerate(order)]
    texts = [remark.text for remark in data.remarks]
    assert len(texts) == bool(said)
    assert all(said in text for text in texts)
    assert sorted(names) == sorted(order)


def test_mixed_names_warn_and_numbers_do_not() -> None:
    assert [remark.warns for remark in order_remark(["a1", "a10", "a2"])] == [True]
    assert [remark.warns for remark in order_remark(["1", "2", "10"])] == [False]
    assert order_remark([]) == []


def test_they_are_logged_and_kept(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    for i in range(11):
        put_image(root / str(i) / "x.png")
        put_image(root / str(i) / "x.xyz")
    nodes = {
        "dataset": {"name": "folder", "root": str(root), "size": 28}, "model": {"name": "lenet"},
        "experiment": {"name": "isotropy"}, "probe": {"name": "sphere"}, "recipe": {"name": "none"},
    }  # fmt: skip
    settings = resolve({**nodes, "model": {"name": "lenet", "classes": 11}})
    with caplog.at_level(logging.INFO, "advlab"):
        data: ImageData = load_dataset(settings, ArtifactStore(root.parent / ".cache"), "test")
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert all(record.getMessage().startswith(f"{root.name}/test: ") for record in caplog.records)
    assert data_facts(data, None)["remarks"] == [remark.text for remark in data.remarks]
    assert len(data.remarks) == 2

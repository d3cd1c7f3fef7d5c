"""Image files as users have them: every mode, odd sizes, damaged ones, and torchvision's own resizing as the oracle.

Longer than other files: a kind of file each, all read by one function.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import ResNet18_Weights
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from advlab.data.decode import RESAMPLE, decode_all, decode_file, decoder
from advlab.errors import DataError

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)


def noise(height: int, width: int, channels: int = 3) -> Image.Image:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8))


def saved(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def whole(path: Path, height: int, width: int, channels: int = 3) -> Array:
    """The file's pixels as (H, W, C), neither resized nor cropped."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = decode_file(path, (channels, height, width), 1.0, "crop", "bilinear")
    assert out.dtype == torch.uint8
    assert out.shape == (channels, height, width)
    assert out.is_contiguous()
    return out.permute(1, 2, 0).numpy()


def test_colour_is_read_as_it_is(tmp_path: Path) -> None:
    image = noise(12, 17)
    for extension in ("png", "bmp", "ppm", "tif", "webp"):
        options = {"lossless": True} if extension == "webp" else {}
        assert np.array_equal(whole(saved(image, tmp_path / f"x.{extension}", **options), 12, 17), np.asarray(image))


def test_grey_is_repeated_and_colour_becomes_grey(tmp_path: Path) -> None:
    grey = noise(8, 8, 1)
    path = saved(grey, tmp_path / "grey.png")
    assert np.array_equal(whole(path, 8, 8), np.repeat(np.asarray(grey)[..., None], 3, 2))
    assert np.array_equal(whole(path, 8, 8, 1)[..., 0], np.asarray(grey))
    colour = noise(8, 8)
    decoded = whole(saved(colour, tmp_path / "colour.png"), 8, 8, 1)[..., 0]
    weighted = np.asarray(colour) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decoded - weighted).max() <= 1


@pytest.mark.parametrize("transparency", [None, 3, bytes(range(256))])
def test_palette(tmp_path: Path, transparency: int | bytes | None) -> None:
    image = noise(16, 16).quantize(64)
    options = {} if transparency is None else {"transparency": transparency}
    path = saved(image, tmp_path / "x.png", **options)
    with Image.open(path) as file:
        assert file.mode == "P"
    assert np.array_equal(whole(path, 16, 16), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_dropped(tmp_path: Path, mode: str) -> None:
    opaque = noise(9, 9, 3 if mode == "RGBA" else 1)
    image = opaque.convert(mode)
    image.putalpha(noise(9, 9, 1))
    assert np.array_equal(whole(saved(image, tmp_path / "x.png"), 9, 9), np.asarray(opaque.convert("RGB")))


def test_one_bit(tmp_path: Path) -> None:
    image = noise(10, 10, 1).point(lambda v: 255 * (v > 100)).convert("1")
    for extension in ("png", "pbm", "tif"):
        decoded = whole(saved(image, tmp_path / f"x.{extension}"), 10, 10, 1)
        assert set(np.unique(decoded)) == {0, 255}
        assert np.array_equal(decoded[..., 0] == 255, np.asarray(image))


def write_pgm16(values: Array, path: Path) -> Path:
    path.write_bytes(b"P5 %d %d 65535\n" % values.shape[::-1] + values.astype(">u2").tobytes())
    return path


@pytest.mark.parametrize("highest", [40, 255, 300, 65535])
@pytest.mark.parametrize("extension", ["png", "tif", "pgm"])
def test_sixteen_bit_has_one_scale_whatever_an_image_holds(tmp_path: Path, extension: str, highest: int) -> None:
    """A dark image stays dark: the scale is the mode's, never the image's own maximum."""
    values = np.linspace(0, highest, 16 * 16).reshape(16, 16).astype(np.uint16)
    path = tmp_path / f"x.{extension}"
    if extension == "pgm":
        write_pgm16(values, path)
    else:
        Image.fromarray(values).save(path)
    decoded = whole(path, 16, 16, 1)[..., 0]
    assert np.abs(decoded - values / 257).max() <= 0.5
    assert decoded.max() == round(highest / 257)


def test_values_without_a_fixed_range_are_refused(tmp_path: Path) -> None:
    floats = saved(Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)), tmp_path / "float.tif")
    wide = saved(Image.fromarray(np.full((8, 8), 1 << 20, dtype=np.int32)), tmp_path / "wide.tif")
    for path in (floats, wide):
        with pytest.raises(DataError, match=r"(float|wide)\.tif .*no fixed range: convert it to 8 or 16 bit"):
            decode_file(path, (1, 8, 8), 1.0, "crop", "bilinear")


def test_cmyk_jpeg(tmp_path: Path) -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    decoded = whole(saved(image, tmp_path / "x.jpg", quality=95), 16, 16)
    assert decoded[..., 0].min() > 240
    assert decoded[..., 1:].max() < 15


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((24, 16, 3), np.uint8)
    upright[:12, :8] = 255  # the bright corner is at the top left when it is shown right
    undo = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.transpose(1, 0, 2),
        6: np.rot90(upright), 7: upright[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation]))
    decoded = whole(saved(stored, tmp_path / "x.jpg", exif=exif, quality=100, subsampling=0), 24, 16).astype(int)
    assert np.abs(decoded - upright).max() < 40
    assert np.abs(decoded - upright).mean() < 4


def test_unreadable_exif_does_not_cost_the_image(tmp_path: Path) -> None:
    image = noise(16, 16)
    for i, exif in enumerate(
        (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    ):
        path = saved(image, tmp_path / f"{i}.jpg", exif=exif)
        assert decode_file(path, (3, 16, 16), 1.0, "crop", "bilinear").float().std() > 10


@pytest.mark.parametrize("fit", ["crop", "squash"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (37, 91), (91, 37), (2, 3), (300, 300)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int], fit: Any) -> None:
    path = saved(Image.new("RGB", size[::-1], (10, 200, 90)), tmp_path / "x.png")
    for shape in ((3, 32, 32), (3, 20, 33), (1, 5, 1)):
        out = decode_file(path, shape, 0.875, fit, "bicubic")
        assert out.shape == shape
        assert (out.flatten(1).amax(1) == out.flatten(1).amin(1)).all()
        if shape[0] == 3:
            assert out[:, 0, 0].tolist() == [10, 200, 90]


def protocols() -> list[tuple[int, int, int, int]]:
    rng = np.random.default_rng(1)
    fixed = [(224, 256, 375, 500), (224, 256, 256, 256), (224, 224, 300, 200), (299, 342, 333, 500), (32, 32, 31, 33)]
    crops = [(224, 236), (224, 232), (240, 255), (96, 110), (64, 64)]
    return fixed + [(*crops[i % len(crops)], int(rng.integers(20, 500)), int(rng.integers(20, 500))) for i in range(30)]


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
def test_crop_is_torchvisions_resize_and_centre_crop(tmp_path: Path, resample: str) -> None:
    modes = {"bilinear": v2.InterpolationMode.BILINEAR, "bicubic": v2.InterpolationMode.BICUBIC}
    for size, resized, height, width in protocols():
        smooth = noise(max(2, height // 9), max(2, width // 9)).resize((width, height), Image.Resampling.BICUBIC)
        path = saved(smooth, tmp_path / "x.png")
        decoded = decode_file(path, (3, size, size), size / resized, "crop", resample)
        with Image.open(path) as file:
            picture = file.convert("RGB")
        by_pillow = tv.pil_to_tensor(tv.center_crop(tv.resize(picture, [resized], modes[resample]), [size, size]))
        assert torch.equal(decoded, by_pillow), (size, resized, height, width)
        if resample == "bicubic":  # torchvision's own two ways differ by 2 there
            continue
        tensor = tv.resize(tv.pil_to_tensor(picture), [resized], modes[resample], antialias=True)
        by_tensor = tv.center_crop(tensor, [size, size])
        assert (decoded.int() - by_tensor.int()).abs().max() <= 1, (size, resized, height, width)


def test_imagenets_protocol_is_the_weights_own(tmp_path: Path) -> None:
    path = saved(noise(20, 26).resize((500, 375), Image.Resampling.BICUBIC), tmp_path / "x.jpg")
    transforms = ResNet18_Weights.IMAGENET1K_V1.transforms()
    decoded = decode_file(path, (3, 224, 224), 0.875, "crop", "bilinear").float() / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (transforms.mean, transforms.std))
    with Image.open(path) as file:
        torch.testing.assert_close((decoded - mean) / std, transforms(file.convert("RGB")))


def test_squash_resizes_both_sides(tmp_path: Path) -> None:
    picture = noise(30, 70)
    decoded = decode_file(saved(picture, tmp_path / "x.png"), (3, 20, 24), 0.5, "squash", "bilinear")
    assert np.array_equal(decoded.permute(1, 2, 0), np.asarray(picture.resize((24, 20), RESAMPLE["bilinear"])))


@pytest.mark.parametrize(("height", "width"), [(32, 48), (48, 32), (7, 50)])
def test_images_of_the_wanted_size_are_not_touched(tmp_path: Path, height: int, width: int) -> None:
    """Also when that size is not square: nothing is enlarged and cropped away."""
    picture = noise(height, width)
    assert np.array_equal(whole(saved(picture, tmp_path / "x.png"), height, width), np.asarray(picture))
    half = decode_file(
        saved(picture.resize((2 * width, 2 * height), 0), tmp_path / "y.png"),
        (3, height, width),
        1.0,
        "crop",
        "bilinear",
    )
    again = picture.resize((2 * width, 2 * height), 0).resize((width, height), RESAMPLE["bilinear"])
    assert np.array_equal(half.permute(1, 2, 0), np.asarray(again))


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise(40, 40).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"])
def test_truncated_files_are_named(tmp_path: Path, kind: str) -> None:
    data = encoded(kind)
    path = tmp_path / f"cut.{kind.lower()}"
    for keep in (len(data) // 2, 20, 1):
        path.write_bytes(data[:keep])
        with pytest.raises(DataError, match=r"cut\.\w+ is corrupt or no image"):
            decode_file(path, (3, 32, 32), 1.0, "crop", "bilinear")


@pytest.mark.parametrize(
    "data", [b"", b"not an image", b"\0" * 5000, b"%PDF-1.4", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_what_is_no_image_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "odd name é.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"odd name é\.png is corrupt or no image"):
        decode_file(path, (3, 32, 32), 1.0, "crop", "bilinear")


def test_flipped_bytes_never_end_in_anything_but_an_image_or_its_error(tmp_path: Path) -> None:
    data = encoded("PNG")
    path = tmp_path / "flipped.png"
    messages = []
    for position in RNG.integers(0, len(data), 60):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
        try:
            assert decode_file(path, (3, 8, 8), 1.0, "crop", "bilinear").shape == (3, 8, 8)
        except DataError as error:
            messages.append(str(error))
    assert len(messages) > 30  # PNG carries checksums
    assert all(str(path) in message for message in messages)


def test_a_renamed_postscript_file_starts_no_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = tmp_path / "ran"
    for name in ("gs", "gswin64c"):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\ntouch {ran}\n", encoding="utf-8")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(DataError, match=r"photo\.jpg is corrupt or no image"):
        decode_file(path, (3, 32, 32), 1.0, "crop", "bilinear")
    assert not ran.exists()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    header = struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    with pytest.raises(DataError, match=r"bomb\.png"):
        decode_file(path, (3, 32, 32), 1.0, "crop", "bilinear")


def test_the_name_does_not_decide_the_format(tmp_path: Path) -> None:
    image = noise(16, 16)
    path = tmp_path / "really_png.jpg"
    image.save(path, format="PNG")
    assert np.array_equal(whole(path, 16, 16), np.asarray(image))


def test_animations_give_their_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    path = tmp_path / "x.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert (whole(path, 8, 8) == [255, 0, 0]).all()


def test_many_files_keep_their_order_and_the_bad_one_is_named(tmp_path: Path) -> None:
    paths = [saved(Image.new("L", (4, 4), i), tmp_path / f"{i}.png") for i in range(50)]
    read = decoder((1, 4, 4), 1.0, "crop", "bilinear")
    assert decode_all(paths, read)[:, 0, 0, 0].tolist() == list(range(50))
    paths[31].write_bytes(b"")
    with pytest.raises(DataError, match=r"31\.png"):
        decode_all(paths, read)

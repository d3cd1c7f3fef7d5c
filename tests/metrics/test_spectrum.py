"""Energy above a coarser grid's Nyquist frequency: pure cosines, numpy, white noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from advlab.metrics.spectrum import share_above_nyquist


@pytest.mark.parametrize(("cycles", "stride", "share"), [
    (5, (2, 2), 0.0), (6, (2, 2), 0.0), (7, (2, 2), 1.0), (12, (2, 2), 1.0), (5, (3, 3), 1.0), (4, (3, 3), 0.0), (7, (1, 1), 0.0),
])  # fmt: skip
@pytest.mark.parametrize("axis", [0, 1])
def test_a_cosine_is_above_or_below(cycles: int, stride: tuple[int, int], share: float, axis: int) -> None:
    wave = torch.cos(2 * torch.pi * cycles * torch.arange(24, dtype=torch.float64) / 24).expand(1, 1, 24, 24)
    maps = 3.0 + (wave if axis else wave.mT)
    assert share_above_nyquist(maps, stride).item() == pytest.approx(share, abs=1e-12)
    other = (stride[0], 1) if axis else (1, stride[1])  # the axis along which nothing varies decides nothing
    assert share_above_nyquist(maps, other).item() == pytest.approx(0.0, abs=1e-12)


def test_maps_of_an_image_are_added_up_and_images_kept_apart() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 4, 9, 10))
    found = share_above_nyquist(torch.from_numpy(maps), (2, 3)).numpy()
    energy = np.abs(np.fft.fft2(maps)) ** 2
    energy[:, :, 0, 0] = 0
    above = (np.abs(np.fft.fftfreq(9))[:, None] > 1 / 4 + 1e-9) | (np.abs(np.fft.fftfreq(10)) > 1 / 6 + 1e-9)
    assert found == pytest.approx(energy[:, :, above].sum((1, 2)) / energy.sum((1, 2, 3)))
    assert share_above_nyquist(torch.from_numpy(maps[1:2]), (2, 3)).item() == pytest.approx(found[1], rel=1e-14)


def test_white_noise_has_three_quarters_above_half() -> None:
    noise = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    assert share_above_nyquist(noise, (2, 2)).item() == pytest.approx(0.75, abs=0.01)


def test_constant_maps_have_none() -> None:
    assert share_above_nyquist(torch.full((1, 2, 6, 6), 0.3), (2, 2)).isnan().all()


def test_a_stride_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="stride"):
        share_above_nyquist(torch.zeros(1, 1, 4, 4), (0, 2))

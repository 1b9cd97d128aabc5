"""Augmentation and scaling of whole batches."""

import pytest
import torch

from precompute.augment import MAX_SHIFT, Draws, Images

CPU = torch.device("cpu")
HALF = (0.5, 0.5, 0.5)


@pytest.fixture
def pixels():
    return torch.randint(0, 256, (6, 8, 10, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def draws(n, down=MAX_SHIFT, across=MAX_SHIFT, flip=False):
    return Draws(torch.arange(n), torch.tensor([[down, across]] * n), torch.full((n,), flip))


def test_pixels_are_scaled_to_minus_one_to_one():
    images = Images(torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 2, 1).expand(1, 1, 2, 3), CPU, HALF, HALF)
    assert images.plain(0, 1).flatten().tolist() == [-1, 1] * 3


def test_any_mean_and_deviation_of_a_colour(pixels):
    mean, std = (0.1, 0.5, 0.9), (0.2, 0.3, 0.4)
    scaled = Images(pixels, CPU, mean, std).plain(0, 6)
    expected = (pixels.permute(0, 3, 1, 2) / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    torch.testing.assert_close(scaled, expected)


def test_a_shift_to_the_middle_without_flip_is_the_image_itself(pixels):
    images = Images(pixels, CPU, HALF, HALF)
    assert torch.equal(images.augmented(torch.arange(6), draws(6)), images.plain(0, 6))


def test_a_flip_mirrors_and_only_where_mirror_images_keep_their_label(pixels):
    index = torch.arange(6)
    flipped = Images(pixels, CPU, HALF, HALF).augmented(index, draws(6, flip=True))
    assert torch.equal(flipped, Images(pixels, CPU, HALF, HALF).plain(0, 6).flip(3))
    digits = Images(pixels, CPU, HALF, HALF, flips=False)
    assert torch.equal(digits.augmented(index, draws(6, flip=True)), digits.plain(0, 6))


def test_a_shift_moves_and_fills_with_black(pixels):
    images = Images(pixels, CPU, HALF, HALF)
    moved = images.augmented(torch.arange(6), draws(6, down=MAX_SHIFT + 3, across=MAX_SHIFT - 2))
    assert torch.equal(moved[:, :, :-3, 2:], images.plain(0, 6)[:, :, 3:, :-2])
    assert (moved[:, :, -3:] == -1).all()
    assert (moved[:, :, :, :2] == -1).all()


def test_each_input_gets_its_own_draw_wherever_it_is_in_the_batch(pixels):
    images = Images(pixels, CPU, HALF, HALF)
    epoch = Draws.of_epoch(6, seed=1, epoch=2, device=CPU)
    whole = images.augmented(torch.arange(6), epoch)
    index = torch.tensor([4, 1])
    assert torch.equal(images.augmented(index, epoch), whole[index])


def test_draws_follow_from_seed_and_epoch_alone():
    first, again = (Draws.of_epoch(1000, 1, 2, CPU) for _ in range(2))
    assert torch.equal(first.order, again.order)
    assert torch.equal(first.shift, again.shift)
    assert sorted(first.order.tolist()) == list(range(1000))
    for other in (Draws.of_epoch(1000, 1, 3, CPU), Draws.of_epoch(1000, 2, 2, CPU)):
        assert not torch.equal(first.order, other.order)
    assert set(first.shift.flatten().tolist()) == set(range(2 * MAX_SHIFT + 1))
    assert 400 < int(first.flip.sum()) < 600


def test_images_come_channels_last_in_memory(pixels):
    batch = Images(pixels, CPU, HALF, HALF).augmented(torch.arange(6), draws(6))
    assert batch.shape == (6, 3, 8, 10)
    assert batch.is_contiguous(memory_format=torch.channels_last)

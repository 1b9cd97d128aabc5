"""Augmentation and scaling of whole batches."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from precompute.images.augment import MAX_SHIFT, Draws, Images, Preprocessing

CPU = torch.device("cpu")
HALF = (0.5, 0.5, 0.5)


@pytest.fixture
def pixels():
    return torch.randint(0, 256, (6, 8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def draws(n, down=MAX_SHIFT, across=MAX_SHIFT, flip=False, turned=0.0, sheared=0.0):
    turn = torch.tensor([[turned, sheared]] * n)
    return Draws(torch.arange(n), torch.tensor([[down, across]] * n), torch.full((n,), flip), turn)


def seen(pixels, side=None, mean=HALF, std=HALF, **more):
    """The images as a network sees them."""
    return Images(pixels, CPU, Preprocessing(side or pixels.shape[1], mean, std, **more))


def test_pixels_are_scaled_to_minus_one_to_one():
    images = seen(torch.tensor([0, 255, 255, 0], dtype=torch.uint8).view(1, 2, 2, 1).expand(1, 2, 2, 3))
    assert images.plain(0, 1).flatten().tolist() == [-1, 1, 1, -1] * 3


def test_any_mean_and_deviation_of_a_colour(pixels):
    mean, std = (0.1, 0.5, 0.9), (0.2, 0.3, 0.4)
    scaled = seen(pixels, mean=mean, std=std).plain(0, 6)
    expected = (pixels.permute(0, 3, 1, 2) / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    torch.testing.assert_close(scaled, expected)


def test_a_shift_to_the_middle_without_flip_is_the_image_itself(pixels):
    images = seen(pixels)
    assert torch.equal(images.augmented(torch.arange(6), draws(6)), images.plain(0, 6))


def test_a_flip_mirrors_and_only_where_mirror_images_keep_their_label(pixels):
    index = torch.arange(6)
    flipped = seen(pixels).augmented(index, draws(6, flip=True))
    assert torch.equal(flipped, seen(pixels).plain(0, 6).flip(3))
    digits = seen(pixels, flips=False)
    assert torch.equal(digits.augmented(index, draws(6, flip=True)), digits.plain(0, 6))


def test_a_shift_moves_and_fills_with_black(pixels):
    images = seen(pixels)
    moved = images.augmented(torch.arange(6), draws(6, down=MAX_SHIFT + 3, across=MAX_SHIFT - 2))
    assert torch.equal(moved[:, :, :-3, 2:], images.plain(0, 6)[:, :, 3:, :-2])
    assert (moved[:, :, -3:] == -1).all()
    assert (moved[:, :, :, :2] == -1).all()


def test_each_input_gets_its_own_draw_wherever_it_is_in_the_batch(pixels):
    images = seen(pixels)
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
    batch = seen(pixels).augmented(torch.arange(6), draws(6))
    assert batch.shape == (6, 3, 8, 8)
    assert batch.is_contiguous(memory_format=torch.channels_last)


# ---- Enlarging and turning, as EfficientNet's recipe has them ------------------------------------------------------


@pytest.fixture
def disc():
    """A bright disc off the middle of one dark image of 64x64."""
    down, across = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    bright = ((down - 20) ** 2 + (across - 30) ** 2 < 64).to(torch.uint8) * 200
    return bright[None, :, :, None].expand(1, 64, 64, 3).contiguous()


def centre(images):
    """Where the bright part of the first image is: (down, across)."""
    weight = images[0, 0] + 1
    down, across = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    return float((weight * down).sum() / weight.sum()), float((weight * across).sum() / weight.sum())


def test_enlarging_is_bicubic_as_pillow_does_it(pixels):
    from PIL import Image

    soft = pixels // 2 + 64  # nothing overshoots: Pillow cuts off after each direction, torch does not
    for image, ours in zip(soft, seen(soft, side=56).plain(0, 6), strict=True):
        theirs = Image.fromarray(image.numpy()).resize((56, 56), Image.Resampling.BICUBIC)
        difference = (ours.permute(1, 2, 0) + 1) * 127.5 - torch.from_numpy(np.asarray(theirs).copy())
        assert difference.abs().max() < 2  # Pillow rounds to whole numbers after each direction
    large = seen(pixels, side=56).plain(0, 6)
    assert large.min() >= -1
    assert large.max() <= 1


def test_neither_turned_nor_moved_is_the_image_itself(disc):
    images = seen(disc, warps=True)
    torch.testing.assert_close(images.augmented(torch.tensor([0]), draws(1)), images.plain(0, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("drawn", "moved"),
    [
        ({"down": MAX_SHIFT + 3, "across": MAX_SHIFT - 2}, (3.0, -2.0)),
        # the disc is 11.5 above the middle and 1.5 left of it; two degrees are 0.0349
        ({"turned": 1.0}, (-1.5 * 0.0349, 11.5 * 0.0349)),
        ({"sheared": 1.0}, (0.0, -11.5 * 0.0349)),
    ],
)
def test_a_translation_a_rotation_and_a_shear_move_what_they_should(disc, drawn, moved):
    images = seen(disc, warps=True)
    before, after = centre(images.plain(0, 1)), centre(images.augmented(torch.tensor([0]), draws(1, **drawn)))
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx(moved, abs=0.05)


def test_a_turned_image_is_flipped_where_drawn(disc):
    images = seen(disc, warps=True)
    flipped = images.augmented(torch.tensor([0]), draws(1, flip=True))
    torch.testing.assert_close(flipped, images.plain(0, 1).flip(3), atol=1e-4, rtol=0)
    digits = seen(disc, warps=True, flips=False)
    torch.testing.assert_close(
        digits.augmented(torch.tensor([0]), draws(1, flip=True)), images.plain(0, 1), atol=1e-4, rtol=0
    )


def test_what_comes_in_from_outside_is_black(disc):
    bright = torch.full_like(disc, 255)
    moved = seen(bright, warps=True).augmented(torch.tensor([0]), draws(1, down=2 * MAX_SHIFT))
    assert (moved[:, :, :4] == -1).all()
    assert (moved[:, :, 5:, 5:-5] > 0.99).all()


def test_draws_are_copied_into_room_that_was_made_for_them():
    epoch = Draws.of_epoch(20, seed=1, epoch=2, device=torch.device("cpu"))
    room = Draws.empty(20, torch.device("cpu"))
    places = [getattr(room, field.name).data_ptr() for field in fields(Draws)]
    room.copy_(epoch)
    for field, place in zip(fields(Draws), places, strict=True):
        made, given = getattr(room, field.name), getattr(epoch, field.name)
        assert made.dtype == given.dtype and torch.equal(made, given)
        assert made.data_ptr() == place

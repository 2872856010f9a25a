"""Folders of pictures: layout, splits, and pictures of every kind, sound and broken."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from ftkit.data import folder as folder_module
from ftkit.data.folder import UPRIGHT, decode, hold_out, load_folder
from ftkit.errors import FtkitError

RED, GREEN, BLUE, GOLD = (220, 30, 30), (30, 200, 40), (30, 40, 220), (230, 200, 20)
TURNED_BACK = {  # orientation: how upright pixels are stored for it
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def draw(path: Path, colour: object = RED, mode: str = "RGB", size: tuple[int, int] = (20, 16)):
    """Save a picture of one colour, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


def fill(root: Path, counts: dict[str, int]) -> Path:
    """A class folder per name, with that many grey pictures, each with its own grey value."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            draw(root / name / f"{number:03}.png", (number, number, number))
    return root


def quarters(size: int = 64) -> Image.Image:
    """Red and green above, blue and gold below."""
    image = Image.new("RGB", (size, size), RED)
    half = size // 2
    image.paste(GREEN, (half, 0, size, half))
    image.paste(BLUE, (0, half, half, size))
    image.paste(GOLD, (half, half, size, size))
    return image


def corners(pixels: np.ndarray) -> np.ndarray:
    """The colours in the middle of the four quarters, row by row."""
    q = len(pixels) // 4
    return pixels[[q, q, -q, -q], [q, -q, q, -q]].astype(int)


def assert_close(pixels: np.ndarray, colour: object, tolerance: int = 2) -> None:
    assert np.abs(pixels.astype(int) - np.asarray(colour)).max() <= tolerance


def truncated_jpeg() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()[: len(stream.getvalue()) // 2]


# Layout


def test_classes_are_the_sorted_folder_names_and_pictures_come_in_name_order(tmp_path):
    dataset = load_folder(fill(tmp_path, {"dog": 5, "bee": 5, "Cat": 5}), 8, seed=0)
    assert dataset.class_names == ("Cat", "bee", "dog")
    assert dataset.name == str(tmp_path)
    assert dataset.train.images.shape == (12, 8, 8, 3)
    assert dataset.val.images.shape == (3, 8, 8, 3)
    assert dataset.image_size == 8
    assert dataset.skipped == ()
    for split in (dataset.train, dataset.val):
        assert split.images.flags.c_contiguous
        key = split.labels * 1000 + split.images[:, 0, 0, 0]
        assert (np.diff(key) > 0).all()


def test_without_a_val_folder_a_fifth_of_every_class_is_held_out_and_nothing_is_lost(tmp_path):
    dataset = load_folder(fill(tmp_path, {"a": 30, "b": 10, "c": 2}), 8, seed=3)
    assert np.bincount(dataset.train.labels).tolist() == [24, 8, 1]
    assert np.bincount(dataset.val.labels).tolist() == [6, 2, 1]
    for label, count in enumerate((30, 10, 2)):
        shades = [s.images[s.labels == label, 4, 4, 0] for s in (dataset.train, dataset.val)]
        assert sorted(np.concatenate(shades).tolist()) == list(range(count))


def test_the_seed_and_nothing_else_decides_which_pictures_are_held_out(tmp_path):
    fill(tmp_path, {"a": 30, "b": 30})
    first, again, other = (load_folder(tmp_path, 8, seed).val.images for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_val_share_is_the_share_of_every_class(tmp_path):
    dataset = load_folder(fill(tmp_path, {"a": 20, "b": 4}), 8, seed=0, val_share=0.5)
    assert np.bincount(dataset.val.labels).tolist() == [10, 2]


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_hold_out_leaves_a_picture_in_each_part_at_any_share(share):
    labels = np.repeat([0, 1, 2], [2, 3, 50]).astype(np.int64)
    train, val = hold_out(labels, share, seed=0)
    assert set(labels[train]) == set(labels[val]) == {0, 1, 2}
    assert sorted([*train, *val]) == list(range(55))


@pytest.mark.parametrize("name", ["val", "valid", "validation", "test", "Val"])
def test_a_given_val_folder_is_used_as_it_is(tmp_path, name):
    fill(tmp_path / "train", {"a": 3, "b": 4})
    fill(tmp_path / name, {"a": 1, "b": 2})
    dataset = load_folder(tmp_path, 8, seed=0)
    assert np.bincount(dataset.train.labels).tolist() == [3, 4]
    assert np.bincount(dataset.val.labels).tolist() == [1, 2]


def test_a_test_folder_is_left_alone_when_there_is_a_val_folder(tmp_path):
    for part, count in (("train", 4), ("val", 2), ("test", 9)):
        fill(tmp_path / part, {"a": count, "b": count})
    dataset = load_folder(tmp_path, 8, seed=0)
    assert (len(dataset.train), len(dataset.val)) == (8, 4)


def test_a_train_folder_alone_is_split(tmp_path):
    fill(tmp_path / "train", {"a": 10, "b": 10})
    dataset = load_folder(tmp_path, 8, seed=0)
    assert dataset.class_names == ("a", "b")
    assert (len(dataset.train), len(dataset.val)) == (16, 4)


def test_train_may_be_the_name_of_a_class(tmp_path):
    assert load_folder(fill(tmp_path, {"bus": 3, "train": 3}), 8, 0).class_names == ("bus", "train")


def test_hidden_and_foreign_files_and_folders_are_ignored(tmp_path):
    fill(tmp_path, {"a": 3, "b": 3, "__MACOSX": 3, ".cache": 3})
    draw(tmp_path / "a" / ".hidden.png")
    draw(tmp_path / "a" / "__MACOSX" / "x.png")
    for name in ("Thumbs.db", "notes.txt", ".DS_Store", "labels.csv"):
        (tmp_path / "a" / name).write_text("not a picture")
    draw(tmp_path / "loose.png")
    dataset = load_folder(tmp_path, 8, seed=0)
    assert dataset.class_names == ("a", "b")
    assert len(dataset.train) + len(dataset.val) == 6
    assert dataset.skipped == ()


def test_pictures_in_nested_folders_belong_to_the_class_above(tmp_path):
    fill(tmp_path, {"a": 2, "b": 2})
    draw(tmp_path / "a" / "more" / "and more" / "x.png")
    dataset = load_folder(tmp_path, 8, seed=0)
    assert dataset.class_names == ("a", "b")
    assert len(dataset.train) + len(dataset.val) == 5


def test_non_ascii_names_and_spaces_work(tmp_path):
    root = tmp_path / "mis imágenes 猫"
    for name in ("größe", "кот и пёс"):
        for number in range(3):
            draw(root / name / f"foto ñ {number}.jpg")
    dataset = load_folder(root, 8, seed=0)
    assert dataset.class_names == ("größe", "кот и пёс")
    assert len(dataset.train) + len(dataset.val) == 6


def test_links_are_followed_and_a_link_back_up_does_not_loop(tmp_path):
    store = fill(tmp_path / "store", {"x": 3, "y": 3})
    root = tmp_path / "root"
    root.mkdir()
    try:
        (root / "a").symlink_to(store / "x", target_is_directory=True)
        (root / "b").symlink_to(store / "y", target_is_directory=True)
        (store / "x" / "loop").symlink_to(store / "x", target_is_directory=True)
    except OSError:
        pytest.skip("this system does not allow links")
    dataset = load_folder(root, 8, seed=0)
    assert dataset.class_names == ("a", "b")
    assert len(dataset.train) + len(dataset.val) == 6


def test_files_are_not_all_open_at_once(tmp_path, monkeypatch):
    fill(tmp_path, {"a": 40, "b": 40})
    now_open, most, lock, real = 0, 0, threading.Lock(), decode

    def counted(path, size):
        nonlocal now_open, most
        with lock:
            now_open += 1
            most = max(most, now_open)
        try:
            return real(path, size)
        finally:
            with lock:
                now_open -= 1

    monkeypatch.setattr(folder_module, "decode", counted)
    load_folder(tmp_path, 8, seed=0)
    assert most <= folder_module.THREADS


# Pictures


@pytest.mark.parametrize(
    "name", ["x.jpg", "x.JPG", "x.jpeg", "x.PNG", "x.WebP", "x.bmp", "x.gif", "x.tif", "x.TIFF"]
)
def test_every_suffix_is_read_in_any_letter_case(tmp_path, name):
    fill(tmp_path, {"a": 2, "b": 2})
    draw(tmp_path / "b" / name)
    dataset = load_folder(tmp_path, 8, seed=0)
    assert len(dataset.train) + len(dataset.val) == 5
    assert_close(decode(tmp_path / "b" / name, 8), RED, tolerance=6)


def test_the_content_decides_the_format_whatever_the_suffix(tmp_path):
    Image.new("RGB", (9, 9), BLUE).save(tmp_path / "x.jpg", format="PNG")
    assert_close(decode(tmp_path / "x.jpg", 4), BLUE)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", TURNED_BACK)
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    stored, turn = quarters(), TURNED_BACK[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"x.{suffix}"
    (stored if turn is None else stored.transpose(turn)).save(path, exif=exif)
    assert_close(corners(decode(path, 32)), [RED, GREEN, BLUE, GOLD], tolerance=25)


@pytest.mark.parametrize("orientation", TURNED_BACK)
def test_a_turned_picture_equals_the_upright_one_after_the_crop(tmp_path, orientation):
    upright = np.zeros((31, 50, 3), np.uint8)
    upright[:, :, 0] = np.linspace(0, 255, 50)
    upright[:, :, 1] = np.linspace(0, 255, 31)[:, None]
    image, turn = Image.fromarray(upright), TURNED_BACK[orientation]
    image.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    (image if turn is None else image.transpose(turn)).save(tmp_path / "x.png", exif=exif)
    assert_close(decode(tmp_path / "x.png", 12), decode(tmp_path / "upright.png", 12))


def test_an_exif_turned_photo_is_cropped_around_its_upright_centre(tmp_path):
    # Upright: 40 wide, 120 high, the middle third red. Stored lying on its side (orientation 6).
    upright = Image.new("RGB", (40, 120), BLUE)
    upright.paste(RED, (0, 40, 40, 80))
    upright.paste(GREEN, (0, 40, 40, 50))  # the top edge of the crop
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    stored.save(tmp_path / "x.jpg", exif=exif, quality=95, subsampling=0)
    pixels = decode(tmp_path / "x.jpg", 20)
    assert_close(pixels[1:4], GREEN, tolerance=25)
    assert_close(pixels[7:19], RED, tolerance=25)


def test_every_turn_is_the_inverse_of_how_the_picture_was_stored():
    for orientation, turn in UPRIGHT.items():
        stored = quarters().transpose(TURNED_BACK[orientation])
        assert stored.transpose(turn).tobytes() == quarters().tobytes()


def test_damaged_exif_does_not_lose_the_picture(tmp_path):
    Image.new("RGB", (9, 9), RED).save(tmp_path / "x.jpg", exif=b"Exif\x00\x00MM\x00garbage")
    assert_close(decode(tmp_path / "x.jpg", 4), RED, tolerance=6)


def test_the_shorter_side_is_fitted_and_the_centre_kept(tmp_path):
    wide = Image.new("RGB", (90, 30), BLUE)
    wide.paste(RED, (30, 0, 60, 30))
    wide.save(tmp_path / "wide.png")
    wide.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "high.png")
    for name in ("wide.png", "high.png"):
        pixels = decode(tmp_path / name, 15)
        assert_close(pixels[2:-2, 2:-2], RED)
        assert_close(pixels, RED, tolerance=20)  # the filter sees a little past the crop


def test_shrinking_averages_fine_detail_instead_of_picking_pixels(tmp_path):
    board = (np.indices((128, 128)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "x.png")
    assert_close(decode(tmp_path / "x.png", 16), 127, tolerance=3)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_small_and_very_long_pictures_fit_any_size(tmp_path, size):
    for number, shape in enumerate([(1, 1), (3, 5), (1, 4000), (4000, 2)]):
        pixels = decode(draw(tmp_path / f"{number}.png", size=shape), size)
        assert pixels.shape == (size, size, 3)
        assert_close(pixels, RED)


def test_a_large_jpeg_decoded_small_looks_like_one_decoded_in_full(tmp_path):
    y, x = np.mgrid[:256, :256] / 256
    waves = [np.sin(60 * x * x), np.sin(60 * y * y), np.sin(50 * x * y)]
    large = Image.fromarray((127 + 120 * np.stack(waves, -1)).astype(np.uint8))
    large.save(tmp_path / "x.jpg", quality=95, subsampling=0)
    large.save(tmp_path / "x.png")
    difference = decode(tmp_path / "x.jpg", 40).astype(int) - decode(tmp_path / "x.png", 40)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize(
    ("mode", "colour", "suffix", "expected"),
    [
        ("1", 1, "png", (255, 255, 255)),
        ("L", 100, "png", (100, 100, 100)),
        ("L", 100, "jpg", (100, 100, 100)),
        ("LA", (100, 255), "png", (100, 100, 100)),
        ("LA", (0, 0), "png", (255, 255, 255)),
        ("I;16", 32896, "png", (128, 128, 128)),
        ("I;16", 65535, "png", (255, 255, 255)),
        ("I;16", 32896, "tif", (128, 128, 128)),
        ("I", 32896, "tif", (128, 128, 128)),
        ("RGBA", (*BLUE, 255), "png", BLUE),
        ("RGBA", (*BLUE, 0), "png", (255, 255, 255)),
        ("RGBA", (0, 0, 0, 51), "png", (204, 204, 204)),
        ("RGBA", (*BLUE, 0), "webp", (255, 255, 255)),
        ("CMYK", (0, 255, 255, 0), "jpg", (255, 0, 0)),
        ("CMYK", (0, 255, 255, 0), "tif", (255, 0, 0)),
        ("YCbCr", (128, 128, 128), "jpg", (128, 128, 128)),
    ],
)
def test_every_colour_mode_becomes_rgb(tmp_path, mode, colour, suffix, expected):
    pixels = decode(draw(tmp_path / f"x.{suffix}", colour, mode), 8)
    assert pixels.shape == (8, 8, 3)
    assert pixels.dtype == np.uint8
    assert_close(pixels, expected)


def test_a_16_bit_ramp_keeps_its_shades(tmp_path):
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    Image.fromarray(ramp).save(tmp_path / "x.png")
    row = decode(tmp_path / "x.png", 64)[0, :, 0]
    assert_close(row, np.linspace(0, 255, 64), tolerance=1)


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_transparent_palette_colours_become_white(tmp_path, suffix):
    image = quarters().quantize(4)
    image.save(tmp_path / f"x.{suffix}", transparency=image.getpixel((0, 0)))
    colours = corners(decode(tmp_path / f"x.{suffix}", 32))
    assert_close(colours, [(255, 255, 255), GREEN, BLUE, GOLD], tolerance=6)


def test_a_palette_with_partial_transparency_is_laid_on_white(tmp_path):
    image = quarters().quantize(4)
    image.save(tmp_path / "x.png", transparency=bytes([0, 0, 0, 0]))
    assert_close(decode(tmp_path / "x.png", 8), (255, 255, 255))


def test_only_the_first_frame_of_an_animation_counts(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert_close(decode(tmp_path / "x.gif", 8), RED, tolerance=4)


def test_a_phone_photo_with_a_second_picture_inside_is_read(tmp_path):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    frames[0].save(tmp_path / "x.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert_close(decode(tmp_path / "x.jpg", 8), RED, tolerance=6)


# Unreadable pictures


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (truncated_jpeg(), "truncated"),
        (b"<!DOCTYPE html><html>Not found</html>", "not a picture"),
        (b"", "empty file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    ],
)
def test_an_unreadable_picture_is_skipped_and_its_reason_kept(tmp_path, content, reason):
    fill(tmp_path, {"a": 10, "b": 10})
    bad = tmp_path / "a" / "005 bad.jpg"
    bad.write_bytes(content)
    dataset = load_folder(tmp_path, 8, seed=0)
    assert len(dataset.train) + len(dataset.val) == 20
    (note,) = dataset.skipped
    assert note.startswith(f"{bad}: ")
    assert reason in note
    for label in (0, 1):  # the pictures after the bad one keep their pixels and labels
        shades = [s.images[s.labels == label, 0, 0, 0] for s in (dataset.train, dataset.val)]
        assert sorted(np.concatenate(shades).tolist()) == list(range(10))


def test_unreadable_pictures_are_skipped_in_train_and_in_val(tmp_path):
    fill(tmp_path / "train", {"a": 10, "b": 10})
    fill(tmp_path / "val", {"a": 3, "b": 3})
    for part in ("train", "val"):
        (tmp_path / part / "a" / "000.png").write_bytes(b"")
    dataset = load_folder(tmp_path, 8, seed=0)
    assert [len(note.split(": ")) for note in dataset.skipped] == [2, 2]
    assert np.bincount(dataset.train.labels).tolist() == [9, 10]
    assert np.bincount(dataset.val.labels).tolist() == [2, 3]
    assert dataset.val.images[:, 0, 0, 0].tolist() == [1, 2, 0, 1, 2]


@pytest.mark.parametrize("times_over", [1.5, 3])
def test_a_decompression_bomb_is_skipped(tmp_path, monkeypatch, times_over):
    fill(tmp_path, {"a": 10, "b": 10})
    draw(tmp_path / "a" / "bomb.png", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(10_000 / times_over))
    (note,) = load_folder(tmp_path, 8, seed=0).skipped
    assert "bomb" in note.split(": ")[1]


def test_a_picture_without_read_permission_is_skipped(tmp_path, monkeypatch):
    fill(tmp_path, {"a": 10, "b": 10})
    real = Image.open

    def guarded(path, *args, **kwargs):
        if path == tmp_path / "a" / "003.png":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Image, "open", guarded)
    dataset = load_folder(tmp_path, 8, seed=0)
    assert dataset.skipped == (f"{tmp_path / 'a' / '003.png'}: Permission denied",)


def test_a_link_to_nothing_is_skipped(tmp_path):
    fill(tmp_path, {"a": 10, "b": 10})
    try:
        (tmp_path / "a" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    except OSError:
        pytest.skip("this system does not allow links")
    (note,) = load_folder(tmp_path, 8, seed=0).skipped
    assert "gone.jpg: " in note


def test_floating_point_pixels_are_skipped_because_their_range_is_unknown(tmp_path):
    fill(tmp_path, {"a": 10, "b": 10})
    draw(tmp_path / "a" / "x.tif", 0.5, "F")
    (note,) = load_folder(tmp_path, 8, seed=0).skipped
    assert "floating point" in note


def test_exactly_a_tenth_unreadable_is_accepted_and_more_is_an_error_naming_a_few(tmp_path):
    fill(tmp_path, {"a": 9, "b": 9})
    for number in range(2):
        (tmp_path / "a" / f"bad {number}.jpg").write_bytes(b"")
    assert len(load_folder(tmp_path, 8, seed=0).skipped) == 2
    for number in range(2, 8):
        (tmp_path / "a" / f"bad {number}.jpg").write_text("<html>")
    with pytest.raises(FtkitError, match="8 of 26 are not") as caught:
        load_folder(tmp_path, 8, seed=0)
    message = str(caught.value)
    assert "bad 0.jpg: empty file" in message
    assert "bad 4.jpg: not a picture" in message
    assert "bad 5.jpg" not in message


# Errors


def test_a_missing_folder_is_named_together_with_the_nearest_that_exists(tmp_path):
    fill(tmp_path / "Cats_Dogs", {"a": 2, "b": 2})
    with pytest.raises(FtkitError) as caught:
        load_folder(tmp_path / "cats_dgos", 8, seed=0)
    assert str(tmp_path / "cats_dgos") in str(caught.value)
    assert f"Did you mean {tmp_path / 'Cats_Dogs'}?" in str(caught.value)


def test_the_nearest_name_is_given_for_the_part_of_the_path_that_is_wrong(tmp_path):
    fill(tmp_path / "pictures" / "pets", {"a": 2, "b": 2})
    with pytest.raises(FtkitError, match="Did you mean .*pictures\\?"):
        load_folder(tmp_path / "pictuers" / "pets", 8, seed=0)


def test_nothing_is_suggested_when_nothing_is_near(tmp_path):
    (tmp_path / "zebra").mkdir()
    with pytest.raises(FtkitError, match="Check the path") as caught:
        load_folder(tmp_path / "quux", 8, seed=0)
    assert "Did you mean" not in str(caught.value)


def test_a_relative_path_that_is_missing_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flowers").mkdir()
    with pytest.raises(FtkitError, match="Did you mean flowers"):
        load_folder(Path("flower"), 8, seed=0)


def test_a_file_instead_of_a_folder_is_an_error(tmp_path):
    path = draw(tmp_path / "x.png")
    for wrong in (path, path / "below"):
        with pytest.raises(FtkitError, match="Expected a folder of pictures"):
            load_folder(wrong, 8, seed=0)


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(FtkitError, match="Permission denied"):
        load_folder(tmp_path, 8, seed=0)


def test_an_empty_folder_or_one_of_loose_pictures_has_no_classes(tmp_path):
    with pytest.raises(FtkitError, match="at least two sub-folders .* got none"):
        load_folder(tmp_path, 8, seed=0)
    draw(tmp_path / "x.png")
    with pytest.raises(FtkitError, match="one sub-folder per class"):
        load_folder(tmp_path, 8, seed=0)


def test_a_single_class_is_an_error(tmp_path):
    with pytest.raises(FtkitError, match="got cat"):
        load_folder(fill(tmp_path, {"cat": 5}), 8, seed=0)


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_with_fewer_than_two_pictures_is_an_error(tmp_path, count, monkeypatch):
    fill(tmp_path, {"cat": 5, "dog": count})
    monkeypatch.setattr(folder_module, "decode", None)  # it is found before any is decoded
    with pytest.raises(FtkitError, match=f"at least 2 readable .*dog; got {count}"):
        load_folder(tmp_path, 8, seed=0)


def test_an_unreadable_picture_does_not_count_towards_the_two(tmp_path):
    fill(tmp_path, {"cat": 30, "dog": 1})
    (tmp_path / "dog" / "bad.jpg").write_bytes(b"")
    with pytest.raises(FtkitError, match=r"at least 2 readable .*dog; got 1"):
        load_folder(tmp_path, 8, seed=0)


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_class_without_pictures_in_one_part_is_an_error(tmp_path, part):
    for each in ("train", "val"):
        fill(tmp_path / each, {"cat": 3, "dog": 0 if each == part else 3})
    with pytest.raises(FtkitError, match=rf"at least 1 readable .*{part}.dog; got 0"):
        load_folder(tmp_path, 8, seed=0)


def test_train_and_val_with_different_classes_is_an_error_that_lists_them(tmp_path):
    fill(tmp_path / "train", {"ant": 2, "bee": 2, "cat": 2})
    fill(tmp_path / "val", {"ant": 2, "cats": 2})
    with pytest.raises(FtkitError, match="only in the first: bee, cat; .* second: cats"):
        load_folder(tmp_path, 8, seed=0)


def test_a_val_folder_without_classes_is_an_error(tmp_path):
    fill(tmp_path / "train", {"ant": 2, "bee": 2})
    draw(tmp_path / "val" / "x.png")
    with pytest.raises(FtkitError, match="only in the first: ant, bee; .* second: none"):
        load_folder(tmp_path, 8, seed=0)


@pytest.mark.parametrize(("size", "share"), [(0, 0.2), (-3, 0.2), (8, 0.0), (8, 1.0), (8, -1)])
def test_sizes_and_shares_out_of_range_are_errors(tmp_path, size, share):
    with pytest.raises(FtkitError, match="image size of at least 1 pixel and a val share"):
        load_folder(fill(tmp_path, {"a": 2, "b": 2}), size, seed=0, val_share=share)

"""Images as they are read: arrays in .npy and .npz files, folders of PNG and JPEG files, and what is refused."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tacit.data import DataError, ImageSet, read, read_images
from tacit.data.images import holds_images, in_pixels, sized

DRAW = np.random.default_rng(0)
GREY = DRAW.integers(0, 256, (12, 8, 9), dtype=np.uint8)
COLOUR = DRAW.integers(0, 256, (5, 8, 9, 3), dtype=np.uint8)
LABELS = np.arange(12) % 3


def save(path: Path, image: np.ndarray, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(image)
    (picture if mode is None else picture.convert(mode)).save(path)


class TestArrays:
    def test_the_only_images_and_their_labels(self, tmp_path: Path) -> None:
        path = tmp_path / "some.npz"
        np.savez_compressed(path, images=GREY, labels=LABELS, weights=np.ones((12, 2)), note="hello")
        found = read_images(str(path))
        np.testing.assert_array_equal(found.images, GREY)
        assert found.images.dtype == np.uint8
        np.testing.assert_array_equal(found.labels, LABELS)
        assert found.names is None
        assert found.source == str(path)
        assert found.notes == ()
        assert (len(found), found.shape, found.pixels) == (12, (8, 9), "levels")

    def test_one_of_several_is_named_with_the_labels_that_go_with_it(self, tmp_path: Path) -> None:
        path = tmp_path / "two.npz"
        names = np.array([b"a", b"b", b"c"])[LABELS]
        np.savez(path, x_train=GREY, y_train=names, x_test=GREY[:4], y_test=LABELS[:4], Y=LABELS)
        with pytest.raises(DataError, match=r"x_train \[12, 8, 9\] and x_test \[4, 8, 9\].*two\.npz:x_train$"):
            read_images(str(path))
        assert holds_images(str(path))
        train = read_images(f"{path}:x_train")
        assert train.labels.tolist() == [["a", "b", "c"][label] for label in LABELS]
        np.testing.assert_array_equal(read_images(f"{path}:x_test").labels, LABELS[:4])
        with pytest.raises(DataError, match=r"no array 'x_tset'.*Did you mean 'x_test'"):
            read_images(f"{path}:x_tset")

    def test_labels_of_another_length_or_type_are_no_labels(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", x=GREY, y=LABELS[:5], labels=np.linspace(0, 1, 12))
        assert read_images(str(tmp_path / "a.npz")).labels is None

    def test_a_table_stays_a_table(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "both.npz", X=np.ones((12, 2)), images=GREY)
        np.savez(tmp_path / "flat.npz", rows=np.ones((12, 2)))
        np.save(tmp_path / "flat.npy", np.ones((12, 2)))
        (tmp_path / "t.csv").write_text("a\n1\n")
        for name in ("both.npz", "flat.npz", "flat.npy", "t.csv"):
            assert not holds_images(str(tmp_path / name))
        assert holds_images(f"{tmp_path / 'both.npz'}:images")
        assert not holds_images("-")
        assert read(tmp_path / "both.npz").table.num_rows == 12

    def test_floats_are_not_copied_and_gaps_stay(self, tmp_path: Path) -> None:
        shares = (GREY / 255.0).astype(np.float32)
        shares[3, 2, 2] = np.nan
        np.save(tmp_path / "shares.npy", shares)
        found = read_images(str(tmp_path / "shares.npy"))
        assert isinstance(found.images, np.memmap)
        assert found.pixels == "shares"
        np.testing.assert_array_equal(found.images, shares)
        np.save(tmp_path / "real.npy", 3.0 - GREY)
        assert read_images(str(tmp_path / "real.npy")).pixels == "numbers"

    @pytest.mark.parametrize(("kind", "kept", "pixels"), [("i8", "u1", "levels"), (">u2", "u1", "levels")])
    def test_whole_numbers_up_to_255_are_levels(self, tmp_path: Path, kind: str, kept: str, pixels: str) -> None:
        np.save(tmp_path / "a.npy", GREY.astype(kind))
        found = read_images(str(tmp_path / "a.npy"))
        assert found.images.dtype == np.dtype(kept)
        np.testing.assert_array_equal(found.images, GREY)
        assert found.pixels == pixels
        assert "8-bit grey levels" in found.notes[0]

    def test_deeper_whole_numbers_are_real_and_truth_values_are_0_and_1(self, tmp_path: Path) -> None:
        np.save(tmp_path / "deep.npy", GREY.astype(np.uint16) * 200)
        deep = read_images(str(tmp_path / "deep.npy"))
        assert (deep.images.dtype, deep.pixels) == (np.float32, "numbers")
        np.testing.assert_array_equal(deep.images, GREY.astype(float) * 200)
        np.save(tmp_path / "mask.npy", GREY > 99)
        mask = read_images(str(tmp_path / "mask.npy"))
        assert (mask.images.dtype, mask.pixels) == (np.uint8, "shares")
        np.testing.assert_array_equal(mask.images, GREY > 99)

    def test_channels_that_come_first_are_moved(self, tmp_path: Path) -> None:
        np.save(tmp_path / "first.npy", np.moveaxis(COLOUR, 3, 1))
        found = read_images(str(tmp_path / "first.npy"))
        np.testing.assert_array_equal(found.images, COLOUR)
        assert "channels came first" in found.notes[0]
        assert sized(found.shape) == "8 × 9 pixels in 3 channels"


class TestFolders:
    def test_names_are_in_the_order_of_their_numbers_and_folders_are_labels(self, tmp_path: Path) -> None:
        for place in range(12):
            save(tmp_path / "set" / f"kind{place % 2}" / f"{place}.png", GREY[place])
        (tmp_path / "set" / ".hidden.png").write_text("no image")
        (tmp_path / "set" / "notes.txt").write_text("no image")
        found = read_images(str(tmp_path / "set"))
        order = [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]
        np.testing.assert_array_equal(found.images, GREY[order])
        assert found.names.tolist() == [f"kind{place % 2}/{place}.png" for place in order]
        assert found.labels.tolist() == ["kind0"] * 6 + ["kind1"] * 6
        assert found.notes == ()

    def test_colour_transparency_and_depth(self, tmp_path: Path) -> None:
        save(tmp_path / "a.png", COLOUR[0])
        save(tmp_path / "b.png", np.dstack([COLOUR[1], GREY[0]]))
        save(tmp_path / "c.png", GREY[1])
        save(tmp_path / "d.png", GREY[2].astype(np.uint16) * 257)
        found = read_images(str(tmp_path))
        assert found.labels is None
        np.testing.assert_array_equal(found.images[0], COLOUR[0])
        np.testing.assert_array_equal(found.images[1], COLOUR[1])
        np.testing.assert_array_equal(found.images[2], np.dstack([GREY[1]] * 3))
        np.testing.assert_array_equal(found.images[3], np.dstack([GREY[2]] * 3))
        assert [note.split()[0] for note in found.notes] == ["the", "2", "the"]

    def test_jpeg_and_one_file_alone(self, tmp_path: Path) -> None:
        save(tmp_path / "one.JPG", np.full((8, 9), 77, np.uint8))
        found = read_images(str(tmp_path / "one.JPG"))
        assert found.images.shape == (1, 8, 9)
        assert np.abs(found.images.astype(int) - 77).max() <= 1
        assert found.names.tolist() == ["one.JPG"]
        assert holds_images(str(tmp_path))

    def test_two_sizes_are_refused_by_name(self, tmp_path: Path) -> None:
        save(tmp_path / "a.png", GREY[0])
        save(tmp_path / "b.png", GREY[0].T)
        with pytest.raises(DataError, match=r"one size: a\.png is 8 × 9, and b\.png is 9 × 8"):
            read_images(str(tmp_path))


class TestHostile:
    @pytest.mark.parametrize("damage", ["cut", "text", "empty", "header"])
    def test_a_damaged_file_is_named(self, tmp_path: Path, damage: str) -> None:
        save(tmp_path / "a.png", GREY[0])
        whole = (tmp_path / "a.png").read_bytes()
        text = {"cut": whole[: len(whole) // 2], "text": b"hello", "empty": b"", "header": whole[:8] + b"\xff" * 50}
        (tmp_path / "b.png").write_bytes(text[damage])
        with pytest.raises(
            DataError, match=r"b\.png cannot be read as an image.*Replace it, or leave it out"
        ) as caught:
            read_images(str(tmp_path))
        assert "\n" not in str(caught.value)

    def test_an_image_of_billions_of_pixels_is_not_unpacked(self, tmp_path: Path) -> None:
        save(tmp_path / "a.png", GREY[0])
        bomb = bytearray((tmp_path / "a.png").read_bytes())
        bomb[16:24] = (100_000).to_bytes(4, "big") * 2
        (tmp_path / "a.png").write_bytes(bomb)
        with pytest.raises(DataError, match=r"a\.png (is too large|cannot be read)"):
            read_images(str(tmp_path))

    def test_an_empty_folder_and_nothing_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"without PNG or JPEG files \(empty\)"):
            read_images(str(tmp_path))
        (tmp_path / "a.csv").write_text("a\n1\n")
        with pytest.raises(DataError, match=r"without PNG or JPEG files \('a\.csv'\).*one file"):
            read_images(str(tmp_path))
        with pytest.raises(DataError, match="no such file"):
            holds_images(str(tmp_path / "nothing.npz"))
        with pytest.raises(DataError, match="not from standard input"):
            read_images("-")

    @pytest.mark.parametrize(
        ("array", "words"),
        [
            (np.full((2, 8, 8), None), "never unpickled"),
            (np.full((2, 8, 8), "a"), "<U1 values; images are numbers"),
            (np.zeros((2, 8, 8), complex), "complex128 values"),
            (np.zeros((0, 8, 8)), "the shape 0×8×8"),
            (np.zeros((2, 8, 8, 3, 1)), "no images"),
            (np.full((2, 8, 8), np.inf), "image 1 holds infinite"),
            (np.full((2, 8, 8), np.nan), "image 1 holds infinite values or none"),
        ],
    )
    def test_what_is_no_stack_of_images_is_refused(self, tmp_path: Path, array: np.ndarray, words: str) -> None:
        np.savez(tmp_path / "a.npz", x=array)
        with pytest.raises(DataError, match=words):
            read_images(str(tmp_path / "a.npz"))

    def test_object_arrays_of_npy_are_never_unpickled(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.full((2, 8, 8), None), allow_pickle=True)
        assert not holds_images(str(tmp_path / "a.npy"))
        with pytest.raises(DataError, match="never unpickled"):
            read_images(str(tmp_path / "a.npy"))
        with pytest.raises(DataError, match="never unpickled"):
            read(tmp_path / "a.npy")

    def test_labels_that_would_be_unpickled_are_left(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", x=GREY, y=np.array([None] * 12), allow_pickle=True)
        assert read_images(str(tmp_path / "a.npz")).labels is None

    @pytest.mark.parametrize("damage", ["cut", "body", "pickle", "shape"])
    def test_damaged_archives_are_refused_in_one_sentence(self, tmp_path: Path, damage: str) -> None:
        path = tmp_path / "a.npz"
        np.savez_compressed(path, x=GREY)
        whole = path.read_bytes()
        if damage == "shape":
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 8, 9)}
            )
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("x.npy", header.getvalue() + GREY.tobytes())
        else:
            broken = {
                "cut": whole[: len(whole) // 2],
                "body": whole[:200] + bytes(100) + whole[300:],
                "pickle": pickle.dumps(GREY),
            }
            path.write_bytes(broken[damage])
        with pytest.raises(DataError, match="not a readable NumPy file") as caught:
            read_images(str(path))
        assert "\n" not in str(caught.value)


class TestPixels:
    def test_shares_and_levels_become_what_the_model_knows(self) -> None:
        shares, levels = ImageSet((GREY / 255.0).astype(np.float32)), ImageSet(GREY)
        np.testing.assert_allclose(in_pixels(shares, "levels").images, GREY, atol=1e-4)
        np.testing.assert_allclose(in_pixels(levels, "shares").images, GREY / 255.0, atol=1e-7)
        for found, pixels in ((shares, "shares"), (levels, "levels"), (levels, "numbers"), (shares, "numbers")):
            assert in_pixels(found, pixels) is found

    def test_black_images_stay_what_they_are(self) -> None:
        black = ImageSet(np.zeros((2, 8, 8), np.uint8))
        assert in_pixels(black, "levels") is black

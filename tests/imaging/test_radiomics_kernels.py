"""What the engine counts by itself against pyradiomics' own C code: regions of all densities, flat ones, gaps, slices, distances."""

import numpy as np
import pytest
from numpy.typing import NDArray
from radiomics import cMatrices, cShape

from imaging.radiomics_mesh import surface
from imaging.radiomics_neighbours import Places, Walk


def region(seed: int) -> NDArray[np.int_]:
    """Levels of a random region that fills its box: 1 to 6 levels, 2 to 100 % of the voxels, boxes down to one voxel thick."""
    rng = np.random.default_rng(seed)
    marked = np.zeros((1, 1, 1), dtype=bool)
    while marked.sum() < 2:
        marked = rng.random(rng.integers(1, 9, 3)) < rng.uniform(0.02, 1)
    marked = marked[tuple(slice(axis.min(), axis.max() + 1) for axis in np.nonzero(marked))]
    return np.where(marked, rng.integers(1, rng.integers(2, 8), marked.shape), 0)


@pytest.mark.parametrize("in_slices", [False, True])
@pytest.mark.parametrize("distances", [(1,), (1, 2)])
@pytest.mark.parametrize("alpha", [0, 1])
def test_matrices_equal_those_of_pyradiomics(in_slices: bool, distances: tuple[int, ...], alpha: int) -> None:
    """GLRLM and GLDM exactly; NGTDM, whose terms are added in another order, to 1e-13."""
    for seed in range(60):
        levels = region(seed)
        marked, highest = levels > 0, int(levels.max())
        flat = in_slices, seed % 3
        if in_slices and sorted(np.delete(levels.shape, seed % 3))[1] == 1:
            continue  # slices of one voxel have no direction
        places = Places(marked, {"distances": distances, "force2D": in_slices, "force2Ddimension": seed % 3})
        walk = Walk(places, levels, highest, alpha)
        runs, angles = cMatrices.calculate_glrlm(levels, marked, highest, max(levels.shape), *flat)
        assert np.array_equal(walk.runs(), runs)
        assert np.array_equal(places.run_angles, angles)
        dependence = cMatrices.calculate_gldm(levels, marked, np.array(distances), highest, alpha, *flat)
        wide = walk.dependence().shape[2]
        assert np.array_equal(walk.dependence(), dependence[..., :wide])
        assert not dependence[..., wide:].any()
        difference = cMatrices.calculate_ngtdm(levels, marked, np.array(distances), highest, *flat)
        np.testing.assert_allclose(walk.difference(), difference, rtol=1e-13)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.8)])
def test_surface_equals_that_of_pyradiomics(spacing: tuple[float, float, float]) -> None:
    """Area, volume and the four largest distances: all 256 kinds of cubes occur in noise, hulls in large regions."""
    for seed in range(40):
        marked = np.pad(region(seed) > 0, 1)
        mesh = surface(marked, np.array(spacing))
        area, volume, diameters = cShape.calculate_coefficients(marked, np.array(spacing))
        assert (mesh.area, mesh.volume, *mesh.diameters) == pytest.approx((area, volume, *diameters), rel=1e-12, abs=1e-12)


def test_surface_of_one_voxel_is_that_of_an_octahedron() -> None:
    """Six vertices at half a voxel: area 8 · √3/8, volume 1/6, and every two opposite ones are one voxel apart."""
    marked = np.zeros((3, 3, 3), dtype=bool)
    marked[1, 1, 1] = True
    mesh = surface(marked, np.ones(3))
    assert (mesh.area, mesh.volume) == (pytest.approx(3**0.5), pytest.approx(1 / 6))
    assert mesh.diameters == (1, 1, 1, 1)

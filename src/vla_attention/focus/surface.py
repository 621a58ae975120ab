"""The part of a depth image that is the thing itself: not the table, its neighbours or what hides it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from vla_attention.focus import depth as depths
from vla_attention.focus.figure import alike, colours, foreign
from vla_attention.focus.intrinsics import Intrinsics
from vla_attention.focus.plane import Plane, cross, fit_plane

Window = tuple[int, int, int, int]      # x0, y0, x1, y1 in pixels of the image

SURROUNDINGS = 0.7      # how far around its box a thing's surroundings reach, in sides of the box
SLACK = 10              # pixels of a 640-pixel-wide image by which the outline from the map may be off
GROWTH = (3, 8)         # least and most slacks by which a surface may go on beyond the outline from the map
SAID_TOLERANCE = 0.6    # of the tolerance: how high above the plane counts as above where the outline is
FLAT_SHARE = 0.3        # less than this share of it above the table: the thing is flat (a sheet, a mark)
RIM = 3.0               # tolerances above the plane from which the edge of something may be a rim
SECTORS, CLOSED = 16, 0.8       # directions in which a rim is looked for, and in what share of them it is
REGROWN = 2         # pixels at a jump that may be the thing's own edge
SMALLEST = 4        # pixels of a part that is cut off: the handle of a mug that is seen over its rim
SPARSE = 0.4        # share of the outline without a reading from which single pixels have none all over
AROUND = 800            # points around the thing that the plane is fitted to, at most


@dataclass(frozen=True)
class Surface:
    """What is seen of a thing, in a window of the image.

    ``cloud`` (h, w, 3) float32 metres over the window; ``mask`` (h, w) bool, the thing's outline;
    ``solid`` (h, w) bool, the pixels of it whose depth can be trusted; ``plane`` what it stands on;
    ``picture`` (h, w, 3) uint8 RGB, None without an image.
    """

    window: Window
    cloud: np.ndarray
    mask: np.ndarray
    solid: np.ndarray
    plane: Plane | None
    picture: np.ndarray | None

    @cached_property
    def points(self) -> np.ndarray:
        """The points (N, 3) of ``solid``, row by row."""
        return _taken(self.cloud, self.solid)

    @property
    def colors(self) -> np.ndarray | None:
        """The colours (N, 3) of :attr:`points`."""
        return None if self.picture is None else _taken(self.picture, self.solid)


def separate(mask: np.ndarray, box: tuple[float, float, float, float], depth: np.ndarray,
             intrinsics: Intrinsics, step: int = 1, image: np.ndarray | None = None) -> Surface:
    """Separate a thing from what is around it.

    The plane under it is taken away, the rest is cut where depth jumps, and the parts that the outline from
    the map lies on are kept. The outline may be off by a patch, or hold a part of the thing alone; the depth
    corrects it.

    :param mask: (H, W) uint8, where the map says that the thing is.
    :param box: (x0, y0, x1, y1) around it, in pixels.
    :param depth: (H, W) float32 metres, NaN (or 0) where there is no reading.
    :param step: take every ``step``-th pixel of every ``step``-th row; the surface is that of the thinned
        image, and so is its window. Jumps in depth are looked for in all pixels.
    :param image: (H, W, 3) uint8 RGB; without it a surface does not go on beyond what the outline may be
        off by, for then nothing tells a neighbour that touches.
    """
    height, width = depth.shape
    x0, y0, x1, y1 = _around(box, width, height)
    x0, y0 = x0 - x0 % step, y0 - y0 % step
    whole = depths.readings(np.ascontiguousarray(depth[y0:y1, x0:x1]))
    z = np.ascontiguousarray(whole[::step, ::step])
    rows, columns = z.shape
    window = (x0 // step, y0 // step, x0 // step + columns, y0 // step + rows)
    said = mask[y0:y1:step, x0:x1:step] > 0
    cloud = intrinsics.deproject(z, x0, y0, step)
    picture = None if image is None else np.ascontiguousarray(image[y0:y1:step, x0:x1:step])
    valid = np.isfinite(z)
    parting, rim, clear = _thinned_edges(whole, 1 / intrinsics.fx, step)
    surfaces = valid & ~parting
    jumps = (parting | rim) & valid
    smooth = surfaces & ~rim
    slack = max(2, round(SLACK * width / 640 / step))
    inside = _deep(said)
    gap = cv2.distanceTransform((~said).astype(np.uint8), cv2.DIST_L2, 3)
    core = _taken(cloud, smooth & (inside > 0.4 * inside.max()))
    # a plane that leans from the table to a neighbour at least cuts it away; colours do so better
    careful = picture is not None
    plane = _plane_under(cloud, smooth, gap, slack, core, careful)
    if plane is None:       # crowded: look for the table in the whole image
        plane = _plane_in(depth, intrinsics, core, careful)
    above = surfaces
    tolerance = 0.0
    if plane is not None:
        heights = plane.height(cloud)
        known = z[valid & said]
        near = depths.middle(known) if len(known) else 1.0
        tolerance = max(0.003, 2.5 * max(plane.spread, 0.5 * depths.noise_at(near)))
        above = surfaces & ((heights > tolerance) | (said & (heights > SAID_TOLERANCE * tolerance)))
        sure = smooth & said
        # the rim of something hollow, seen from above, is torn to pieces and hangs together with nothing
        rim = rim & (gap <= slack) & (heights > RIM * tolerance)
        if (np.count_nonzero(above & sure) < FLAT_SHARE * max(1, np.count_nonzero(sure))
                and not _goes_around(rim, said)):
            return Surface(window, cloud, said, sure & (np.abs(heights) < 4 * tolerance), plane, picture)
    reached = gap <= slack
    if picture is not None:
        # the outline may hold a part alone: the surface goes on in its colours, and ends where those of a
        # neighbour begin
        side = max(box[2] - box[0], box[3] - box[1]) / step
        seen = colours(picture)
        further = gap <= min(max(side, GROWTH[0] * slack), GROWTH[1] * slack)
        further &= (above | jumps) & ~reached
        deep = inside > min(slack / 2, 0.4 * inside.max())
        foreigners = foreign(seen, deep, above & ~reached, above & reached & ~said)
        reached |= alike(seen, said, further)
        reached &= ~foreigners
    solid = _parts_said(above & reached, inside, said, cloud, ~valid)
    if plane is not None:
        left_over = rim & reached & ~solid
        count = np.count_nonzero(left_over)
        if count >= SMALLEST and _goes_around(rim, said):
            top = 0.8 * depths.ends(heights[solid])[1] if solid.any() else 0.0
            if np.count_nonzero(heights[left_over] > top) > count / 2:
                solid |= left_over
    standing = jumps & reached
    if plane is not None:
        standing &= heights > tolerance
    outline = _grown(solid, standing, z)
    solid |= outline & clear        # what only thinning had cut off
    if picture is not None:     # a rim, a black spot: where depth tells nothing, colours told
        outline |= said & (standing | ~valid) & _hull(outline)
    known = valid & ~jumps
    if plane is not None:       # the bottom of a pan is as low as the table: there the map tells
        low = said & ~above & (np.abs(heights) < 4 * tolerance)
        if low.any():
            outline |= low & _hull(outline)
        known &= ~(said & (heights < 2 * tolerance))
    outline = _fill(outline, known)
    return Surface(window, cloud, outline, solid, plane, picture)


def _around(box: tuple[float, float, float, float], width: int, height: int) -> Window:
    margin = SURROUNDINGS * max(box[2] - box[0], box[3] - box[1], 0.06 * width)
    return (max(0, int(box[0] - margin)), max(0, int(box[1] - margin)),
            min(width, int(np.ceil(box[2] + margin))), min(height, int(np.ceil(box[3] + margin))))


def _taken(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return ``values[where]`` (N, 3) of values (h, w, 3) and a mask (h, w), in a fifth of the time."""
    return values.reshape(-1, 3).compress(where.ravel(), axis=0)


def _thinned_edges(depth: np.ndarray, pixel: float, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find what parts the surfaces of a depth image, thinned so that no line of it gets a gap.

    :return: (h, w) bool each: what parts surfaces, which are jumps, but for the last pixels of the nearer
        surface, and pixels next to them; those last pixels; and the pixels that are at no jump themselves.
    """
    jumps, rim = depths.edges(depth, pixel)
    parting = jumps & ~rim
    if step == 1:
        return parting, rim, ~jumps
    parting = cv2.dilate(parting.view(np.uint8), np.ones((2 * step - 1, 2 * step - 1), np.uint8))
    rim = np.ascontiguousarray(rim[::step, ::step])
    return (parting[::step, ::step] > 0) & ~rim, rim, ~jumps[::step, ::step]


def _goes_around(rim: np.ndarray, said: np.ndarray) -> bool:
    """Tell whether a rim (h, w) goes all around the middle of an outline (h, w)."""
    if np.count_nonzero(rim) < 2 * CLOSED * SECTORS:
        return False
    rows, columns = np.nonzero(rim)
    x, y, width, height = cv2.boundingRect(said.view(np.uint8))
    turns = np.arctan2((rows - y - height / 2) / height, (columns - x - width / 2) / width)
    sectors = (turns * (SECTORS / (2 * np.pi))).astype(np.intp) % SECTORS
    return np.count_nonzero(np.bincount(sectors, minlength=SECTORS) > 1) >= CLOSED * SECTORS


def _plane_under(cloud: np.ndarray, smooth: np.ndarray, gap: np.ndarray, slack: int,
                 thing: np.ndarray, careful: bool) -> Plane | None:
    """Find the plane that the thing stands on around it; what is nearer in the image counts more.

    :param careful: take no plane that cuts through the surface at its points.
    """
    around = np.flatnonzero(smooth & (gap > slack / 2))
    around = around[::max(1, len(around) // AROUND)]
    weights = 1 / (1 + gap.ravel()[around] / (4 * slack))
    return _fit(cloud, around, weights, thing, max(2, slack // 2) if careful else 0)


def _plane_in(depth: np.ndarray, intrinsics: Intrinsics, thing: np.ndarray, careful: bool) -> Plane | None:
    step = max(1, round(np.sqrt(depth.size / (4 * AROUND))))
    cloud = intrinsics.deproject(depths.readings(depth[::step, ::step]), step=step)
    at = np.flatnonzero(np.isfinite(cloud[..., 2]))
    return _fit(cloud, at, np.ones(len(at)), thing, int(careful))


def _fit(cloud: np.ndarray, at: np.ndarray, weights: np.ndarray, thing: np.ndarray,
         reach: int) -> Plane | None:
    if len(at) == 0:
        return None
    points = cloud.reshape(-1, 3)[at]
    tolerance = 0.003 + 2.5 * depths.noise_at(depths.middle(points[:, 2]))
    return fit_plane(points, weights, thing[::max(1, len(thing) // 200)], tolerance,
                     _facing(cloud, at, reach) if reach else None)


def _facing(cloud: np.ndarray, at: np.ndarray, reach: int) -> np.ndarray:
    """Return the unit normals (N, 3), towards the camera, of a cloud (h, w, 3) at flat indices (N,).

    They are those of the cross of pixels ``reach`` to each side; zeros where one of these has no reading.
    """
    height, width = cloud.shape[:2]
    rows, columns = np.divmod(at, width)
    flat = cloud.reshape(-1, 3)
    left, right = at - np.minimum(columns, reach), at + np.minimum(width - 1 - columns, reach)
    over, below = at - width * np.minimum(rows, reach), at + width * np.minimum(height - 1 - rows, reach)
    left, right, over, below = (flat.take(each, axis=0) for each in (left, right, over, below))
    normals = cross(below - over, right - left)
    lengths = np.sqrt(np.einsum('ij,ij->i', normals, normals))
    return np.divide(normals, lengths[:, None], out=np.zeros_like(normals), where=lengths[:, None] > 0)


def _parts_said(candidates: np.ndarray, inside: np.ndarray, said: np.ndarray, cloud: np.ndarray,
                blind: np.ndarray) -> np.ndarray:
    """Keep the connected parts that the outline from the map means.

    The part that lies deepest under the outline is the thing. Others belong to it (an arm before it cuts it
    in two) when most of their pixels are under the outline and they are as far away as it is, or farther by
    its breadth and opposite to it (the far wall of a bowl, over the rim of the near one).

    :param blind: (h, w) bool, no reading. Where there are many, as in depth that was brought to a finer
        image, single ones cut nothing.
    """
    left, top, width, height = cv2.boundingRect(candidates.view(np.uint8))
    part = np.s_[top:top + height, left:left + width]
    found = np.zeros_like(candidates)
    if width == 0:
        return found
    joined = np.ascontiguousarray(candidates[part])
    if np.count_nonzero(said & blind) > SPARSE * np.count_nonzero(said):
        joined |= blind[part] & (cv2.morphologyEx(joined.view(np.uint8), cv2.MORPH_CLOSE,
                                                  np.ones((3, 3), np.uint8)) > 0)
    _, labels = cv2.connectedComponents(joined.view(np.uint8), connectivity=4)
    found[part] = _parts_within(np.where(candidates[part], labels, 0), inside[part], said[part], cloud[part])
    return found


def _parts_within(labels: np.ndarray, inside: np.ndarray, said: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    size = np.bincount(labels.ravel())
    count = len(size)
    labels_under = labels[said]
    under = np.bincount(labels_under, minlength=count)
    deep = np.bincount(labels_under, weights=inside[said], minlength=count)
    deep[0] = 0.0       # label 0 is all that is no candidate
    best = int(np.argmax(deep))
    if deep.max() == 0:
        return np.zeros(labels.shape, bool)
    others = (under > 0.6 * size) & (size >= SMALLEST) & (deep > 0.002 * deep[best])
    others[best] = False
    thing = labels == best
    if not others.any():
        return thing
    (left, right), (top, bottom), (near, far) = (depths.ends(each) for each in cloud[thing].T)
    reach = 0.02 + (far - near)
    breadth = max(reach, right - left, bottom - top)
    keep = np.zeros(count, bool)
    keep[best] = True
    for part in np.flatnonzero(others):
        farthest = far + (breadth if _opposite(labels == part, thing) else reach)
        keep[part] = near - reach < depths.middle(cloud[..., 2][labels == part]) < farthest
    return keep[labels]


def _opposite(part: np.ndarray, wall: np.ndarray) -> bool:
    """Tell whether a part (h, w) ends between the ends of a wall, in rows or in columns, and is as long.

    As long is more than half as long: the far wall of a bowl is hidden at its ends.
    """
    one, other = (cv2.boundingRect(each.view(np.uint8)) for each in (part, wall))
    return any(other[axis] - REGROWN <= one[axis] and one[axis + 2] > other[axis + 2] / 2
               and one[axis] + one[axis + 2] <= other[axis] + other[axis + 2] + REGROWN for axis in (0, 1))


def _grown(solid: np.ndarray, jumps: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Give back to the outline the pixels at a jump that lie on the near side, on the thing."""
    outline = solid.copy()
    left, top, width, height = cv2.boundingRect(solid.view(np.uint8))
    part = np.s_[max(0, top - REGROWN):top + height + REGROWN, max(0, left - REGROWN):left + width + REGROWN]
    solid, jumps, z = solid[part], jumps[part], z[part]
    reach = np.ones((2 * REGROWN + 1, 2 * REGROWN + 1), np.uint8)
    nearest = cv2.erode(np.where(solid, z, np.float32(np.inf)), reach)
    farthest = cv2.dilate(np.where(solid, z, np.float32(0)), reach)
    room = 0.006 + 2 * depths.NOISE * z * z
    outline[part] |= jumps & (farthest > 0) & (z < farthest + room) & (z > nearest - room)
    return outline


def _hull(outline: np.ndarray) -> np.ndarray:
    filled = np.zeros(outline.shape, np.uint8)
    contours, _ = cv2.findContours(outline.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if contours:
        cv2.fillConvexPoly(filled, cv2.convexHull(np.concatenate(contours)), 1)
    return filled > 0


def _fill(outline: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill the holes of an outline where the depth says nothing else: shine, dark spots, a low bottom."""
    closed = cv2.morphologyEx(outline.view(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(outline.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return outline | ((filled > 0) & ~known)


def _deep(mask: np.ndarray) -> np.ndarray:
    """Return how many pixels each of a mask (h, w) is from where the mask or the window ends; 0 outside."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    framed = cv2.copyMakeBorder(mask[top:top + height, left:left + width].view(np.uint8), 1, 1, 1, 1,
                                cv2.BORDER_CONSTANT, value=0)
    depth = np.zeros(mask.shape, np.float32)
    depth[top:top + height, left:left + width] = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
    return depth

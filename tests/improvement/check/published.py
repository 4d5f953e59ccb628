"""Data of published examples, small enough to stand here. Times with the number of events and of censored ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

#: Hospital admissions for acute coronary events in Sicily by month, 2002-01 to 2006-11, ages 0–69 (Lopez Bernal,
#: Cummins & Gasparrini 2017, *International Journal of Epidemiology* 46:348); the ban came in 2005-01.
SICILY_CASES = [
    728, 659, 791, 734, 757, 726, 760, 740, 720, 814, 795, 858, 887, 766, 851, 769, 781, 756, 766, 752,
    765, 831, 879, 928, 914, 808, 937, 840, 916, 828, 845, 818, 860, 839, 887, 886, 831, 796, 833, 820,
    877, 758, 767, 738, 781, 843, 850, 908, 1021, 859, 976, 888, 962, 838, 810, 876, 843, 936, 912,
]  # fmt: skip
#: The age-standardised population of the same months.
SICILY_POPULATION = [
    379875.3, 376495.5, 377040.8, 377116.4, 377383.4, 374113.1, 379513.3, 376295.5, 374653.2, 378485.6,
    375955.5, 378349.7, 376762.4, 379032.3, 379360.4, 376162.0, 377972.4, 381830.7, 379888.6, 380872.2,
    380966.9, 381240.4, 382104.9, 381802.7, 381656.3, 383680.0, 383504.2, 386462.9, 383783.1, 380836.8,
    383483.0, 380906.2, 382926.8, 384052.4, 384449.6, 383428.4, 388153.2, 388373.2, 386470.1, 386033.2,
    383686.4, 385509.3, 385901.9, 386516.6, 388436.5, 383255.2, 390148.7, 385874.9, 391613.6, 391750.4,
    394005.6, 391364.9, 391664.6, 389022.3, 391878.5, 388575.3, 392989.0, 390018.8, 390712.3,
]  # fmt: skip

#: Nonconforming cans in 30 samples of 50 (Montgomery, *Introduction to Statistical Quality Control*).
ORANGE_JUICE = [
    12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6,
]  # fmt: skip

#: Thirteen trials of the BCG vaccine against tuberculosis (Colditz et al. 1994, *JAMA* 271:698; ``dat.bcg`` of
#: metadat): ill and not ill among the vaccinated, ill and not ill among the others.
BCG_TRIALS = [
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232),
    (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
]  # fmt: skip

#: Walton's flies (Davidson-Pilon, lifelines): days lived, deaths, censored.
_WALTONS_MIR137 = [
    (6, 1, 0), (9, 3, 0), (13, 3, 0), (15, 2, 0), (19, 3, 0), (22, 4, 0), (26, 5, 0), (29, 5, 0), (33, 2, 0),
    (36, 2, 0), (43, 1, 0), (47, 1, 0), (62, 2, 0),
]  # fmt: skip
_WALTONS_CONTROL = [
    (7, 1, 1), (17, 1, 0), (32, 1, 0), (33, 1, 0), (38, 2, 0), (41, 7, 0), (45, 9, 1), (48, 8, 0), (51, 3, 0),
    (53, 7, 0), (54, 2, 0), (56, 18, 0), (58, 4, 0), (60, 15, 1), (61, 9, 2), (63, 9, 0), (66, 3, 0),
    (68, 9, 1), (69, 12, 1), (75, 1, 0),
]  # fmt: skip

#: Freireich et al. (1963), weeks in remission: 6-MP and placebo.
_LEUKEMIA_6MP = [
    (6, 3, 1), (7, 1, 0), (9, 0, 1), (10, 1, 1), (11, 0, 1), (13, 1, 0), (16, 1, 0), (17, 0, 1), (19, 0, 1),
    (20, 0, 1), (22, 1, 0), (23, 1, 0), (25, 0, 1), (32, 0, 2), (34, 0, 1), (35, 0, 1),
]  # fmt: skip
_LEUKEMIA_PLACEBO = [
    (1, 2, 0), (2, 2, 0), (3, 1, 0), (4, 2, 0), (5, 2, 0), (8, 4, 0), (11, 2, 0), (12, 2, 0), (15, 1, 0),
    (17, 1, 0), (22, 1, 0), (23, 1, 0),
]  # fmt: skip

#: North Central Cancer Treatment Group (Loprinzi et al. 1994): days lived with advanced lung cancer.
_LUNG_DIED = [
    306, 455, 210, 883, 310, 361, 218, 166, 170, 654, 728, 71, 567, 144, 613, 707, 61, 88, 301, 81, 624, 371,
    394, 520, 574, 118, 390, 12, 473, 26, 533, 107, 53, 122, 814, 93, 731, 460, 153, 433, 145, 583, 95, 303,
    519, 643, 765, 735, 189, 53, 246, 689, 65, 5, 132, 687, 345, 444, 223, 175, 60, 163, 65, 208, 428, 230,
    305, 11, 132, 226, 426, 705, 363, 11, 176, 791, 95, 167, 284, 641, 147, 163, 655, 239, 88, 245, 30, 179,
    310, 477, 166, 450, 364, 107, 177, 156, 11, 429, 351, 15, 181, 283, 201, 524, 13, 212, 524, 288, 363,
    442, 199, 550, 54, 558, 207, 92, 60, 293, 202, 353, 267, 371, 387, 457, 337, 201, 222, 62, 353, 163, 31,
    340, 229, 182, 156, 329, 291, 179, 268, 142, 194, 320, 181, 285, 348, 197, 180, 186, 145, 350, 285, 110,
    286, 270, 81, 131, 269, 135, 79, 59, 105, 239, 13, 183, 116,
]  # fmt: skip
_LUNG_LIVED = [
    1010, 1022, 965, 821, 840, 196, 806, 740, 588, 559, 529, 551, 543, 511, 511, 404, 458, 356, 444, 315, 364,
    376, 384, 292, 413, 266, 301, 382, 303, 296, 269, 300, 284, 272, 292, 332, 259, 225, 225, 243, 279, 276,
    240, 202, 235, 224, 237, 173, 252, 221, 185, 92, 222, 192, 211, 175, 197, 203, 188, 191, 105, 174, 177,
]  # fmt: skip


def waltons() -> tuple[Ints, Ints, Ints]:
    """Times, whether each died, and the group (1: miR-137)."""
    return _groups(_WALTONS_CONTROL, _WALTONS_MIR137)


def leukemia() -> tuple[Ints, Ints, Ints]:
    """Times, whether each relapsed, and the group (1: 6-MP)."""
    return _groups(_LEUKEMIA_PLACEBO, _LEUKEMIA_6MP)


def lung() -> tuple[Ints, Ints]:
    """Times and whether each died."""
    died = np.repeat([1, 0], [len(_LUNG_DIED), len(_LUNG_LIVED)])
    return np.array([*_LUNG_DIED, *_LUNG_LIVED]), died


def _groups(zero: list[tuple[int, int, int]], one: list[tuple[int, int, int]]) -> tuple[Ints, Ints, Ints]:
    rows = [
        (time, is_event, group)
        for group, table in enumerate((zero, one))
        for time, events, censored in table
        for is_event, number in ((1, events), (0, censored))
        for _ in range(number)
    ]
    time, event, group = np.array(rows).T
    return time, event, group

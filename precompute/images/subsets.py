"""CIFAR-100's super-classes, and which K labels a smaller data set takes."""

import numpy as np

# A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009
CIFAR100_SUPERCLASSES = {
    "aquatic_mammals": ("beaver", "dolphin", "otter", "seal", "whale"),
    "fish": ("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
    "food_containers": ("bottle", "bowl", "can", "cup", "plate"),
    "fruit_and_vegetables": ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    "household_electrical_devices": ("clock", "keyboard", "lamp", "telephone", "television"),
    "household_furniture": ("bed", "chair", "couch", "table", "wardrobe"),
    "insects": ("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    "large_carnivores": ("bear", "leopard", "lion", "tiger", "wolf"),
    "large_man-made_outdoor_things": ("bridge", "castle", "house", "road", "skyscraper"),
    "large_natural_outdoor_scenes": ("cloud", "forest", "mountain", "plain", "sea"),
    "large_omnivores_and_herbivores": ("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    "medium_mammals": ("fox", "porcupine", "possum", "raccoon", "skunk"),
    "non-insect_invertebrates": ("crab", "lobster", "snail", "spider", "worm"),
    "people": ("baby", "boy", "girl", "man", "woman"),
    "reptiles": ("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    "small_mammals": ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
    "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    "vehicles_1": ("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    "vehicles_2": ("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
}
_SUPERCLASS_OF = {label: name for name, labels in CIFAR100_SUPERCLASSES.items() for label in labels}

CIFAR100_LABELS = sorted(_SUPERCLASS_OF)  # the data set's own order is alphabetical
CIFAR10_LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def superclasses(label_names: list[str]) -> list[str]:
    """The CIFAR-100 super-class of each label, "" where a name is not CIFAR-100's."""
    return [_SUPERCLASS_OF.get(name, "") for name in label_names]


def label_subset(superclass_of: list[str], n_labels: int, seed: int) -> list[int]:
    """The indices of K of the labels, ascending.

    Nested, "where for each progressively increasing K the previous subset is included", and "chosen uniformly from
    the 20 super-classes" (supplement): any two super-classes differ by at most one label. superclass_of has one entry
    a label; labels without one ("") form a group of their own.
    """
    draw = np.random.default_rng(seed)
    groups: dict[str, list[int]] = {}
    for label, name in enumerate(superclass_of):
        groups.setdefault(name, []).append(label)
    waiting = [draw.permutation(labels).tolist() for _, labels in sorted(groups.items())]
    chosen: list[int] = []
    while any(waiting):  # a round takes one label of every super-class, in a new order
        for group in draw.permutation(len(waiting)):
            if waiting[group]:
                chosen.append(waiting[group].pop())
    return sorted(chosen[:n_labels])

"""What a recipe is worth: every picture read once, by a network that was trained without it.

crossvalidate.py <lesson> <data> [epochs] [seed] [layers to freeze…]
"""

import sys
from pathlib import Path

import numpy as np

from conv_sheet import lessons
from conv_sheet.learning.augment import Augmentation
from conv_sheet.learning.data import load_data, split
from conv_sheet.learning.evaluate import evaluate, prepared
from conv_sheet.learning.train import Settings, fit
from conv_sheet.ops.optim import Adam

FOLDS, VALIDATION, LR = 8, 0.05, 0.003


def main(lesson: str, data: str, epochs: str = "100", seed: str = "0", *freeze: str) -> None:
    network = lessons.load(lesson).network
    digits = prepared(load_data(Path(data)), network)
    settings = Settings(Adam(lr=LR), epochs=int(epochs), freeze=freeze, augmentation=Augmentation(), seed=int(seed))
    folds = np.array_split(np.random.default_rng(0).permutation(len(digits)), FOLDS)
    accuracies = []
    for number, fold in enumerate(folds, 1):
        others = np.concatenate([other for other in folds if other is not fold])
        training, validation = split(digits.take(others), VALIDATION, seed=0)
        run = fit(network, network.initial(int(seed)), training, validation, settings)
        accuracies.append(evaluate(network, run.tensors, digits.take(fold)).accuracy)
        print(f"fold {number}: {accuracies[-1]:.2%} of {len(fold):,}", flush=True)
    print(f"mean {np.mean(accuracies):.2%}")


if __name__ == "__main__":
    main(*sys.argv[1:])

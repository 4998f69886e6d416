"""The first lesson's network in PyTorch, for what is made of its pictures."""

import torch
from torch import nn

from conv_sheet.ops import Array
from conv_sheet.state import WorkbookState

LAYERS = "conv1", "relu1", "conv2", "relu2", "pool", "flatten1", "fc"
"""Names of the layers of `twin`, in their order."""


def twin(state: WorkbookState) -> nn.Sequential:
    """The network up to its scores, with the weights of a state."""
    model = nn.Sequential(
        *(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        nn.Linear(288, 10),
    ).double()
    numbers = {name: str(number) for number, name in enumerate(LAYERS)}
    parts = ((name.partition("."), value) for name, value in state.tensors.items())
    model.load_state_dict({f"{numbers[layer]}.{short}": torch.tensor(value) for (layer, _, short), value in parts})
    return model


def up_to(model: nn.Sequential, name: str, pictures: torch.Tensor) -> torch.Tensor:
    """What the layers up to one make of pictures."""
    made: torch.Tensor = model[: LAYERS.index(name) + 1](pictures)
    return made


def slopes(model: nn.Sequential, name: str, pictures: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    """Slopes of the pixels of the sum of a layer's values, each times its own number."""
    pixels = pictures.clone().requires_grad_()
    (found,) = torch.autograd.grad((up_to(model, name, pixels) * upstream).sum(), pixels)
    return found


def _step(picture: torch.Tensor, slope: torch.Tensor, reach: float) -> torch.Tensor:
    return (picture + reach * slope / slope.abs().max()).clamp(0, 1)


def of_class(state: WorkbookState, number: int, noise: Array) -> list[torch.Tensor]:
    """Pictures after 1, 2, … 30 steps along the slope of a class's score."""
    model, pictures = twin(state), [torch.tensor(noise[None])]
    wanted = torch.eye(10, dtype=torch.float64)[number]
    for _ in range(30):
        slope = slopes(model, "fc", pictures[-1], wanted) - 0.5 * pictures[-1]
        pictures.append(_step(pictures[-1], slope, 0.05))
    return pictures[1:]


def made_another(state: WorkbookState, first: Array, before: int, number: int) -> tuple[torch.Tensor, int]:
    """A picture of one class changed until it is of another one by 90 %, and in how many steps."""
    model, picture, done = twin(state), torch.tensor(first[None]), 0
    wanted = torch.eye(10, dtype=torch.float64)[number] - torch.eye(10, dtype=torch.float64)[before]
    while shares(model, picture)[number] < 0.9:
        picture = _step(picture, slopes(model, "fc", picture, wanted), 0.05)
        done += 1
    return picture, done


def made_again(state: WorkbookState, first: Array, name: str, noise: Array) -> torch.Tensor:
    """A picture from what a layer makes of another one."""
    model, picture = twin(state), torch.tensor(noise[None])
    wanted = up_to(model, name, torch.tensor(first[None])).detach()
    for number in range(60):
        apart = wanted - up_to(model, name, picture).detach()
        picture = _step(picture, slopes(model, name, picture, apart), 0.2 * (1 - number / 60))
    return picture


def shares(model: nn.Sequential, picture: torch.Tensor) -> torch.Tensor:
    """The probabilities of the classes."""
    found: torch.Tensor = model(picture).detach().softmax(1)[0]
    return found


def ruled(state: WorkbookState, name: str, at: tuple[int, ...], rule: str) -> dict[str, Array]:
    """What comes back to the picture (`input`) and to the layers from one value of a layer, by hooks at the ReLUs."""
    model, found = twin(state), {}

    def keep(layer: str) -> None:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...], grads: tuple[torch.Tensor, ...]) -> None:
            found[layer] = grads[0][0].numpy().copy()

        model[LAYERS.index(layer)].register_full_backward_hook(hook)

    def relu(
        _: nn.Module, passed: tuple[torch.Tensor, ...], grads: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, ...]:
        if rule == "plain":
            return passed
        return ((grads[0] if rule == "deconvnet" else passed[0]).clamp(min=0),)

    for layer, module in zip(LAYERS, model, strict=True):
        if isinstance(module, nn.ReLU):
            module.register_full_backward_hook(relu)
        keep(layer)
    pixels = torch.tensor(state.image[None]).requires_grad_()
    (back,) = torch.autograd.grad(up_to(model, name, pixels)[(0, *at)], pixels)
    return found | {"input": back[0].numpy()}

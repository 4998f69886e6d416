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

"""Small networks that people teach with, as torch modules written from their public descriptions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Entry:
    """A network, and the shape of one picture."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]


class Forward(nn.Module):
    """Layers by name, and a function that says how they follow each other."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self._run = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._run(self, x)


def pt_mnist() -> nn.Module:
    def run(s: Any, x: Tensor) -> Tensor:
        x = s.dropout1(F.max_pool2d(F.relu(s.conv2(F.relu(s.conv1(x)))), 2))
        x = s.dropout2(F.relu(s.fc1(torch.flatten(x, 1))))
        return F.log_softmax(s.fc2(x), dim=1)

    return Forward(
        run,
        conv1=nn.Conv2d(1, 32, 3, 1),
        conv2=nn.Conv2d(32, 64, 3, 1),
        dropout1=nn.Dropout(0.25),
        dropout2=nn.Dropout(0.5),
        fc1=nn.Linear(9216, 128),
        fc2=nn.Linear(128, 10),
    )


def pt_mnist_old() -> nn.Module:
    def run(s: Any, x: Tensor) -> Tensor:
        x = F.relu(F.max_pool2d(s.conv1(x), 2))
        x = F.relu(F.max_pool2d(s.conv2_drop(s.conv2(x)), 2))
        x = F.relu(s.fc1(x.view(-1, 320)))
        x = F.dropout(x, training=s.training)
        return F.log_softmax(s.fc2(x), dim=1)

    return Forward(
        run,
        conv1=nn.Conv2d(1, 10, 5),
        conv2=nn.Conv2d(10, 20, 5),
        conv2_drop=nn.Dropout2d(),
        fc1=nn.Linear(320, 50),
        fc2=nn.Linear(50, 10),
    )


def blitz_lenet() -> nn.Module:
    def run(s: Any, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(s.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(s.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return s.fc3(F.relu(s.fc2(F.relu(s.fc1(x)))))  # type: ignore[no-any-return]

    return Forward(
        run,
        conv1=nn.Conv2d(1, 6, 5),
        conv2=nn.Conv2d(6, 16, 5),
        fc1=nn.Linear(400, 120),
        fc2=nn.Linear(120, 84),
        fc3=nn.Linear(84, 10),
    )


def cifar_tutorial() -> nn.Module:
    def run(s: Any, x: Tensor) -> Tensor:
        x = s.pool(F.relu(s.conv1(x)))
        x = s.pool(F.relu(s.conv2(x)))
        x = x.view(x.size(0), -1)
        return s.fc3(F.relu(s.fc2(F.relu(s.fc1(x)))))  # type: ignore[no-any-return]

    return Forward(
        run,
        conv1=nn.Conv2d(3, 6, 5),
        pool=nn.MaxPool2d(2, 2),
        conv2=nn.Conv2d(6, 16, 5),
        fc1=nn.Linear(400, 120),
        fc2=nn.Linear(120, 84),
        fc3=nn.Linear(84, 10),
    )


def d2l_lenet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2, 2)),
        *(nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2, 2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10)),
    )


def _nin_block(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.ReLU()),
        *(nn.Conv2d(outputs, outputs, 1), nn.ReLU(), nn.Conv2d(outputs, outputs, 1), nn.ReLU()),
    )


def nin_small() -> nn.Module:
    return nn.Sequential(
        *(_nin_block(1, 12, 5, 1, 2), nn.MaxPool2d(3, 2), _nin_block(12, 16, 5, 1, 2), nn.MaxPool2d(3, 2)),
        *(nn.Dropout(0.5), _nin_block(16, 10, 3, 1, 1), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()),
    )


def vgg_small() -> nn.Module:
    layers: list[nn.Module] = []
    inputs = 3
    for count, outputs in ((1, 8), (1, 16), (2, 32)):
        for _ in range(count):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(
        *(*layers, nn.Flatten(), nn.Linear(32 * 16, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 64), nn.ReLU()),
        *(nn.Dropout(0.5), nn.Linear(64, 10)),
    )


def keras_mnist() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 10), nn.Softmax(dim=1)),
    )


def beautiful_mnist() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 5), nn.ReLU(), nn.Conv2d(32, 32, 5), nn.ReLU(), nn.BatchNorm2d(32), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.BatchNorm2d(64), nn.MaxPool2d(2)),
        *(nn.Flatten(1), nn.Linear(576, 10)),
    )


def _fastbook(norm: bool) -> nn.Module:
    layers: list[nn.Module] = []
    inputs = 1
    for outputs, kernel in ((8, 5), (16, 3), (32, 3), (64, 3), (10, 3)):
        parts: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2, bias=not norm or outputs == 10)]
        if outputs != 10:
            parts += [nn.ReLU(), nn.BatchNorm2d(outputs)] if norm else [nn.ReLU()]
        layers.append(nn.Sequential(*parts))
        inputs = outputs
    return nn.Sequential(*layers, nn.Flatten())


def fastbook_simple() -> nn.Module:
    return _fastbook(norm=False)


def fastbook_bn() -> nn.Module:
    return _fastbook(norm=True)


def tiny_vgg() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 10, 3), nn.ReLU(), nn.Conv2d(10, 10, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(10, 10, 3), nn.ReLU(), nn.Conv2d(10, 10, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(1690, 10), nn.Softmax(1)),
    )


def cs231n_3layer() -> nn.Module:
    def run(s: Any, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(s.conv(x)), 2)
        return s.fc2(F.relu(s.fc1(x.flatten(1))))  # type: ignore[no-any-return]

    return Forward(run, conv=nn.Conv2d(3, 32, 7, padding=3), fc1=nn.Linear(32 * 256, 100), fc2=nn.Linear(100, 10))


def allcnn_quarter() -> nn.Module:
    def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.ReLU()]

    return nn.Sequential(
        *(nn.Dropout(0.2), *conv(3, 24), *conv(24, 24), *conv(24, 24, stride=2), nn.Dropout(0.5)),
        *(*conv(24, 48), *conv(48, 48), *conv(48, 48, stride=2), nn.Dropout(0.5)),
        *(*conv(48, 48, padding=0), *conv(48, 48, 1, 1, 0), *conv(48, 10, 1, 1, 0)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )


def _mobile_v1(act: type[nn.Module]) -> nn.Module:
    def norm(channels: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(channels), act()]

    layers: list[nn.Module] = [nn.Conv2d(1, 4, 3, 2, 1, bias=False), *norm(4)]
    inputs = 4
    for outputs, stride in ((8, 1), (16, 2), (16, 1), (32, 2), (32, 1)):
        layers += [nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False), *norm(inputs)]
        layers += [nn.Conv2d(inputs, outputs, 1, bias=False), *norm(outputs)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def mobile_v1_relu() -> nn.Module:
    return _mobile_v1(nn.ReLU)


def mobile_v1_relu6() -> nn.Module:
    return _mobile_v1(nn.ReLU6)


def autoencoder() -> nn.Module:
    def run(s: Any, x: Tensor) -> Tensor:
        x = s.pool(F.relu(s.conv2(s.pool(F.relu(s.conv1(x))))))
        return torch.sigmoid(s.t_conv2(F.relu(s.t_conv1(x))))

    return Forward(
        run,
        conv1=nn.Conv2d(1, 16, 3, padding=1),
        conv2=nn.Conv2d(16, 4, 3, padding=1),
        pool=nn.MaxPool2d(2, 2),
        t_conv1=nn.ConvTranspose2d(4, 16, 2, stride=2),
        t_conv2=nn.ConvTranspose2d(16, 1, 2, stride=2),
    )


def dcgan_d() -> nn.Module:
    def run(s: Any, x: Tensor) -> Tensor:
        return s.main(x).view(-1, 1).squeeze(1)  # type: ignore[no-any-return]

    return Forward(
        run,
        main=nn.Sequential(
            *(nn.Conv2d(1, 8, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)),
            *(nn.Conv2d(8, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.LeakyReLU(0.2, inplace=True)),
            *(nn.Conv2d(16, 1, 7, 1, 0, bias=False), nn.Sigmoid()),
        ),
    )


def dcgan_g() -> nn.Module:
    return nn.Sequential(
        *(nn.ConvTranspose2d(16, 16, 7, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU(True)),
        *(nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(True)),
        *(nn.ConvTranspose2d(8, 1, 4, 2, 1, bias=False), nn.Tanh()),
    )


def conv1d_net() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv1d(1, 8, 7, padding=3), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2)),
        *(nn.Conv1d(8, 16, 5, padding=2), nn.ReLU(), nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(1)),
        *(nn.Flatten(), nn.Linear(16, 5)),
    )


class InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = inputs * expand
        self.skip = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *(nn.Conv2d(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(inplace=True)),
            *(nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(True)),
            *(nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.skip else self.conv(x)  # type: ignore[no-any-return]


def mobile_v2() -> nn.Module:
    def run(s: Any, x: Tensor) -> Tensor:
        return s.head(s.blocks(s.stem(x)).mean([2, 3]))  # type: ignore[no-any-return]

    return Forward(
        run,
        stem=nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)),
        blocks=nn.Sequential(
            InvertedResidual(8, 8, 1, 2), InvertedResidual(8, 12, 2, 2), InvertedResidual(12, 12, 1, 2)
        ),
        head=nn.Linear(12, 10),
    )


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, channels // 4), nn.Linear(channels // 4, channels)

    def forward(self, x: Tensor) -> Tensor:
        b, c, _, _ = x.size()
        y = F.hardsigmoid(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1).view(b, c)))))
        return x * y.view(b, c, 1, 1).expand_as(x)


def mobile_v3_se() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish()),
        *(nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish()),
        *(nn.Conv2d(16, 16, 5, 2, 2, groups=16, bias=False), nn.BatchNorm2d(16), SqueezeExcite(16), nn.Hardswish()),
        *(nn.Conv2d(16, 12, 1, bias=False), nn.BatchNorm2d(12)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 32), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(32, 10)),
    )


class Shortcut(nn.Module):
    """Option A: every other pixel, and maps of zeros."""

    def __init__(self, more: int) -> None:
        super().__init__()
        self.more = more

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more), "constant", 0)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, option: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = (
                Shortcut(outputs // 4)
                if option == "A"
                else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, blocks: int, width: int, option: str) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        inputs = width
        stages = []
        for stage in range(3):
            outputs = width << stage
            layers = []
            for number in range(blocks):
                layers.append(Block(inputs, outputs, 2 if stage and not number else 1, option))
                inputs = outputs
            stages.append(nn.Sequential(*layers))
        self.layer1, self.layer2, self.layer3 = stages
        self.linear = nn.Linear(inputs, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        out = F.avg_pool2d(out, out.size()[3])
        return self.linear(out.view(out.size(0), -1))  # type: ignore[no-any-return]


def resnet20_a() -> nn.Module:
    return ResNet(3, 16, "A")


def resnet20_b() -> nn.Module:
    return ResNet(3, 16, "B")


def resnet8_w4() -> nn.Module:
    return ResNet(1, 4, "B")


def _double(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)),
        *(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)),
    )


def _unet(up1: nn.Module, up2: nn.Module, wide: bool) -> nn.Module:
    def run(s: Any, x: Tensor) -> Tensor:
        one = s.inc(x)
        two = s.down1(F.max_pool2d(one, 2))
        three = s.down2(F.max_pool2d(two, 2))
        two = s.c1(torch.cat([two, s.up1(three)], dim=1))
        one = s.c2(torch.cat([one, s.up2(two)], dim=1))
        return torch.sigmoid(s.outc(one))

    return Forward(
        run,
        inc=_double(1, 4),
        down1=_double(4, 8),
        down2=_double(8, 16),
        up1=up1,
        up2=up2,
        c1=_double(24 if wide else 16, 8),
        c2=_double(12 if wide else 8, 4),
        outc=nn.Conv2d(4, 1, 1),
    )


def unet_tiny() -> nn.Module:
    return _unet(nn.ConvTranspose2d(16, 8, 2, stride=2), nn.ConvTranspose2d(8, 4, 2, stride=2), wide=False)


def unet_tiny_up() -> nn.Module:
    up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    return _unet(up, nn.Upsample(scale_factor=2), wide=True)


class Fire(nn.Module):
    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1, self.expand3x3 = nn.Conv2d(squeeze, expand, 1), nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


def squeeze_tiny() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(Fire(8, 4, 8), Fire(16, 4, 8), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(16, 6, 12), nn.Dropout(0.5)),
        *(nn.Conv2d(24, 10, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()),
    )


class Inception(nn.Module):
    def __init__(self, inputs: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int) -> None:
        super().__init__()
        self.b1 = nn.Conv2d(inputs, one, 1)
        self.b2a, self.b2b = nn.Conv2d(inputs, three[0], 1), nn.Conv2d(*three, 3, padding=1)
        self.b3a, self.b3b = nn.Conv2d(inputs, five[0], 1), nn.Conv2d(*five, 5, padding=2)
        self.b4 = nn.Conv2d(inputs, pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = (
            self.b1(x),
            self.b2b(F.relu(self.b2a(x))),
            self.b3b(F.relu(self.b3a(x))),
            self.b4(F.max_pool2d(x, 3, 1, 1)),
        )
        return torch.cat([F.relu(part) for part in parts], 1)


def inception_tiny() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(Inception(8, 4, (4, 6), (2, 3), 3), nn.MaxPool2d(2), Inception(16, 6, (4, 8), (2, 4), 4)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(22, 10)),
    )


class DenseLayer(nn.Module):
    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv(F.relu(self.norm(x)))], 1)


def dense_tiny() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1, bias=False), *(DenseLayer(8 + 4 * i, 4) for i in range(3))),
        *(nn.BatchNorm2d(20), nn.ReLU(), nn.Conv2d(20, 10, 1, bias=False), nn.AvgPool2d(2)),
        *(*(DenseLayer(10 + 4 * i, 4) for i in range(3)), nn.BatchNorm2d(22), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(22, 10)),
    )


class Residual(nn.Module):
    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        return self.fn(x) + x  # type: ignore[no-any-return]


def convmixer() -> nn.Module:
    dim, depth, kernel = 8, 2, 5
    block = [
        nn.Sequential(
            Residual(
                nn.Sequential(nn.Conv2d(dim, dim, kernel, groups=dim, padding="same"), nn.GELU(), nn.BatchNorm2d(dim))
            ),
            *(nn.Conv2d(dim, dim, 1), nn.GELU(), nn.BatchNorm2d(dim)),
        )
        for _ in range(depth)
    ]
    return nn.Sequential(
        *(nn.Conv2d(1, dim, 4, stride=4), nn.GELU(), nn.BatchNorm2d(dim), *block),
        *(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(dim, 10)),
    )


def espcn() -> nn.Module:
    def run(s: Any, x: Tensor) -> Tensor:
        return s.pixel_shuffle(s.conv4(F.relu(s.conv3(F.relu(s.conv2(F.relu(s.conv1(x))))))))  # type: ignore[no-any-return]

    return Forward(
        run,
        conv1=nn.Conv2d(1, 16, 5, 1, 2),
        conv2=nn.Conv2d(16, 16, 3, 1, 1),
        conv3=nn.Conv2d(16, 8, 3, 1, 1),
        conv4=nn.Conv2d(8, 9, 3, 1, 1),
        pixel_shuffle=nn.PixelShuffle(3),
    )


def groupnorm_net() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.SiLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.LayerNorm(784), nn.Linear(784, 10)),
    )


def alexnet_lrn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 12, 5, padding=2), nn.ReLU(), nn.LocalResponseNorm(5, k=2), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(12, 24, 5, padding=2, groups=2), nn.ReLU(), nn.LocalResponseNorm(5, k=2), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 16, 3, padding=1, groups=2), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d((3, 3)), nn.Flatten(), nn.Dropout(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 10)),
    )


_GREY, _COLOUR = (1, 28, 28), (3, 32, 32)

ZOO: dict[str, Entry] = {
    make.__name__: Entry(make, shape)
    for shape, makes in (
        (_GREY, (pt_mnist, pt_mnist_old, d2l_lenet, nin_small, keras_mnist, beautiful_mnist, fastbook_simple)),
        (_GREY, (fastbook_bn, mobile_v1_relu, mobile_v1_relu6, autoencoder, dcgan_d, mobile_v3_se, unet_tiny)),
        (_GREY, (unet_tiny_up, inception_tiny, dense_tiny, convmixer, groupnorm_net)),
        (_COLOUR, (cifar_tutorial, vgg_small, cs231n_3layer, allcnn_quarter, mobile_v2, resnet20_a, resnet20_b)),
        (_COLOUR, (squeeze_tiny, alexnet_lrn)),
        ((1, 32, 32), (blitz_lenet,)),
        ((3, 64, 64), (tiny_vgg,)),
        ((16, 1, 1), (dcgan_g,)),
        ((1, 64), (conv1d_net,)),
        ((3, 16, 16), (resnet8_w4,)),
        ((1, 16, 16), (espcn,)),
    )
    for make in makes
}
"""By name."""


def ready(name: str) -> tuple[nn.Module, Tensor]:
    """A network with random weights and statistics, in double precision's reach, and a picture for it."""
    torch.manual_seed(len(name))
    entry = ZOO[name]
    module = entry.make().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            assert part.running_mean is not None and part.running_var is not None
            part.running_mean.uniform_(-0.5, 0.5)
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.uniform_(part.bias, -0.5, 0.5)
    return module, torch.rand(1, *entry.shape)

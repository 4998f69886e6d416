"""NumPy primitives of a convolutional network: each operation, and right beneath it its derivative.

Arrays are float64 and carry a batch dimension: images are (N, C, H, W), features (N, in). Names and meanings are those
of PyTorch. A `…_backward` takes the gradient of the loss by the output, then what the forward took or made, and returns
the gradients by the forward's arrays, in their order. Losses and optimisers stand in `losses` and `optim`.
"""

from conv_sheet.ops.arrays import Array
from conv_sheet.ops.conv import (
    conv2d,
    conv2d_backward,
    conv2d_parameters_backward,
    conv_transpose2d,
    conv_transpose2d_backward,
)
from conv_sheet.ops.dense import (
    linear,
    linear_backward,
    log_softmax,
    log_softmax_backward,
    softmax,
    softmax_backward,
)
from conv_sheet.ops.gradcheck import numerical_gradient, relative_error
from conv_sheet.ops.norm import batch_norm2d, batch_norm2d_backward
from conv_sheet.ops.options import IntOrPair
from conv_sheet.ops.pointwise import (
    dropout,
    dropout_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from conv_sheet.ops.pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
    min_pool2d,
    min_pool2d_backward,
)
from conv_sheet.ops.windows import (
    COPY_MODES,
    PADDING_MODES,
    Sides,
    output_size,
    pad2d,
    pad2d_backward,
    padding_of,
    windows,
    windows_backward,
)

__all__ = [
    "COPY_MODES",
    "PADDING_MODES",
    "Array",
    "IntOrPair",
    "Sides",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm2d",
    "batch_norm2d_backward",
    "conv2d",
    "conv2d_backward",
    "conv2d_parameters_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "dropout",
    "dropout_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "log_softmax",
    "log_softmax_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "min_pool2d",
    "min_pool2d_backward",
    "numerical_gradient",
    "output_size",
    "pad2d",
    "pad2d_backward",
    "padding_of",
    "relative_error",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "tanh",
    "tanh_backward",
    "windows",
    "windows_backward",
]

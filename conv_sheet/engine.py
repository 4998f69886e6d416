"""The face of the arithmetic: what `ops` offers, by name.

A convolution slides a window over an image. The window need not be copied: strides, the steps in memory from one
element to the next along each axis, may be given twice. A 4×4 image of float64 has strides (32, 8), bytes to the next
row and to the next column. With the strides (32, 8, 32, 8) the same sixteen numbers are an array (3, 3, 2, 2): the
first two axes place a 2×2 window, the last two walk inside it.

>>> import numpy as np
>>> image = np.arange(16.0).reshape(4, 4)
>>> view = windows(image[None, None], 2)[0, 0]
>>> view.shape, view.strides, np.shares_memory(view, image)
((3, 3, 2, 2), (32, 8, 32, 8), True)
>>> view[1, 2]
array([[ 6.,  7.],
       [10., 11.]])

With every window in a row of its own, a convolution is one matrix product with its kernels.

>>> kernel = np.array([[1.0, 0.0], [0.0, -1.0]])
>>> (view.reshape(9, 4) @ kernel.reshape(4, 1)).reshape(3, 3)
array([[-5., -5., -5.],
       [-5., -5., -5.],
       [-5., -5., -5.]])
>>> bool((conv2d(image[None, None], kernel[None, None])[0, 0] == -5).all())
True
"""

from conv_sheet.ops import *  # noqa: F403 - the list of names is that of `ops`
from conv_sheet.ops import __all__ as __all__
